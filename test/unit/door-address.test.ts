// Whose address counts, in every shape that proxies and liars give it.
import { describe, expect, it, test } from 'vitest';
import { parseCidrs, type Cidr } from '../../src/domain/cidr.ts';
import { clientAddress, countedAs } from '../../src/door/client-address.ts';

function ranges(text: string): readonly Cidr[] {
  const list = parseCidrs(text);
  if (!list.ok) throw new Error(list.why);
  return list.cidrs;
}
const trusted = ranges('127.0.0.1,10.0.0.0/8,fd00::/8');

const cases: [
  what: string,
  peer: string | undefined,
  header: string | undefined,
  address: string | undefined,
][] = [
  ['a connection without a header', '203.0.113.7', undefined, '203.0.113.7'],
  ['a stranger who names somebody else', '203.0.113.7', '198.51.100.1', '203.0.113.7'],
  ['a stranger who names a proxy', '203.0.113.7', '10.0.0.1', '203.0.113.7'],
  ['one proxy', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['two proxies', '127.0.0.1', '198.51.100.1, 10.1.2.3', '198.51.100.1'],
  [
    'a client that wrote the left part itself',
    '10.0.0.1',
    '1.1.1.1, 127.0.0.1, 198.51.100.1',
    '198.51.100.1',
  ],
  ['a client that wrote a proxy to its left', '10.0.0.1', '10.9.9.9, 198.51.100.1', '198.51.100.1'],
  ['a proxy that asks for itself', '10.0.0.1', undefined, '10.0.0.1'],
  ['nothing but proxies', '127.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
  ['an empty header', '10.0.0.1', '', '10.0.0.1'],
  ['a broken entry at the right', '10.0.0.1', '198.51.100.1, nonsense', '10.0.0.1'],
  ['a broken entry behind a proxy', '127.0.0.1', '198.51.100.1, unknown, 10.0.0.9', '10.0.0.9'],
  ['an entry with a port', '10.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
  ['IPv6 in brackets with a port', '10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
  ['IPv6 in brackets', '10.0.0.1', '[2001:db8::1]', '2001:db8::1'],
  ['bare IPv6', '10.0.0.1', '2001:DB8:0::1', '2001:db8::1'],
  ['an IPv4-mapped peer', '::ffff:203.0.113.7', undefined, '203.0.113.7'],
  ['an IPv4-mapped proxy', '::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['an IPv4-mapped entry in hexadecimal', '10.0.0.1', '::ffff:c633:6401', '198.51.100.1'],
  ['an IPv4-mapped proxy in brackets', '10.0.0.1', '198.51.100.1, [::ffff:10.0.0.2]:80', '198.51.100.1'],
  ['an IPv6 proxy', 'fd00::5', '2001:db8::9', '2001:db8::9'],
  ['a zone', 'fe80::1%eth0', undefined, 'fe80::1'],
  ['an octal address, which is none', '10.0.0.1', '010.0.0.2', '10.0.0.1'],
  ['blanks around it', '10.0.0.1', ' \t198.51.100.1 ', '198.51.100.1'],
  ['a port that is none', '10.0.0.1', '198.51.100.1:', '10.0.0.1'],
  ['a connection that is gone', undefined, '198.51.100.1', undefined],
];

test.for(cases)('%s', ([, peer, header, address]) => {
  expect(clientAddress(peer, header, trusted)?.toString()).toBe(address);
});

it('believes no header when no proxy is trusted', () => {
  expect(clientAddress('127.0.0.1', '198.51.100.1', [])?.toString()).toBe('127.0.0.1');
});

it('whatever a client writes, a trusted proxy in front of it decides', () => {
  for (const lie of ['', '127.0.0.1', 'x', '10.0.0.1, 127.0.0.1', ',,,', '1.2.3.4:99']) {
    expect(clientAddress('10.0.0.1', `${lie}, 198.51.100.1`, trusted)?.toString()).toBe('198.51.100.1');
  }
});

describe('failures are counted', () => {
  const counted = (text: string) => countedAs(clientAddress(text, undefined, []));
  it('by IPv4 address and by IPv6 /64', () => {
    expect(counted('203.0.113.7')).toBe('203.0.113.7');
    expect(counted('::ffff:203.0.113.7')).toBe('203.0.113.7');
    expect(counted('2001:db8:1:2::1')).toBe(counted('2001:db8:1:2:ffff::9'));
    expect(counted('2001:db8:1:2::1')).not.toBe(counted('2001:db8:1:3::1'));
    expect(counted('')).toBe('unknown');
  });
});
