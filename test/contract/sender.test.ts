// The sender's answers, requests and connections, with receivers that keep to the rules.
import { getEventListeners } from 'node:events';
import { type Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { NastyReceiver } from '../support/nasty-receiver.ts';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import {
  body,
  event,
  failed,
  guard,
  other,
  read,
  request,
  secret,
  senderRig,
  userAgent,
} from './sender-rig.ts';

const rig = senderRig();

describe('an answer', () => {
  const kinds: [number, OutcomeKind][] = [
    [200, 'success'],
    [202, 'success'],
    [204, 'success'],
    [299, 'success'],
    [300, 'redirect'],
    [304, 'redirect'],
    [400, 'client_error'],
    [401, 'client_error'],
    [404, 'client_error'],
    [409, 'client_error'],
    [410, 'gone'],
    [429, 'rate_limited'],
    [499, 'client_error'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'unavailable'],
    [504, 'server_error'],
    [599, 'server_error'],
    [600, 'protocol_error'],
    [999, 'protocol_error'],
  ];
  it.each(kinds)('%i is %s', async (status, kind) => {
    expect(await rig.replied(status)).toMatchObject({ kind, status, response: '', retryAfterMs: null });
  });

  it('is told with its text, its time and how long it took', async () => {
    await using receiver = await Receiver.start();
    receiver.reply = async () => {
      await rig.clock.advance(1_500);
      return { status: 400, body: 'no such thing: Zoë' };
    };
    const startedAt = rig.clock.now();
    const outcome = await rig.send(rig.start(), receiver.url());
    expect(outcome).toMatchObject({ kind: 'client_error', response: 'no such thing: Zoë' });
    expect(outcome.startedAt - startedAt).toBeLessThan(500);
    expect(outcome.durationMs).toBeGreaterThanOrEqual(1_500);
    expect(outcome.durationMs).toBeLessThan(10_000);
  });

  it('took no longer than it may take, and no less than nothing, whatever is done to the clock', async () => {
    await using receiver = await Receiver.start();
    for (const [byMs, durationMs] of [
      [-3_600_000, 0],
      [50 * 365 * 86_400_000, 15_000],
    ] as const) {
      const clock: Clock = { ...systemClock, now: () => nowMs };
      let nowMs = rig.clock.now();
      receiver.reply = () => {
        nowMs += byMs;
        return 200;
      };
      expect(await rig.send(rig.start({ clock }), receiver.url())).toMatchObject({
        kind: 'success',
        durationMs,
      });
    }
  });

  it('may say when to come back, with 429 and 503 alone, in seconds or as a date', async () => {
    const after = (status: number, value: string) =>
      rig.replied({ status, headers: { 'retry-after': value } }).then(({ retryAfterMs }) => retryAfterMs);
    expect(await after(429, '120')).toBe(120_000);
    expect(await after(503, '3')).toBe(3_000);
    expect(await after(500, '120')).toBeNull();
    expect(await after(200, '120')).toBeNull();
    expect(await after(429, 'soon')).toBeNull();
    rig.clock.jump(3_600_000);
    const date = new Date(rig.clock.now() + 90_000).toUTCString();
    expect(await after(503, date)).toBeGreaterThan(80_000);
    expect(await after(503, date)).toBeLessThanOrEqual(90_000);
  });

  it('that sends elsewhere is not followed', async () => {
    await using target = await NastyReceiver.start(() => undefined);
    for (const status of [301, 302, 303, 307, 308])
      expect(await rig.replied({ status, headers: { location: target.url() } })).toMatchObject({
        kind: 'redirect',
        status,
      });
    expect(target.connections).toBe(0);
  });

  it('may come after interim ones', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n';
    const final = 'HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok';
    expect(await rig.treated((socket) => socket.write(interim + final))).toMatchObject({
      kind: 'success',
      status: 202,
      response: 'ok',
    });
  });

  it('is kept as text that can be stored: 4 KiB, valid, no NUL, no half character', async () => {
    const long = await rig.replied({ status: 500, body: 'ü'.repeat(5_000) });
    expect(long.response).toBe('ü'.repeat(2_048));
    const odd = await rig.replied({ status: 500, body: `x${'ü'.repeat(5_000)}` });
    expect(odd.response).toBe(`x${'ü'.repeat(2_047)}`);

    const bytes = Buffer.from([0x61, 0x00, 0xff, 0xc3, 0x62]);
    const broken = await rig.treated((socket) => {
      socket.write('HTTP/1.1 500 No\r\ncontent-length: 5\r\n\r\n');
      socket.write(bytes);
    });
    expect(broken.response).toBe('a\uFFFD\uFFFD\uFFFDb');

    const grown = await rig.treated((socket) => {
      socket.write('HTTP/1.1 500 No\r\ncontent-length: 4096\r\n\r\n');
      socket.write(Buffer.alloc(4_096, 0xff));
    });
    expect(Buffer.byteLength(grown.response ?? '')).toBeLessThanOrEqual(4_096);
    expect(grown.response).toMatch(/^\uFFFD+$/);
  });

  it('is kept without secrets, whole or cut off, ours or others', async () => {
    const key = secret.slice('whsec_'.length);
    const foreign = 'whsec_bm90IG91cnMgYnV0IGEgc2VjcmV0IQ==';
    const escaped = JSON.stringify({ secret: 'whsec_ab/cd+ef==' }).replaceAll('/', '\\/');
    const texts = [
      `bad signature, expected ${secret}`,
      `key ${key} of ${foreign}, ${secret}`,
      escaped,
      'x'.repeat(4_096 - 20) + secret,
      'x'.repeat(4_096 - 20) + key,
    ];
    for (const text of texts) {
      const { response } = await rig.replied({ status: 401, body: text });
      expect(response).not.toMatch(/whsec_|C2FVsBQI|bm90IG91|ab\\?\/cd|ef==/);
      expect(response).toContain('[secret removed]'.slice(0, 10));
    }
    expect(await rig.replied({ status: 401, body: texts[0] ?? '' })).toMatchObject({
      response: 'bad signature, expected [secret removed]',
    });
  });

  it('is kept without a secret that was made while it was under way', async () => {
    const made = 'bWFkZSB3aGlsZSB0aGUgcmVxdWVzdCB3YXMgdW5kZXIgd2F5';
    await using receiver = await Receiver.start();
    receiver.reply = () => ({ status: 500, body: `my key is ${made}` });
    const secretsNow = () => [`whsec_${made}`, secret];
    const outcome = await rig.send(rig.start(), receiver.url(), { secrets: [secret], secretsNow });
    expect(outcome.response).toBe('my key is [secret removed]');
  });
});

