// What somebody may write for a broadcaster: a user id, a login, a channel's address. Pure; nobody is looked up here.

export type BroadcasterText =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'login'; readonly login: string }
  | { readonly kind: 'unreadable' };

const address = /^(?:https?:\/\/)?(?:www\.|m\.)?twitch\.tv\/([A-Za-z0-9_]{1,25})(?:[/?#].*)?$/i;
const login = /^@?([A-Za-z0-9_]{1,25})$/;

/** Digits are an id, also where a login of digits exists: an id is what the platform's own events carry. */
export function readBroadcaster(text: string): BroadcasterText {
  const trimmed = text.trim();
  if (/^[0-9]{1,20}$/.test(trimmed)) return { kind: 'id', id: trimmed };
  const name = (address.exec(trimmed) ?? login.exec(trimmed))?.[1];
  return name === undefined ? { kind: 'unreadable' } : { kind: 'login', login: name.toLowerCase() };
}
