// Whether one address may be called, given what the operator allows. Pure; it resolves no names and words no advice.
import type { Cidr, IpAddress } from '../../../domain/cidr.ts';
import { cidrOfAddress, covers, parseIpAddress } from '../../../domain/cidr.ts';
import type { EgressRefusal } from '../ports.ts';
import { rangeOf } from './address-ranges.ts';
import { unwrap } from './embedded-ipv4.ts';

/** Why an address may not be called. */
export interface AddressRefusal {
  readonly refusal: EgressRefusal;
  /** A clause such as `127.0.0.1 is a loopback address`, naming the embedded address where there is one. */
  readonly what: string;
  /** The narrowest ranges that would open it; empty when no setting does. */
  readonly opens: readonly string[];
}

/** No link-local and no metadata address, whatever is configured; also not by a way that is merely possible. */
const neverByAnyReading: ReadonlySet<EgressRefusal> = new Set(['metadata', 'link_local']);

/** Undefined when it may be called. What no setting opens is told before what one could. */
export function refuseAddress(text: string, allowed: readonly Cidr[]): AddressRefusal | undefined {
  const address = parseIpAddress(text);
  if (!address) return { refusal: 'reserved', what: `${shown(text)} is no IP address`, opens: [] };
  const { ends, readings } = unwrap(address);
  const found = [
    ...ends.flatMap((end) => refuseEnd(end, address, allowed)),
    ...readings
      .flatMap((end) => refuseEnd(end, address, []))
      .filter((bad) => neverByAnyReading.has(bad.refusal)),
  ];
  return mergeRefusals(found);
}

/** Several as one: for good if any is for good, else with everything that has to be opened. */
export function mergeRefusals(refusals: readonly AddressRefusal[]): AddressRefusal | undefined {
  const first = refusals.find(({ opens }) => opens.length === 0) ?? refusals[0];
  if (!first || first.opens.length === 0) return first;
  return { ...first, opens: [...new Set(refusals.flatMap(({ opens }) => opens))] };
}

function refuseEnd(end: IpAddress, whole: IpAddress, allowed: readonly Cidr[]): AddressRefusal[] {
  const range = rangeOf(end);
  if (!range) return [];
  if (range.allowable && allowed.some((cidr) => covers(cidr, end))) return [];
  const through = end === whole ? '' : `${whole.toString()} stands for `;
  return [
    {
      refusal: range.refusal,
      what: `${through}${end.toString()}, which is ${range.name}`,
      opens: range.allowable ? [cidrOfAddress(end).text] : [],
    },
  ];
}

/** Text of unknown origin is not repeated at length. */
const shown = (text: string) => (text.length > 64 ? `${text.slice(0, 64)}…` : text);