describe('a request', () => {
  it('has exactly the promised headers, path and body', async () => {
    await using nasty = await NastyReceiver.start((socket) => socket.write('HTTP/1.1 204 No\r\n\r\n'));
    rig.clock.jump(60_000);
    const before = Math.floor(rig.clock.now() / 1_000);
    await rig.send(rig.start(), nasty.url('/hook/ä?token=a%20b&c=/#part'), { attempt: 7, cursor: 'c_9' });
    const [sent] = nasty.requests;
    const lines = sent?.head.split('\r\n') ?? [];
    const timestamp = Number(/^webhook-timestamp: (\d+)$/m.exec(sent?.head ?? '')?.[1]);
    expect(timestamp - before).toBeLessThanOrEqual(1);
    const signature = new Webhook(secret).sign(event.id, new Date(timestamp * 1_000), body);
    expect(lines).toEqual([
      'POST /hook/%C3%A4?token=a%20b&c=/ HTTP/1.1',
      `host: 127.0.0.1:${nasty.port}`,
      'connection: keep-alive',
      'content-type: application/json',
      `user-agent: ${userAgent}`,
      `webhook-id: ${event.id}`,
      `webhook-timestamp: ${timestamp}`,
      `webhook-signature: ${signature}`,
      'relay-attempt: 7',
      'relay-cursor: c_9',
      `content-length: ${Buffer.byteLength(body)}`,
    ]);
    expect(sent?.body).toBe(body);
  });

  it('verifies with the official library, with the old secret and the new one', async () => {
    await using receiver = await Receiver.start();
    const sender = rig.start();
    for (const [secrets, known] of [
      [[secret], secret],
      [[other, secret], secret],
      [[other, secret], other],
    ] as const) {
      receiver.secrets = [known];
      expect(await rig.send(sender, receiver.url(), { secrets })).toMatchObject({ kind: 'success' });
    }
    expect(receiver.requests.map(({ verified }) => verified)).toEqual([true, true, true]);
    receiver.secrets = [other];
    await rig.send(sender, receiver.url(), { secrets: [secret] });
    expect(receiver.requests.at(-1)?.verified).toBe(false);
    const { headers, body: sent } = receiver.requests[0] ?? { headers: {}, body: '' };
    expect(new Webhook(secret).verify(sent, headers as Record<string, string>)).toEqual(event);
  });

  it('that cannot be signed is not sent, and the secret is not told', async () => {
    await using receiver = await Receiver.start();
    const outcome = await rig.send(rig.start(), receiver.url(), { secrets: ['whsec_tooShort'] });
    expect(outcome).toMatchObject({ kind: 'ours', status: null });
    expect(JSON.stringify(outcome)).not.toContain('tooShort');
    expect(receiver.connections).toBe(0);
  });

  it.each([
    [
      'a\r\nx-forged: 1\r\n\r\nPOST /other HTTP/1.1',
      'a%0D%0Ax-forged%3A%201%0D%0A%0D%0APOST%20%2Fother%20HTTP%2F1.1',
    ],
    ['id with blanks ', 'id%20with%20blanks%20'],
    ['Zoë 🦊', 'Zo%C3%AB%20%F0%9F%A6%8A'],
    ['half a pair \ud83e', 'half%20a%20pair%20%EF%BF%BD'],
    ['a%20b', 'a%2520b'],
    ['RYnVYFHj-9c_/+=.~', 'RYnVYFHj-9c_/+=.~'],
  ])(
    'for an event whose id is %j can be written and verifies, with that id in the body',
    async (id, sent) => {
      await using receiver = await Receiver.start();
      receiver.secrets = [secret];
      const text = JSON.stringify({ ...event, id });
      expect(await rig.send(rig.start(), receiver.url(), { id, body: text })).toMatchObject({
        kind: 'success',
      });
      const [got] = receiver.requests;
      expect([got?.headers['webhook-id'], got?.verified, got?.body]).toEqual([sent, true, text]);
      expect([receiver.requests.length, got?.headers['x-forged']]).toEqual([1, undefined]);
    },
  );

  it('whose headers cannot be written is not sent', async () => {
    await using receiver = await Receiver.start();
    const outcome = await rig.send(rig.start(), receiver.url(), { cursor: 'a\r\nb: c' });
    expect(outcome).toMatchObject(failed('ours', 'UND_ERR_INVALID_ARG'));
    expect(receiver.connections).toBe(0);
  });
});

