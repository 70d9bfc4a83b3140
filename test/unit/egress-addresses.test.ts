// The classification of addresses: that the table is whole at its edges, and that no disguise changes a verdict.
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import type { Cidr } from '../../src/domain/cidr.ts';
import { parseCidrs, parseIpAddress } from '../../src/domain/cidr.ts';
import { addressRanges, rangeOf } from '../../src/delivery/webhooks/egress/address-ranges.ts';
import { refuseAddress } from '../../src/delivery/webhooks/egress/address-verdict.ts';

const list = (text: string): readonly Cidr[] => {
  const read = parseCidrs(text);
  if (!read.ok) throw new Error(read.bad);
  return read.cidrs;
};
const none = list('');
const everything = list('0.0.0.0/0,::/0');

const refusalOf = (address: string, allowed = none) => refuseAddress(address, allowed)?.refusal ?? 'public';

const firstOf = ({ base }: Cidr) => base.toString();
const lastOf = ({ base, bits }: Cidr) =>
  ipaddr
    .fromByteArray(
      base.toByteArray().map((byte, n) => byte | (0xff >> Math.min(8, Math.max(0, bits - n * 8)))),
    )
    .toString();

const rangeAt = (text: string) => {
  const address = parseIpAddress(text);
  return address && rangeOf(address)?.cidr.text;
};

