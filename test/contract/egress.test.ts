// The matrix of the egress guard: every disguise of an address that we know, against real requests. What is allowed
// arrives at a listener; what is refused opens no socket at all, which is counted where Node opens sockets.
import { describe, expect, it } from 'vitest';
import type { EgressRefusal } from '../../src/delivery/webhooks/ports.ts';
import { EgressRefusedError } from '../../src/delivery/webhooks/egress/index.ts';
import type { Names } from './egress-rig.ts';
import { scriptedLookup, startClient, startReceiver, watchSockets } from './egress-rig.ts';

interface Allowed {
  /** The very address that is connected to. */
  readonly to: string;
  readonly allow?: string;
}
type Expected = EgressRefusal | Allowed;
type Row = readonly [host: string, expected: Expected, allow?: string];

const to = (address: string): Allowed => ({ to: address });

const spellingsOfLoopback: readonly Row[] = [
  ['127.0.0.1', 'loopback'],
  ['127.0.0.1.', 'loopback'],
  ['127.1', 'loopback'],
  ['127.0.1', 'loopback'],
  ['2130706433', 'loopback'],
  ['0x7f000001', 'loopback'],
  ['0X7F.0.0.1', 'loopback'],
  ['0x7f.1', 'loopback'],
  ['0177.0.0.1', 'loopback'],
  ['0177.0.0.01', 'loopback'],
  ['017700000001', 'loopback'],
  ['%31%32%37.0.0.1', 'loopback'],
  ['127%2e0%2e0%2e1', 'loopback'],
  ['１２７.０.０.１', 'loopback'],
  ['127。0。0。1', 'loopback'],
  ['⑫7.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['[::1]', 'loopback'],
  ['[0:0:0:0:0:0:0:1]', 'loopback'],
  ['[0000:0000::0001]', 'loopback'],
  ['[::ffff:127.0.0.1]', 'loopback'],
  ['[::FFFF:7F00:1]', 'loopback'],
  ['[0:0:0:0:0:ffff:127.0.0.1]', 'loopback'],
  ['[::ffff:0:127.0.0.1]', 'loopback'],
  ['[::127.0.0.1]', 'loopback'],
  ['[2002:7f00:1::]', 'loopback'],
  ['[64:ff9b::127.0.0.1]', 'loopback'],
  ['[2a00:1450::5efe:127.0.0.1]', 'loopback'],
];

const otherAddresses: readonly Row[] = [
  ['0', 'unspecified'],
  ['0.0.0.0', 'unspecified'],
  ['0x0.0x0.0x0.0x0', 'unspecified'],
  ['[::]', 'unspecified'],
  ['[::ffff:0.0.0.0]', 'unspecified'],
  ['10.0.0.1', 'private'],
  ['012.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.254', 'private'],
  ['192.168.1.1', 'private'],
  ['3232235777', 'private'],
  ['100.64.0.1', 'private'],
  ['[fc00::1]', 'private'],
  ['[fd12:3456::1]', 'private'],
  ['[fec0::1]', 'private'],
  ['[::ffff:10.0.0.1]', 'private'],
  ['[2002:c0a8:101::1]', 'private'],
  ['[64:ff9b::a00:1]', 'private'],
  ['[64:ff9b:1::8.8.8.8]', 'private'],
  ['169.254.1.1', 'link_local'],
  ['[fe80::1]', 'link_local'],
  ['[febf::1]', 'link_local'],
  ['[fe80::5efe:8.8.8.8]', 'link_local'],
  ['169.254.169.254', 'metadata'],
  ['2852039166', 'metadata'],
  ['0xa9fea9fe', 'metadata'],
  ['0251.0376.0251.0376', 'metadata'],
  ['[::ffff:169.254.169.254]', 'metadata'],
  ['[2002:a9fe:a9fe::1]', 'metadata'],
  ['[64:ff9b::169.254.169.254]', 'metadata'],
  ['169.254.170.2', 'metadata'],
  ['100.100.100.200', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['192.0.0.192', 'metadata'],
  ['[fd00:ec2::254]', 'metadata'],
  ['[fd20:ce::254]', 'metadata'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.250', 'multicast'],
  ['[ff02::1]', 'multicast'],
  ['255.255.255.255', 'reserved'],
  ['240.0.0.1', 'reserved'],
  ['192.0.2.1', 'reserved'],
  ['198.51.100.1', 'reserved'],
  ['203.0.113.1', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['[2001:db8::1]', 'reserved'],
  ['[2001::1]', 'reserved'],
  ['[100::1]', 'reserved'],
  ['[4000::1]', 'reserved'],
];

const publicAddresses: readonly Row[] = [
  ['8.8.8.8', to('8.8.8.8')],
  ['134744072', to('8.8.8.8')],
  ['172.15.255.255', to('172.15.255.255')],
  ['172.32.0.1', to('172.32.0.1')],
  ['100.128.0.1', to('100.128.0.1')],
  ['168.63.129.17', to('168.63.129.17')],
  ['[2606:4700:4700::1111]', to('2606:4700:4700::1111')],
  ['[2606:4700:4700:0:0:0:0:1111]', to('2606:4700:4700::1111')],
  ['[::ffff:8.8.8.8]', to('::ffff:808:808')],
  ['[64:ff9b::8.8.8.8]', to('64:ff9b::808:808')],
  ['[2002:808:808::1]', to('2002:808:808::1')],
  ['[2a00:1450::5efe:8.8.8.8]', to('2a00:1450::5efe:808:808')],
];

const opened: readonly Row[] = [
  ['127.0.0.1', to('127.0.0.1'), '127.0.0.0/8'],
  ['127.0.0.1', to('127.0.0.1'), '127.0.0.1'],
  ['2130706433', to('127.0.0.1'), '127.0.0.0/8'],
  ['０x7f.1', to('127.0.0.1'), '10.0.0.0/8, 127.0.0.1/32'],
  ['10.0.0.1', to('10.0.0.1'), '10.0.0.0/8'],
  ['100.64.0.1', to('100.64.0.1'), '100.64.0.0/10'],
  ['198.18.0.1', to('198.18.0.1'), '198.18.0.0/15'],
  ['[::1]', to('::1'), '::1/128'],
  ['[fd12::1]', to('fd12::1'), 'fd00::/8'],
  ['[::ffff:127.0.0.1]', to('::ffff:7f00:1'), '127.0.0.0/8'],
  ['[64:ff9b::10.0.0.1]', to('64:ff9b::a00:1'), '10.0.0.0/8'],
  ['[64:ff9b:1::8.8.8.8]', to('64:ff9b:1::808:808'), '64:ff9b:1::/48'],
  ['127.0.0.1', 'loopback', '10.0.0.0/8'],
  ['127.0.0.1', 'loopback', '::/0'],
  ['[::1]', 'loopback', '0.0.0.0/0'],
  ['[::ffff:127.0.0.1]', 'loopback', '::/0'],
];

const everything = '0.0.0.0/0,::/0';
const neverOpened: readonly Row[] = [
  ['169.254.169.254', 'metadata', everything],
  ['169.254.169.254', 'metadata', '169.254.169.254'],
  ['0xa9fea9fe', 'metadata', everything],
  ['[::ffff:169.254.169.254]', 'metadata', everything],
  ['[64:ff9b:1:a9fe:a9:fe00::]', 'metadata', everything],
  ['[64:ff9b:1::169.254.169.254]', 'metadata', everything],
  ['100.100.100.200', 'metadata', '100.64.0.0/10'],
  ['168.63.129.16', 'metadata', everything],
  ['192.0.0.192', 'metadata', '192.0.0.0/24'],
  ['[fd00:ec2::254]', 'metadata', 'fd00::/8'],
  ['169.254.1.1', 'link_local', '169.254.0.0/16'],
  ['[fe80::1]', 'link_local', 'fe80::/10'],
  ['0.0.0.0', 'unspecified', everything],
  ['[::]', 'unspecified', everything],
  ['224.0.0.1', 'multicast', everything],
  ['255.255.255.255', 'reserved', everything],
  ['[2001::1]', 'reserved', everything],
];

const names: Names = {
  'inside.example': [['127.0.0.1']],
  'outside.example': [['93.184.216.34']],
  'outside.example.': [['93.184.216.34']],
  'xn--bcher-kva.example': [['93.184.216.34']],
  'half.example': [['93.184.216.34', '127.0.0.1']],
  'other-half.example': [['127.0.0.1', '93.184.216.34']],
  'disguised.example': [['::ffff:7f00:1']],
  'odd.example': [['93.184.216.34', '0177.0.0.1']],
  localhost: [['::1', '127.0.0.1']],
  'metadata.google.internal': [['169.254.169.254']],
  'metadata.google.internal.': [['169.254.169.254']],
  'instance-data.ec2.internal': [['fd00:ec2::254']],
  '127.0.0.1.outside.example': [['127.0.0.1']],
};

const named: readonly Row[] = [
  ['inside.example', 'loopback'],
  ['INSIDE.Example', 'loopback'],
  ['ｉｎｓｉｄｅ.example', 'loopback'],
  ['inside%2Eexample', 'loopback'],
  ['inside.example', to('127.0.0.1'), '127.0.0.0/8'],
  ['outside.example', to('93.184.216.34')],
  ['outside.example.', to('93.184.216.34')],
  ['bücher.example', to('93.184.216.34')],
  ['half.example', 'loopback'],
  ['other-half.example', 'loopback'],
  ['half.example', to('93.184.216.34'), '127.0.0.0/8'],
  ['disguised.example', 'loopback'],
  ['odd.example', 'reserved', everything],
  ['localhost', 'loopback'],
  ['localhost', 'loopback', '127.0.0.0/8'],
  ['localhost', to('::1'), '127.0.0.0/8,::1/128'],
  ['metadata.google.internal', 'metadata', everything],
  ['metadata.google.internal.', 'metadata', everything],
  ['instance-data.ec2.internal', 'metadata', everything],
  ['127.0.0.1.outside.example', 'loopback'],
];

const groups: Readonly<Record<string, readonly Row[]>> = {
  'loopback in every spelling': spellingsOfLoopback,
  'other addresses': otherAddresses,
  'public addresses': publicAddresses,
  'what WEBHOOK_ALLOWED_CIDRS opens': opened,
  'what it never opens': neverOpened,
  names: named,
};

const title = ([host, expected, allow]: Row) =>
  `${host} ${typeof expected === 'string' ? `is refused: ${expected}` : `leads to ${expected.to}`}${allow ? `, with ${allow}` : ''}`;

describe.each(Object.entries(groups))('%s', (_, rows) => {
  it.each(rows.map((row) => [title(row), row] as const))('%s', async (__, [host, expected, allow]) => {
    if (typeof expected === 'string') await isRefused(host, expected, allow);
    else await leadsTo(host, expected.to, allow);
  });
});

/** The listener is where a socket to 127.0.0.1 would end, had one been opened. */
async function isRefused(host: string, refusal: EgressRefusal, allow = '') {
  await using trap = await startReceiver();
  await using client = startClient({ names, allow });
  using sockets = watchSockets();
  const url = `http://${host}:${trap.port}/hook`;
  const error = await client.post(url).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EgressRefusedError);
  expect(error).toMatchObject({ code: 'EGRESS_REFUSED', refusal });
  expect(await client.guard.check(url)).toMatchObject({ ok: false, refusal });
  expect({ sockets: sockets.opened.length, ...trap.seen }).toEqual({
    sockets: 0,
    connections: 0,
    requests: 0,
  });
}

/** 127.0.0.1 is really connected to; other addresses are dialled, and the socket goes to the listener instead. */
async function leadsTo(host: string, address: string, allow = '') {
  await using receiver = await startReceiver();
  const real = address === '127.0.0.1';
  await using client = startClient({ names, allow, ...(real ? {} : { instead: receiver.port }) });
  using sockets = watchSockets();
  const url = `http://${host}:${receiver.port}/hook`;
  expect(await client.post(url)).toBe(204);
  expect(await client.guard.check(url)).toEqual({ ok: true });
  expect(client.dialled).toEqual(real ? [] : [address]);
  expect({ sockets: sockets.opened.length, ...receiver.seen }).toEqual({
    sockets: 1,
    connections: 1,
    requests: 1,
  });
  if (real) expect(sockets.opened[0]?.remoteAddress).toBe('127.0.0.1');
}

describe('URLs that are refused before they are stored', () => {
  it.each([
    ['http://user:pass@127.0.0.1:PORT/', 'userinfo'],
    ['http://outside.example@127.0.0.1:PORT/', 'userinfo'],
    ['http://user@outside.example:PORT/', 'userinfo'],
    ['ftp://127.0.0.1:PORT/', 'scheme'],
    ['HTTP+UNIX://127.0.0.1:PORT/', 'scheme'],
    ['file:///etc/hosts', 'scheme'],
    ['127.0.0.1:PORT', 'scheme'],
    ['http://[::1%25lo]:PORT/', 'scheme'],
    ['http://127.0.0.1.1:PORT/', 'scheme'],
  ] as const)('%s: %s', async (template, refusal) => {
    await using trap = await startReceiver();
    await using client = startClient({ names, allow: '10.0.0.0/8', instead: trap.port });
    const url = template.replace('PORT', String(trap.port));
    expect(await client.guard.check(url)).toMatchObject({ ok: false, refusal });
    expect(trap.seen.connections).toBe(0);
  });

  it.each([
    'HTTP://INSIDE.EXAMPLE:PORT/',
    'http:inside.example:PORT',
    'http:\\\\inside.example:PORT\\hook',
    ' http://inside.example:PORT/ ',
    'ht\ntp://inside.exam\tple:PORT/',
  ])('%j is read as what it leads to', async (template) => {
    await using client = startClient({ names });
    expect(await client.guard.check(template.replace('PORT', '80'))).toMatchObject({ refusal: 'loopback' });
  });
});

describe('a name that changes its mind', () => {
  it('after it was checked: is refused when it is connected to', async () => {
    await using trap = await startReceiver();
    await using client = startClient({ names: { 'rebind.example': [['93.184.216.34'], ['127.0.0.1']] } });
    using sockets = watchSockets();
    const url = `http://rebind.example:${trap.port}/`;
    expect(await client.guard.check(url)).toEqual({ ok: true });
    await expect(client.post(url)).rejects.toMatchObject({ code: 'EGRESS_REFUSED', refusal: 'loopback' });
    expect({ sockets: sockets.opened.length, ...trap.seen }).toEqual({
      sockets: 0,
      connections: 0,
      requests: 0,
    });
  });

  it('between being vetted and being connected to: the vetted address is dialled, and the name is asked for once', async () => {
    await using receiver = await startReceiver((_, response) => {
      response.writeHead(204, { connection: 'close' }).end();
    });
    const lookup = scriptedLookup({ 'rebind.example': [['93.184.216.34'], ['127.0.0.1']] });
    await using client = startClient({ lookup, instead: receiver.port });
    const url = `http://rebind.example:${receiver.port}/`;
    expect(await client.post(url)).toBe(204);
    expect([client.dialled, lookup.asked]).toEqual([['93.184.216.34'], ['rebind.example']]);
    // A new connection asks again, and is refused.
    await expect(client.post(url)).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
    expect(client.dialled).toEqual(['93.184.216.34']);
    expect(receiver.seen).toEqual({ connections: 1, requests: 1 });
  });
});

describe('a receiver that redirects', () => {
  it.each([301, 302, 303, 307, 308])('%i: nobody follows', async (status) => {
    await using trap = await startReceiver();
    for (const location of ['http://169.254.169.254/latest/meta-data/', `http://127.0.0.1:${trap.port}/`]) {
      await using receiver = await startReceiver((_, response) => {
        response.writeHead(status, { location }).end();
      });
      await using client = startClient({ allow: '127.0.0.0/8' });
      using sockets = watchSockets();
      expect(await client.post(`http://127.0.0.1:${receiver.port}/`)).toBe(status);
      expect(sockets.opened.map((socket) => socket.remotePort)).toEqual([receiver.port]);
      expect(trap.seen).toEqual({ connections: 0, requests: 0 });
    }
  });
});
