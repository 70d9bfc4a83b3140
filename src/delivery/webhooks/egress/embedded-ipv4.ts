// IPv6 addresses that stand for an IPv4 address: which bits carry it. Never decides whether any of them may be called.
import ipaddr from 'ipaddr.js';
import type { Cidr, IpAddress } from '../../../domain/cidr.ts';
import { cidr, covers } from '../../../domain/cidr.ts';

interface Wrapper {
  readonly cidr: Cidr;
  /** The byte at which the four bytes of the IPv4 address begin. */
  readonly at: number;
}

/** The packets end at the IPv4 address, whatever else the IPv6 one says. */
const wrappers: readonly Wrapper[] = [
  // IPv4-mapped, RFC 4291
  { cidr: cidr('::ffff:0:0/96'), at: 12 },
  // IPv4-translated, RFC 2765
  { cidr: cidr('::ffff:0:0:0/96'), at: 12 },
  // NAT64, RFC 6052
  { cidr: cidr('64:ff9b::/96'), at: 12 },
  // 6to4, RFC 3056
  { cidr: cidr('2002::/16'), at: 2 },
  // IPv4-compatible, RFC 4291
  { cidr: cidr('::/96'), at: 12 },
];

/** Inside ::/96, and yet no IPv4-compatible addresses. */
const notCompatible: ReadonlySet<string> = new Set(['::', '::1']);

/** What an address comes down to. */
export interface Unwrapped {
  /** Each of them must be allowed. The address itself is among them unless it is a mere wrapper. */
  readonly ends: readonly IpAddress[];
  /** Where the packets may end too, if the network translates in one of the usual ways. */
  readonly readings: readonly IpAddress[];
}

export function unwrap(address: IpAddress): Unwrapped {
  if (!(address instanceof ipaddr.IPv6)) return { ends: [address], readings: [] };
  const bytes = address.toByteArray();
  const found = wrappers.find((wrapper) => covers(wrapper.cidr, address));
  const wraps = found && !notCompatible.has(address.toString());
  const face = wraps ? ipv4At(bytes, fourFrom(found.at)) : address;
  return { ends: [face, ...isatap(bytes)], readings: localReadings(address, bytes) };
}

const fourFrom = (at: number) => [at, at + 1, at + 2, at + 3];

const ipv4At = (bytes: readonly number[], at: readonly number[]): ipaddr.IPv4 =>
  new ipaddr.IPv4(at.map((index) => bytes[index] ?? 0));

/**
 * ISATAP (RFC 5214) puts an IPv4 address behind `0000:5efe` or `0200:5efe`, under any prefix. A public address may look
 * like that by chance, about once in two billion; it is then held to both.
 */
function isatap(bytes: readonly number[]): ipaddr.IPv4[] {
  const [high, low, ...marker] = bytes.slice(8, 12);
  const marked = (high === 0 || high === 2) && low === 0 && marker[0] === 0x5e && marker[1] === 0xfe;
  return marked ? [ipv4At(bytes, fourFrom(12))] : [];
}

const localTranslation = cidr('64:ff9b:1::/48');

/** RFC 6052 §2.2: where the IPv4 address stands behind prefixes of 48, 56, 64 and 96 bits; byte 8 is always passed over. */
const layouts: readonly (readonly number[])[] = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
];

/**
 * The local-use NAT64 prefix is the network's own, and the address does not tell how long a prefix its owner cut out of
 * it. So it counts as private, to be opened by a CIDR over the address itself; and every layout is read, so that none
 * of them leads to where nothing may.
 */
const localReadings = (address: IpAddress, bytes: readonly number[]): ipaddr.IPv4[] =>
  covers(localTranslation, address) ? layouts.map((at) => ipv4At(bytes, at)) : [];
