// Ranges of IP addresses as an operator writes them: a comma list of CIDRs. Pure; it never asks what a range is for.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

export interface Cidr {
  /** Its one spelling, e.g. `10.0.0.0/8`; a single address ends in /32 or /128. */
  readonly text: string;
  readonly base: IpAddress;
  readonly bits: number;
}

export type CidrList =
  | { readonly ok: true; readonly cidrs: readonly Cidr[] }
  /** `bad` is the first entry that is wrong, as written; `why` says what is wrong with it and how to mend it. */
  | { readonly ok: false; readonly bad: string; readonly why: string };

/**
 * An address in one of the two standard spellings, undefined for anything else: not the octal, hexadecimal and short
 * forms of IPv4 that other parsers read, each in its own way. An IPv6 zone (`%eth0`) is left out.
 */
export const parseIpAddress = (text: string): IpAddress | undefined =>
  isIP(text) === 0 ? undefined : ipaddr.parse(text.replace(/%.*$/, ''));

/** The range of this address alone. */
export const cidrOfAddress = (address: IpAddress): Cidr => cidrOf(address, widthOf(address));

/** Whether the address lies in the range. IPv4 and IPv6 are apart: `::/0` covers no IPv4 address, nor the reverse. */
export const covers = ({ base, bits }: Cidr, address: IpAddress): boolean =>
  base.kind() === address.kind() && address.match(base, bits);

/**
 * A comma list; blanks and empty entries do not matter, a bare address stands for itself alone. Bits behind the prefix
 * are refused, since `10.1.2.3/8` may mean one address or sixteen million.
 */
export function parseCidrs(text: string): CidrList {
  const cidrs: Cidr[] = [];
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const read = parseCidr(entry);
    if (typeof read === 'string') return { ok: false, bad: entry, why: read };
    if (covers(mappedIpv4, read.base))
      return { ok: false, bad: entry, why: 'an IPv4-mapped range is written as IPv4, such as 10.0.0.0/8' };
    cidrs.push(read);
  }
  return { ok: true, cidrs };
}

/** For constants in code: throws when the text is not one range in its one spelling. */
export function cidr(text: string): Cidr {
  const read = parseCidr(text);
  if (typeof read === 'string' || read.text !== text)
    throw new Error(`${text} is not the spelling of a CIDR`);
  return read;
}

const widthOf = (address: IpAddress) => (address.kind() === 'ipv4' ? 32 : 128);

const cidrOf = (base: IpAddress, bits: number): Cidr => ({ text: `${base.toString()}/${bits}`, base, bits });

/** The range, or what is wrong. */
function parseCidr(entry: string): Cidr | string {
  const slash = entry.indexOf('/');
  const base = parseIpAddress(slash === -1 ? entry : entry.slice(0, slash));
  if (!base || entry.includes('%')) return 'it is no address or CIDR such as 10.0.0.0/8 or fd00::/8';
  const width = widthOf(base);
  const prefix = slash === -1 ? String(width) : entry.slice(slash + 1);
  const bits = Number(prefix);
  if (!/^\d{1,3}$/.test(prefix) || bits > width)
    return `the number behind the slash must be between 0 and ${width}`;
  const network = networkOf(base, bits);
  if (network.toString() !== base.toString())
    return `it has bits behind its prefix: write ${network.toString()}/${bits} for the range, or the address alone`;
  return cidrOf(base, bits);
}

function networkOf(base: IpAddress, bits: number): IpAddress {
  const bytes = base.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff00 >> kept) & 0xff;
  });
  return ipaddr.fromByteArray(bytes);
}

const mappedIpv4 = cidr('::ffff:0:0/96');
