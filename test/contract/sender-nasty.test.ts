// The sender against receivers that break the rules, cannot be reached, or take for ever.
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createEgressGuard } from '../../src/delivery/webhooks/egress/index.ts';
import type { Outcome, OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import type { EgressGuard } from '../../src/delivery/webhooks/ports.ts';
import { flood, NastyReceiver, type Behaviour } from '../support/nasty-receiver.ts';
import { Receiver } from '../support/receiver.ts';
import { selfSigned } from '../support/self-signed.ts';
import { until } from '../support/until.ts';
import { failed, guard, read, secret, senderRig } from './sender-rig.ts';

const rig = senderRig();

describe('the deadline', () => {
  /** Sends, waits until `ready`, then passes 15 s of the clock, the first 14.9 of which end nothing. */
  async function late(nasty: NastyReceiver, ready: () => boolean): Promise<Outcome> {
    let ended = false;
    const outcome = rig.send(rig.start(), nasty.url());
    void outcome.then(() => (ended = true));
    await until(ready, { what: 'the receiver to be where it hangs' });
    await rig.clock.advance(14_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    await rig.clock.advance(1_000);
    const result = await outcome;
    expect(result.durationMs).toBeGreaterThanOrEqual(15_000);
    await until(() => nasty.open === 0, { what: 'the receiver to see its socket end' });
    return result;
  }

  it('ends a request that is never answered', async () => {
    await using nasty = await NastyReceiver.start(() => undefined);
    expect(await late(nasty, () => nasty.requests.length === 1)).toMatchObject(
      failed('timeout', 'no answer'),
    );
  });

  it('ends a head that never ends', async () => {
    await using nasty = await NastyReceiver.start((socket) => socket.write('HTTP/1.1 200 OK\r\nx: '));
    expect(await late(nasty, () => nasty.requests.length === 1)).toMatchObject({
      kind: 'timeout',
      status: null,
    });
  });

  it('is not moved by a head that comes a byte at a time', async () => {
    let socket: Socket | undefined;
    await using nasty = await NastyReceiver.start((asked) => (socket = asked));
    let outcome: Outcome | undefined;
    const sending = rig.send(rig.start(), nasty.url()).then((result) => (outcome = result));
    await until(() => socket !== undefined);
    for (const byte of 'HTTP/1.1 200 OK') {
      expect(outcome).toBeUndefined();
      socket?.write(byte);
      await rig.clock.advance(1_000);
    }
    expect(await sending).toMatchObject({ kind: 'timeout', status: null });
  });

  it('cannot make a failure of a 2xx whose body comes a byte at a time, nor a success of a 500', async () => {
    for (const [status, kind] of [
      [200, 'success'],
      [500, 'server_error'],
    ] as const) {
      let socket: Socket | undefined;
      const head = `HTTP/1.1 ${status} X\r\ncontent-length: 1000\r\n\r\n`;
      const before = read.bytes;
      await using nasty = await NastyReceiver.start((asked) => {
        socket = asked;
        asked.write(head);
      });
      let outcome: Outcome | undefined;
      const sending = rig.send(rig.start(), nasty.url()).then((result) => (outcome = result));
      const headRead = before + head.length;
      await until(() => read.bytes === headRead);
      for (let n = 1; n <= 15; n++) {
        expect(outcome).toBeUndefined();
        socket?.write('x');
        await until(() => read.bytes === headRead + n);
        await rig.clock.advance(1_000);
      }
      expect(await sending).toMatchObject({ kind, status, response: 'x'.repeat(15) });
      await until(() => nasty.open === 0);
    }
  });

  it('is 5 s for the connection: TCP that nobody takes, TLS that nobody speaks, a silent name server', async () => {
    await using silent = await NastyReceiver.start(() => undefined);
    const tls = rig.send(rig.start(), silent.url().replace('http:', 'https:'));
    await until(() => silent.connections === 1);
    await rig.clock.advance(5_000);
    expect(await tls).toMatchObject(failed('connect_timeout', 'TLS'));
    await until(() => silent.open === 0);

    const sender = rig.start({ guard: guard(() => new Promise(() => undefined)) });
    const names = rig.send(sender, 'http://receiver.test/');
    await rig.clock.advance(5_000);
    expect(await names).toMatchObject(failed('ours', 'name server'));
  });
});

describe('a huge answer', () => {
  it('is read up to 64 KiB, then the connection is dropped; the status counts', async () => {
    const total = 10 * 1024 * 1024;
    let socket: Socket | undefined;
    await using nasty = await NastyReceiver.start((asked) => {
      socket = asked;
      asked.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
      flood(asked, total);
    });
    const outcome = await rig.send(rig.start(), nasty.url());
    expect(outcome).toMatchObject({ kind: 'success', status: 200, response: 'x'.repeat(4_096) });
    await until(() => nasty.open === 0, { what: 'the receiver to see its socket end' });
    expect(socket?.bytesWritten).toBeLessThan(total);
  });

  it('of just 64 KiB leaves the connection as it is', async () => {
    await using receiver = await Receiver.start();
    receiver.reply = () => ({ status: 200, body: 'x'.repeat(65_536) });
    const sender = rig.start();
    for (let n = 0; n < 3; n++) expect((await rig.send(sender, receiver.url())).kind).toBe('success');
    expect(receiver.connections).toBe(1);
    receiver.reply = () => ({ status: 200, body: 'x'.repeat(65_537) });
    for (let n = 0; n < 3; n++) expect((await rig.send(sender, receiver.url())).kind).toBe('success');
    expect(receiver.connections).toBe(3);
  });

  it('in its head is no HTTP that is understood here', async () => {
    const outcome = await rig.treated((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      flood(socket, 1024 * 1024);
    });
    expect(outcome).toMatchObject(failed('protocol_error', 'UND_ERR_HEADERS_OVERFLOW'));
  });
});

describe('a broken answer', () => {
  const nasty: [string, Behaviour, OutcomeKind, string][] = [
    ['reset before the head', (socket) => socket.resetAndDestroy(), 'connection_reset', 'ECONNRESET'],
    [
      'reset within the head',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nx: y', () => socket.resetAndDestroy()),
      'connection_reset',
      'before an answer',
    ],
    ['closed without an answer', (socket) => socket.end(), 'connection_reset', 'UND_ERR_SOCKET'],
    [
      'closed within the head',
      (socket) => socket.end('HTTP/1.1 200 O'),
      'connection_reset',
      'UND_ERR_SOCKET',
    ],
    [
      'closed after an interim answer',
      (socket) => socket.end('HTTP/1.1 102 Processing\r\n\r\n'),
      'connection_reset',
      'UND_ERR_SOCKET',
    ],
    ['no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), 'protocol_error', 'HTTP/1.1'],
    ['binary', (socket) => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 70])), 'protocol_error', 'HTTP/1.1'],
    [
      'a header that is none',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nno colon\r\n\r\n'),
      'protocol_error',
      'HTTP/1.1',
    ],
    [
      '100 that nobody asked for',
      (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
      'protocol_error',
      'UND_ERR_SOCKET',
    ],
    [
      '101 that nobody asked for',
      (socket) => socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
      'protocol_error',
      'UND_ERR_SOCKET',
    ],
  ];
  it.each(nasty)('%s', async (_name, behave, kind, code) => {
    expect(await rig.treated(behave)).toMatchObject(failed(kind, code));
  });

  it('within the body does not matter: the status was there', async () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc';
    const badChunk = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense';
    for (const behave of [
      (socket: Socket) => void socket.write(head, () => setImmediate(() => socket.resetAndDestroy())),
      (socket: Socket) => void socket.end(head),
      (socket: Socket) => void socket.write(badChunk),
    ])
      expect(await rig.treated(behave)).toMatchObject({ kind: 'success', status: 200, response: 'abc' });
  });

  it('within the body does not show the start of a key that stood there', async () => {
    const key = secret.slice('whsec_'.length);
    const head = 'HTTP/1.1 401 No\r\ncontent-length: 100\r\n\r\n';
    const { response } = await rig.treated((socket) => void socket.end(`${head}not ${key.slice(0, -1)}`));
    expect(response).toBe('not [secret removed]');
  });
});

