// The host of a URL as resolvers, sockets and certificates have it. Pure; it judges nothing.

/** A URL has an IPv6 address in brackets; nothing else does. */
export const withoutBrackets = (hostname: string): string =>
  hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
