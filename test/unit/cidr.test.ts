// The list of CIDRs that an operator writes: what it covers, and that a slip is told rather than guessed at.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cidr } from '../../src/domain/cidr.ts';
import { cidr, covers, parseCidrs, parseIpAddress } from '../../src/domain/cidr.ts';

const read = (text: string): readonly Cidr[] => {
  const list = parseCidrs(text);
  if (!list.ok) throw new Error(`${list.bad}: ${list.why}`);
  return list.cidrs;
};

const covered = (list: string, address: string) => {
  const parsed = parseIpAddress(address);
  if (!parsed) throw new Error(`${address} is no address`);
  return read(list).some((range) => covers(range, parsed));
};

describe('parseCidrs', () => {
  it.each([
    ['', []],
    [' , ,', []],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    [' 127.0.0.0/8 ,::1/128, fd00::/8 ', ['127.0.0.0/8', '::1/128', 'fd00::/8']],
    ['192.168.1.5', ['192.168.1.5/32']],
    ['FD00:0:0::1', ['fd00::1/128']],
    ['0.0.0.0/0,::/0', ['0.0.0.0/0', '::/0']],
    ['172.16.0.0/12', ['172.16.0.0/12']],
    ['10.1.2.248/29', ['10.1.2.248/29']],
  ])('reads %j', (text, expected) => {
    expect(read(text).map((range) => range.text)).toEqual(expected);
  });

  it.each([
    ['10.0.0.0/33', 'between 0 and 32'],
    ['fd00::/129', 'between 0 and 128'],
    ['10.0.0.0/', 'between 0 and 32'],
    ['10.0.0.0/-1', 'between 0 and 32'],
    ['10.0.0.0/8/8', 'between 0 and 32'],
    ['10.0.0.0/0x8', 'between 0 and 32'],
    ['10.1.2.3/8', 'write 10.0.0.0/8 for the range'],
    ['fd00::1/8', 'write fd00::/8 for the range'],
    ['localhost', 'no address or CIDR'],
    ['10/8', 'no address or CIDR'],
    ['010.0.0.0/8', 'no address or CIDR'],
    ['fe80::%eth0/10', 'no address or CIDR'],
    ['::ffff:10.0.0.0/104', 'written as IPv4'],
  ])('refuses %s, and says why', (bad, why) => {
    const list = parseCidrs(`192.168.0.0/16, ${bad}, nonsense`);
    expect(list).toEqual({ ok: false, bad, why: expect.stringContaining(why) as string });
  });
});

describe('covers', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['192.168.1.5', '192.168.1.5', true],
    ['192.168.1.5', '192.168.1.4', false],
    ['fd00::/8', 'fdff::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['::/0', '10.0.0.1', false],
    ['0.0.0.0/0', '::1', false],
    ['fd00::/8', 'fd00::1%eth0', true],
  ])('%s and %s: %s', (list, address, expected) => {
    expect(covered(list, address)).toBe(expected);
  });

  it('is every bit before the prefix and none behind it', () => {
    const address = fc.nat(0xffffffff).map((value) => value >>> 0);
    fc.assert(
      fc.property(address, address, fc.integer({ min: 1, max: 32 }), (base, other, bits) => {
        const mask = (0xffffffff << (32 - bits)) >>> 0;
        const inside = (base & mask) >>> 0 === (other & mask) >>> 0;
        expect(covered(`${dotted((base & mask) >>> 0)}/${bits}`, dotted(other))).toBe(inside);
      }),
    );
  });
});

const dotted = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');

describe('an address', () => {
  it.each(['0177.0.0.1', '127.1', '2130706433', '0x7f.0.0.1', '127.0.0.1.', ' 127.0.0.1', '[::1]', ''])(
    'is not read out of %j',
    (text) => {
      expect(parseIpAddress(text)).toBeUndefined();
    },
  );
});

it('refuses a constant that is misspelt', () => {
  expect(() => cidr('10.0.0.1/8')).toThrow('10.0.0.1/8');
  expect(() => cidr('FD00::/8')).toThrow('FD00::/8');
  expect(cidr('::ffff:0:0/96').bits).toBe(96);
});