describe('no connection', () => {
  const rejecting = (code: string): EgressGuard =>
    guard(() => Promise.reject(Object.assign(new Error(`getaddrinfo ${code} receiver.test`), { code })));

  it('where nobody listens', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    await new Promise((resolve) => server.close(resolve));
    expect(await rig.send(rig.start(), `http://127.0.0.1:${port}/secret-path`)).toMatchObject(
      failed('connection_refused', 'ECONNREFUSED'),
    );
  });

  it.each([
    ['ENOTFOUND', 'dns_failed'],
    ['EAI_AGAIN', 'ours'],
    ['EMFILE', 'ours'],
    ['ENETUNREACH', 'ours'],
  ] as const)('for a name whose look-up gives %s: %s', async (code, kind) => {
    const outcome = await rig.send(rig.start({ guard: rejecting(code) }), 'http://receiver.test/secret-path');
    expect(outcome).toMatchObject(failed(kind, code));
    expect(outcome.response).not.toMatch(/receiver\.test|secret-path/);
  });

  it('to an address that may not be called, and not a packet to it', async () => {
    await using receiver = await Receiver.start();
    const closed = createEgressGuard({ allowedCidrs: [] });
    expect(await rig.send(rig.start({ guard: closed }), receiver.url())).toMatchObject(
      failed('egress_refused', '127.0.0.1'),
    );
    expect(receiver.connections).toBe(0);
  });

  it.each(['ftp://127.0.0.1/', 'http://user:pass@127.0.0.1/', 'nonsense', ''])('for %j', async (url) => {
    expect(await rig.send(rig.start(), url)).toMatchObject(failed('egress_refused', 'http'));
  });
});

