// URLs of webhooks, the addresses behind them, and the ranges that an operator opens: nothing leads inside.
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { createEgressGuard } from '../../src/delivery/webhooks/egress/index.ts';
import { Targets } from '../../src/delivery/webhooks/targets.ts';
import { parseCidrs, parseIpAddress } from '../../src/domain/cidr.ts';
import { oddText, textAround } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const numbers = fc.oneof(fc.nat(255), fc.constantFrom(0, 10, 127, 169, 172, 192, 256, 300));
/** Every way in which somebody writes an IPv4 address, those that only some parsers read among them. */
const ipv4 = fc
  .tuple(numbers, numbers, numbers, numbers)
  .chain(([a, b, c, d]) =>
    fc.constantFrom(
      `${a}.${b}.${c}.${d}`,
      `${a}.${d}`,
      `0x${a.toString(16)}.0x${b.toString(16)}.${c}.${d}`,
      `0${a.toString(8)}.${b}.${c}.${d}`,
      String(((a * 256 + b) * 256 + c) * 256 + d),
      `${a}.${b}.${c}.${d}.`,
    ),
  );
const wellKnown = fc.constantFrom(
  '127.0.0.1',
  '169.254.169.254',
  '10.0.0.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[fe80::1%25eth0]',
  '[2002:7f00:1::]',
  '[fd00:ec2::254]',
  'localhost',
  '8.8.8.8',
  '[2606:4700::1111]',
  'example.org',
  'xn--nxasmq6b',
  '０１２７.0.0.1',
  '①②⑦.⓪.⓪.①',
);
const ipv6 = fc.ipV6().map((address) => `[${address}]`);
const hosts = fc.oneof(ipv4, wellKnown, ipv6, fc.domain());
const urls = fc
  .record({
    scheme: fc.constantFrom('http', 'https', 'HTTP', 'https', 'http', 'ftp', 'file', 'javascript'),
    user: fc.constantFrom('', '', '', '', '', 'user@', 'user:pass@', '@'),
    host: hosts,
    port: fc.constantFrom('', '', ':80', ':0', ':65536', ':8080'),
    path: fc.oneof(fc.constantFrom('', '/', '/hook?a=b#c', '/../x', '\\evil'), fc.webPath()),
  })
  .map(({ scheme, user, host, port, path }) => `${scheme}://${user}${host}${port}${path}`);

const inside: ReadonlySet<string> = new Set([
  'unspecified',
  'broadcast',
  'multicast',
  'linkLocal',
  'loopback',
  'private',
  'uniqueLocal',
  'carrierGradeNat',
]);
/** Another library's opinion. */
function isInside(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  return inside.has(ipaddr.process(address).range());
}

const bare = (host: string) => host.replace(/^\[|\]$/g, '');

interface Given {
  readonly url: string;
  /** What the name server answers. */
  readonly addresses: readonly string[];
  readonly ranges: string;
}

const addresses = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), wellKnown.map(bare), oddText), { maxLength: 3 });
const ranges = fc
  .array(
    fc.oneof(
      fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(140)).map(([base, bits]) => `${base}/${bits}`),
      fc.constantFrom('10.0.0.0/8', 'fd00::/8', '127.0.0.1', '::1', ' ', '0.0.0.0/0'),
    ),
    { maxLength: 3 },
  )
  .map((list) => list.join(','));

async function judge({ url, addresses: found, ranges: text }: Given): Promise<boolean> {
  const cidrs = parseCidrs(text);
  if (cidrs.ok)
    for (const range of cidrs.cidrs) {
      const again = parseCidrs(range.text);
      if (!again.ok || again.cidrs[0]?.text !== range.text)
        throw new Error(`${range.text} is not read again`);
    }
  const lookup = () => Promise.resolve(found.map((address) => ({ address })));
  const guard = createEgressGuard({ allowedCidrs: [], lookup });
  for (const address of [...found, url]) {
    const read = parseIpAddress(address) !== undefined;
    if (guard.judge(address).ok && (!read || isInside(address))) throw new Error(`${address} may be called`);
  }
  const verdict = await guard.check(url);
  const target = new Targets().of(url);
  if (!verdict.ok) return false;
  if (!target) throw new Error('it may be called and leads nowhere');
  const host = bare(new URL(url).hostname);
  const behind = parseIpAddress(host) ? [host] : found;
  // A name without an address is told when it is called.
  const resolved = await guard.resolve(host).catch(() => undefined);
  if (resolved?.ok && behind.some(isInside)) throw new Error(`${behind.join(', ')} may be called`);
  return true;
}

export const webhookUrls = defineTarget({
  name: 'webhook-urls',
  what: 'webhook URLs, the addresses behind them, ranges of the operator',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return {
      input: fc.record({ url: textAround(urls), addresses, ranges: textAround(ranges) }),
      run: async (given) => takenIf(await judge(given)),
    };
  },
});
