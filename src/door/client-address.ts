// Whose address a request comes from, when proxies stand in between. Pure. Believes a header only as far as trusted
// proxies vouch for it; everything further left is the client's own claim.
import { covers, parseIpAddress, type Cidr, type IpAddress } from '../domain/cidr.ts';

/** As much of an IPv6 address as one subscriber commonly has to himself: counting single addresses would count nothing. */
const ipv6SubscriberBytes = 8;

/**
 * The connection's address, or, while that is a trusted proxy's, the entry of X-Forwarded-For which that proxy added: the
 * list is walked from the right up to the first address that is no trusted proxy. An entry that is no address ends the walk
 * at the last proxy. `Forwarded` (RFC 7239) is not read: two headers that may disagree are a way around either.
 * Undefined when the connection has no address (any more).
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusted: readonly Cidr[],
): IpAddress | undefined {
  let address = readAddress(peer ?? '');
  const entries = forwardedFor?.split(',') ?? [];
  while (address && isIn(trusted, address)) {
    const entry = entries.pop();
    const next = entry === undefined ? undefined : readAddress(entry);
    if (!next) return address;
    address = next;
  }
  return address;
}

export const isIn = (ranges: readonly Cidr[], address: IpAddress): boolean =>
  ranges.some((range) => covers(range, address));

/** The name under which an address' failures are counted: an IPv6 address stands for its /64. */
export function countedAs(address: IpAddress | undefined): string {
  if (!address) return 'unknown';
  if (address.kind() === 'ipv4') return address.toString();
  return `${Buffer.from(address.toByteArray().slice(0, ipv6SubscriberBytes)).toString('hex')}/64`;
}

/** `ip`, `ip:port`, `[ipv6]` or `[ipv6]:port`; an IPv4-mapped IPv6 address is the IPv4 address that it carries. */
function readAddress(text: string): IpAddress | undefined {
  const trimmed = text.trim();
  const bare =
    /^\[(.*)\](?::\d{1,5})?$/.exec(trimmed)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(trimmed)?.[1] ?? trimmed;
  const address = parseIpAddress(bare);
  if (!address || !('isIPv4MappedAddress' in address) || !address.isIPv4MappedAddress()) return address;
  return address.toIPv4Address();
}