describe('connections', () => {
  it('are kept: one for a hundred requests, one after the other', async () => {
    await using receiver = await Receiver.start();
    const sender = rig.start();
    for (let n = 0; n < 100; n++) expect((await rig.send(sender, receiver.url())).kind).toBe('success');
    expect(receiver.connections).toBe(1);
  });

  it('do not last for ever, however busy they are, so that a name is asked for again', async () => {
    await using receiver = await Receiver.start();
    const asked: string[] = [];
    const names = guard(() => Promise.resolve([{ address: '127.0.0.1' }]));
    const resolve: typeof names.resolve = (name) => {
      asked.push(name);
      return names.resolve(name);
    };
    const sender = rig.start({ guard: { ...names, resolve } });
    const url = receiver.url().replace('127.0.0.1', 'receiver.test');
    for (let n = 0; n < 1_500; n++) expect((await rig.send(sender, url)).kind).toBe('success');
    expect([receiver.connections, asked]).toEqual([2, ['receiver.test', 'receiver.test']]);
  });

  it('are as many as requests under way, and used again', async () => {
    await using receiver = await Receiver.start();
    const waiting: (() => void)[] = [];
    receiver.reply = () => new Promise((resolve) => waiting.push(() => resolve(200)));
    const sender = rig.start();
    for (let round = 1; round <= 3; round++) {
      const outcomes = Promise.all(Array.from({ length: 40 }, () => rig.send(sender, receiver.url())));
      await receiver.asked(40 * round);
      for (const answer of waiting.splice(0)) answer();
      expect((await outcomes).every(({ kind }) => kind === 'success')).toBe(true);
    }
    expect(receiver.connections).toBe(40);
  });

  it('that the receiver closes after its answer, or ends the answer with, are not used again', async () => {
    for (const answer of [
      'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\n\r\nok',
      'HTTP/1.0 200 OK\r\n\r\nok',
    ]) {
      await using nasty = await NastyReceiver.start((socket) => socket.end(answer));
      const sender = rig.start();
      for (let n = 0; n < 5; n++)
        expect(await rig.send(sender, nasty.url())).toMatchObject({ kind: 'success', response: 'ok' });
      expect(nasty.connections).toBe(5);
    }
  });

  it('that were closed while idle are replaced without a failure', async () => {
    const sockets: Socket[] = [];
    await using nasty = await NastyReceiver.start(
      (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
      { onConnection: (socket) => sockets.push(socket) },
    );
    const sender = rig.start();
    for (let n = 0; n < 10; n++) {
      expect((await rig.send(sender, nasty.url())).kind).toBe('success');
      sockets.at(-1)?.end();
      await until(() => nasty.closed === n + 1, { what: 'the idle connection to be over' });
    }
    expect(nasty.connections).toBe(10);
  });

  it('are not used again once they are too old, also when the process stood still meanwhile', async () => {
    await using receiver = await Receiver.start();
    const sender = rig.start();
    for (const [passedMs, connections] of [
      [0, 1],
      [2_000, 1],
      [4_000, 2],
    ] as const) {
      // Whatever became due meanwhile is called once, after such a halt.
      rig.clock.jump(passedMs);
      expect((await rig.send(sender, receiver.url())).kind).toBe('success');
      expect(receiver.connections).toBe(connections);
    }
  });

  it('that are reset as a request goes out on them cost that attempt, and nothing is sent again', async () => {
    await using nasty = await NastyReceiver.start((socket, _request, n) => {
      if (n % 2 === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else socket.resetAndDestroy();
    });
    const sender = rig.start();
    for (let n = 0; n < 5; n++) {
      expect((await rig.send(sender, nasty.url())).kind).toBe('success');
      expect(await rig.send(sender, nasty.url())).toMatchObject(failed('connection_reset', 'ECONNRESET'));
    }
    expect(nasty.requests).toHaveLength(10);
    expect(nasty.connections).toBe(5);
  });

  it('are closed by themselves when idle, sooner if the receiver asks for it', async () => {
    await using nasty = await NastyReceiver.start((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n'),
    );
    await rig.send(rig.start(), nasty.url());
    await until(() => nasty.closed === 1, { what: 'a connection with a hint of 1 s to be over' });
  });
});

describe('being cut off', () => {
  it('ends at once what waits for an answer, and its connection', async () => {
    await using nasty = await NastyReceiver.start(() => undefined);
    const sender = rig.start();
    const sending = Array.from({ length: 20 }, () => rig.send(sender, nasty.url()));
    await until(() => nasty.requests.length === 20);
    rig.caller.abort();
    for (const outcome of await Promise.all(sending))
      expect(outcome).toMatchObject(failed('aborted', 'stopped'));
    await until(() => nasty.open === 0);
    expect(rig.clock.pending).toBe(0);
  });

  it('does not undo a status that is there', async () => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab';
    await using nasty = await NastyReceiver.start((socket) => socket.write(answer));
    const before = read.bytes;
    const sending = rig.send(rig.start(), nasty.url());
    await until(() => read.bytes === before + answer.length);
    rig.caller.abort();
    expect(await sending).toMatchObject({ kind: 'success', response: 'ab' });
  });

  it('ends what is still connecting, and nothing arrives later', async () => {
    await using receiver = await Receiver.start();
    let found: (addresses: { address: string }[]) => void = () => undefined;
    const sender = rig.start({ guard: guard(() => new Promise((resolve) => (found = resolve))) });
    const sending = rig.send(sender, receiver.url().replace('127.0.0.1', 'receiver.test'));
    await until(() => rig.clock.pending > 0);
    rig.caller.abort();
    expect(await sending).toMatchObject({ kind: 'aborted' });
    found([{ address: '127.0.0.1' }]);
    await until(() => receiver.connections === 1 && receiver.openConnections === 0);
    expect(receiver.requests).toEqual([]);
  });

  it('beforehand sends nothing', async () => {
    await using receiver = await Receiver.start();
    const sender = rig.start();
    rig.caller.abort();
    expect(await rig.send(sender, receiver.url())).toMatchObject({ kind: 'aborted' });
    expect(receiver.connections).toBe(0);
  });

  it('of one leaves the others alone, on the same signal or another', async () => {
    await using receiver = await Receiver.start();
    receiver.reply = (_request, n) => (n === 1 ? 'hang' : 200);
    const sender = rig.start();
    const own = new AbortController();
    const hanging = sender.send(request(receiver.url()), own.signal);
    await receiver.asked(1);
    expect((await rig.send(sender, receiver.url())).kind).toBe('success');
    own.abort();
    expect((await hanging).kind).toBe('aborted');
    expect((await rig.send(sender, receiver.url())).kind).toBe('success');
    expect(getEventListeners(own.signal, 'abort')).toEqual([]);
  });
});

describe('close', () => {
  it('closes idle connections, cuts off what is under way and what is connecting, and refuses the rest', async () => {
    await using receiver = await Receiver.start();
    receiver.reply = ({ path }) => (path === '/hang' ? 'hang' : 200);
    const names = guard(() => new Promise(() => undefined));
    const sender = rig.start({
      guard: { ...guard(), resolve: (name) => (name === 'slow.test' ? names : guard()).resolve(name) },
    });
    await Promise.all(Array.from({ length: 5 }, () => rig.send(sender, receiver.url())));
    const hanging = rig.send(sender, receiver.url('/hang'));
    const connecting = rig.send(sender, 'http://slow.test/');
    await receiver.asked(6);
    expect(rig.openSockets).toBeGreaterThan(1);

    await sender.close();
    expect(rig.openSockets).toBe(0);
    expect((await hanging).kind).toBe('aborted');
    expect((await connecting).kind).toBe('aborted');
    expect(rig.clock.pending).toBe(0);
    await until(() => receiver.openConnections === 0);
    expect(await rig.send(sender, receiver.url())).toMatchObject({ kind: 'aborted' });
    await sender.close();
    expect(receiver.requests).toHaveLength(6);
  });

  it('warns of no leak, however many requests there were at once', async () => {
    const warnings: unknown[] = [];
    const onWarning = (warning: Error) => warnings.push(warning.name);
    process.on('warning', onWarning);
    await using receiver = await Receiver.start();
    const sender = rig.start();
    await Promise.all(Array.from({ length: 60 }, () => rig.send(sender, receiver.url())));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});