describe('the table of ranges', () => {
  it('names a source for each row, and has each range once', () => {
    expect(addressRanges.filter(({ source, name }) => source === '' || name === '')).toEqual([]);
    const texts = addressRanges.map((range) => range.cidr.text);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it.each(addressRanges.map((range) => [range.cidr.text, range] as const))(
    'refuses both ends of %s',
    (_, range) => {
      for (const end of [firstOf(range.cidr), lastOf(range.cidr)]) expect(refusalOf(end)).not.toBe('public');
    },
  );

  it.each(
    addressRanges.filter((range) => !range.allowable).map((range) => [range.cidr.text, range] as const),
  )('%s stays closed, whatever is allowed', (_, { cidr, refusal }) => {
    for (const end of [firstOf(cidr), lastOf(cidr)]) {
      expect(refuseAddress(end, everything)).toMatchObject({ opens: [] });
      expect(refuseAddress(end, list(end))).toMatchObject({ opens: [] });
    }
    expect(refusalOf(lastOf(cidr), everything)).toBe(refusalOf(lastOf(cidr)));
    expect(['metadata', 'link_local', 'unspecified', 'multicast', 'reserved']).toContain(refusal);
  });

  it.each(addressRanges.filter((range) => range.allowable).map((range) => [range.cidr.text, range] as const))(
    '%s can be opened',
    (_, { cidr, refusal }) => {
      expect(['loopback', 'private', 'reserved']).toContain(refusal);
      // The other end may belong to a narrower row.
      const end = [firstOf(cidr), lastOf(cidr)].find((address) => rangeAt(address) === cidr.text) ?? '';
      expect(refuseAddress(end, none)?.refusal).toBe(refusal);
      expect(refuseAddress(end, none)?.opens).toEqual([`${end}/${cidr.base.kind() === 'ipv4' ? 32 : 128}`]);
      expect(refuseAddress(end, list(cidr.text))).toBeUndefined();
      expect(refuseAddress(end, list('192.0.2.77,2001:db8::77'))?.refusal).toBe(refusal);
    },
  );

  it.each([
    ['9.255.255.255', 'public'],
    ['10.0.0.0', 'private'],
    ['10.255.255.255', 'private'],
    ['11.0.0.0', 'public'],
    ['100.63.255.255', 'public'],
    ['100.64.0.0', 'private'],
    ['100.127.255.255', 'private'],
    ['100.128.0.0', 'public'],
    ['100.100.100.199', 'private'],
    ['100.100.100.200', 'metadata'],
    ['126.255.255.255', 'public'],
    ['127.0.0.0', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['128.0.0.0', 'public'],
    ['168.63.129.15', 'public'],
    ['168.63.129.16', 'metadata'],
    ['169.253.255.255', 'public'],
    ['169.254.0.0', 'link_local'],
    ['169.254.169.253', 'link_local'],
    ['169.254.169.254', 'metadata'],
    ['169.255.0.0', 'public'],
    ['172.15.255.255', 'public'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.0.0.191', 'reserved'],
    ['192.0.0.192', 'metadata'],
    ['192.0.1.0', 'public'],
    ['192.0.2.0', 'reserved'],
    ['192.167.255.255', 'public'],
    ['192.168.0.0', 'private'],
    ['192.169.0.0', 'public'],
    ['198.17.255.255', 'public'],
    ['198.18.0.0', 'reserved'],
    ['198.19.255.255', 'reserved'],
    ['198.20.0.0', 'public'],
    ['223.255.255.255', 'public'],
    ['224.0.0.0', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.0', 'reserved'],
    ['255.255.255.254', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['0.0.0.0', 'unspecified'],
    ['0.255.255.255', 'unspecified'],
    ['1.0.0.0', 'public'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::2', 'unspecified'],
    ['100::1', 'reserved'],
    ['1fff:ffff::', 'reserved'],
    ['2000::', 'public'],
    ['2001::1', 'reserved'],
    ['2001:1ff::', 'reserved'],
    ['2001:200::', 'public'],
    ['2001:db8::1', 'reserved'],
    ['2001:db9::1', 'public'],
    ['3fff::1', 'reserved'],
    ['3fff:1000::', 'public'],
    ['4000::', 'reserved'],
    ['5f00::1', 'reserved'],
    ['fbff::1', 'reserved'],
    ['fc00::', 'private'],
    ['fdff:ffff::1', 'private'],
    ['fe00::', 'reserved'],
    ['fe80::', 'link_local'],
    ['febf:ffff::1', 'link_local'],
    ['fec0::', 'private'],
    ['ff00::', 'multicast'],
    ['fd00:ec2::254', 'metadata'],
    ['fd00:ec3::254', 'private'],
  ])('%s: %s', (address, expected) => {
    expect(refusalOf(address)).toBe(expected);
  });
});

const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
const disguises: Readonly<Record<string, (octets: readonly number[]) => string>> = {
  mapped: ([a = 0, b = 0, c = 0, d = 0]) => `::ffff:${hex(a, b)}:${hex(c, d)}`,
  translated: ([a = 0, b = 0, c = 0, d = 0]) => `::ffff:0:${hex(a, b)}:${hex(c, d)}`,
  compatible: ([a = 0, b = 0, c = 0, d = 0]) => `::${hex(a, b)}:${hex(c, d)}`,
  NAT64: ([a = 0, b = 0, c = 0, d = 0]) => `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
  '6to4': ([a = 0, b = 0, c = 0, d = 0]) => `2002:${hex(a, b)}:${hex(c, d)}::1`,
  ISATAP: ([a = 0, b = 0, c = 0, d = 0]) => `2a00:1450::5efe:${hex(a, b)}:${hex(c, d)}`,
  'ISATAP, universal': ([a = 0, b = 0, c = 0, d = 0]) => `2a00:1450::200:5efe:${hex(a, b)}:${hex(c, d)}`,
};

/** From everywhere, and often from where it matters. */
const octets = fc.oneof(
  fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
  fc
    .tuple(
      fc.constantFrom(...addressRanges.filter(({ cidr }) => cidr.base.kind() === 'ipv4')),
      fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
    )
    .map(([{ cidr }, noise]) => {
      const [a = 0, b = 0, c = 0, d = 0] = cidr.base
        .toByteArray()
        .map((byte, n) => byte | ((noise[n] ?? 0) & (0xff >> Math.min(8, Math.max(0, cidr.bits - n * 8)))));
      return [a, b, c, d] as [number, number, number, number];
    }),
);

describe('an IPv6 address that stands for an IPv4 address', () => {
  const allowedLists = [
    none,
    everything,
    list('127.0.0.0/8,10.0.0.0/8'),
    list('198.18.0.0/15'),
    list('::/0'),
  ];

  it.each(Object.entries(disguises))('%s: is judged as the IPv4 address is', (name, wrap) => {
    fc.assert(
      fc.property(octets, fc.constantFrom(...allowedLists), (plain, allowed) => {
        // `::` and `::1` are addresses of their own.
        fc.pre(name !== 'compatible' || plain.some((octet, n) => octet > (n === 3 ? 1 : 0)));
        expect(refusalOf(wrap(plain), allowed)).toBe(refusalOf(plain.join('.'), allowed));
      }),
      { numRuns: 400 },
    );
  });

  it('advises the embedded address', () => {
    expect(refuseAddress('2002:7f00:1::', none)).toEqual({
      refusal: 'loopback',
      what: '2002:7f00:1:: stands for 127.0.0.1, which is a loopback address',
      opens: ['127.0.0.1/32'],
    });
  });

  it('ISATAP: is held to its prefix as well', () => {
    expect(refusalOf('fe80::5efe:808:808')).toBe('link_local');
    expect(refusalOf('fd12::5efe:808:808')).toBe('private');
    expect(refusalOf('fd12::5efe:a9fe:a9fe', list('fd00::/8'))).toBe('metadata');
    expect(refusalOf('2002:808:808::5efe:a00:1')).toBe('private');
  });

  // Each differs from the marker in one place: a public address is not refused for looking nearly like it.
  it.each([
    '2a00:1450::100:5efe:a00:1',
    '2a00:1450::1:5efe:a00:1',
    '2a00:1450::201:5efe:a00:1',
    '2a00:1450::5dfe:a00:1',
    '2a00:1450::5eff:a00:1',
    '2a00:1450::a00:1',
    '2a00:1450::3344:5efe:a00:1',
  ])('ISATAP: %s is none', (address) => {
    expect(refusalOf(address)).toBe('public');
  });

  // Named here and not taken from the table: virtual machines and VPNs do number themselves out of it.
  it('an operator may open what is only reserved', () => {
    expect(refusalOf('198.18.0.1')).toBe('reserved');
    expect(refusalOf('198.18.0.1', list('198.18.0.0/15'))).toBe('public');
  });

  it('`::` is told as what it is', () => {
    expect(refuseAddress('::', none)?.what).toBe('::, which is the unspecified address');
  });

  it('Teredo is never guessed at', () => {
    expect(refuseAddress('2001:0:4136:e378:8000:63bf:3fff:fdd2', everything)).toMatchObject({
      refusal: 'reserved',
      opens: [],
    });
  });
});

describe("the network's own translation prefix", () => {
  const layouts: Readonly<Record<string, string>> = {
    '/48': '64:ff9b:1:a9fe:a9:fe00::',
    '/56': '64:ff9b:1:a9:fe:a9fe::',
    '/64': '64:ff9b:1:0:a9:fea9:fe00:0',
    '/96': '64:ff9b:1::a9fe:a9fe',
  };

  it('is private, and opened by a CIDR over it', () => {
    expect(refuseAddress('64:ff9b:1::808:808', none)).toMatchObject({
      refusal: 'private',
      opens: ['64:ff9b:1::808:808/128'],
    });
    expect(refusalOf('64:ff9b:1::808:808', list('64:ff9b:1::/48'))).toBe('public');
    expect(refusalOf('64:ff9b:1::808:808', list('8.0.0.0/8'))).toBe('private');
  });

  it.each(Object.entries(layouts))('never leads to a metadata address by a prefix of %s', (_, address) => {
    expect(refuseAddress(address, everything)).toMatchObject({ refusal: 'metadata', opens: [] });
  });

  it('never leads to a link-local address either', () => {
    expect(refuseAddress('64:ff9b:1::a9fe:101', everything)).toMatchObject({
      refusal: 'link_local',
      opens: [],
    });
  });
});

it.each(['', 'localhost', '127.1', '0x7f000001', '[::1]', '1.2.3.4.5', 'a'.repeat(500)])(
  'text that is no address is refused: %j',
  (text) => {
    const refused = refuseAddress(text, everything);
    expect(refused).toMatchObject({ refusal: 'reserved', opens: [] });
    expect(refused?.what.length).toBeLessThan(100);
  },
);

// It may be a whole URL with a secret in it, or a megabyte of noise.
it('text that is no address is repeated up to 64 characters', () => {
  const whatOf = (text: string) => refuseAddress(text, none)?.what;
  expect(whatOf('localhost')).toBe('localhost is no IP address');
  expect(whatOf('x'.repeat(64))).toBe(`${'x'.repeat(64)} is no IP address`);
  expect(whatOf('x'.repeat(65))).toBe(`${'x'.repeat(64)}… is no IP address`);
});

it('a zone changes nothing', () => {
  expect(refusalOf('fe80::1%eth0', everything)).toBe('link_local');
  expect(refuseAddress('::1%lo', none)?.opens).toEqual(['::1/128']);
});