describe('over TLS', () => {
  const tls = { tls: true };
  const ok: Behaviour = (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');

  it('is sent to a certificate that is vouched for, and the connection is kept', async () => {
    await using nasty = await NastyReceiver.start(ok, tls);
    const sender = rig.start({ tls: { ca: selfSigned.cert } });
    for (let n = 0; n < 10; n++)
      expect(await rig.send(sender, nasty.url('/', 'receiver.test'))).toMatchObject({
        kind: 'success',
        response: 'ok',
      });
    expect(nasty.connections).toBe(1);
  });

  it('is not sent to a certificate that nobody vouches for, nor to that of another name', async () => {
    await using nasty = await NastyReceiver.start(ok, tls);
    expect(await rig.send(rig.start(), nasty.url())).toMatchObject(
      failed('tls_failed', 'DEPTH_ZERO_SELF_SIGNED_CERT'),
    );
    expect(
      await rig.send(rig.start({ tls: { ca: selfSigned.cert } }), nasty.url('/', 'elsewhere.test')),
    ).toMatchObject(failed('tls_failed', 'ERR_TLS_CERT_ALTNAME_INVALID'));
    expect(nasty.requests).toEqual([]);
  });

  it('is not sent to where plain HTTP is spoken', async () => {
    await using receiver = await Receiver.start();
    expect(await rig.send(rig.start(), receiver.url().replace('http:', 'https:'))).toMatchObject({
      kind: 'tls_failed',
      status: null,
    });
  });

  it('and plain HTTP to where TLS is spoken fails as no HTTP', async () => {
    await using nasty = await NastyReceiver.start(ok, tls);
    expect(await rig.send(rig.start(), nasty.url().replace('https:', 'http:'))).toMatchObject({
      kind: expect.stringMatching(/^(protocol_error|connection_reset)$/) as string,
      status: null,
    });
    expect(nasty.requests).toEqual([]);
  });
});
