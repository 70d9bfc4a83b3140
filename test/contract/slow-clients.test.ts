// Clients that dribble, stall, pile up or send what is no request: each is cut off in time, in words where it still listens,
// and nobody else notices. The times are shortened; the mechanism is the real one.
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { attachGateway, type GatewayHandle } from '../../src/delivery/gateway/index.ts';
import { openDoor } from '../../src/domain/visitor.ts';
import { listen, listenTimings, type Listener } from '../../src/http/server.ts';
import { problem as problemShape } from '../../src/protocol/rest.ts';
import { answerHeaders } from '../../src/runtime/answer-headers.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';
import { MemoryFeed, MemoryStore } from './gateway-rig.ts';

const timings = {
  headersMs: 300,
  requestMs: 500,
  keepAliveMs: 200,
  silenceMs: 600,
  checkEveryMs: 25,
  closeGraceMs: 100,
};
/** Sends slower than this are not the machine's doing. */
const lateMs = 3_000;

let listener: Listener;
let gateway: GatewayHandle;
let clock: ShiftClock;
let clients: Client[];
/** Ends the answer of /hold. */
let release: () => void;
let isHeld: boolean;

beforeEach(async () => {
  clients = [];
  isHeld = false;
  clock = new ShiftClock();
  const app = new Hono();
  const held = new Promise<void>((resolve) => (release = resolve));
  app.get('/health', (c) => c.json({ ok: true }));
  app.post('/echo', async (c) => c.text(await c.req.text().catch(() => 'cut off')));
  app.get('/hold', async (c) => {
    isHeld = true;
    await held;
    return c.text('held');
  });
  app.get('/endless', () => new Response(endless()));
  listener = await listen({ app, host: '127.0.0.1', port: 0, clock, timings, maxSockets: 0 });
  const deps = {
    feed: new MemoryFeed(),
    store: new MemoryStore(),
    clock,
    declare: async () => {},
    random: () => 0,
    door: openDoor,
  };
  gateway = attachGateway({ server: listener.server, deps });
});
afterEach(async () => {
  release();
  for (const client of clients) client.socket.destroy();
  await gateway.stop();
  await listener.close();
  expect(clock.pending).toBe(0);
});

const endless = () =>
  new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(64 * 1024));
    },
  });

interface Client {
  readonly socket: Socket;
  readonly closed: Promise<{ answer: string; afterMs: number }>;
}

/** A bare connection; what came back until it was closed, and when that was. */
function client({ reads = true } = {}): Client {
  const socket = connect(Number(new URL(listener.url).port), '127.0.0.1');
  const startedAt = performance.now();
  let answer = '';
  if (reads) socket.on('data', (data: Buffer) => (answer += data.toString('latin1')));
  socket.on('error', () => {});
  const closed = new Promise<{ answer: string; afterMs: number }>((resolve) => {
    socket.on('close', () => resolve({ answer, afterMs: performance.now() - startedAt }));
  });
  clients.push({ socket, closed });
  return { socket, closed };
}

/** One byte now and then, for as long as the connection stands. */
function dribble(socket: Socket, text: string, everyMs = 10): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(text.charAt(at++ % text.length));
  }, everyMs);
  socket.on('close', () => clearInterval(timer));
}

function expectProblem(answer: string, status: number, code: string): void {
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  for (const [name, value] of Object.entries(answerHeaders))
    expect(head.toLowerCase()).toContain(`${name}: ${value}`.toLowerCase());
  const told = problemShape.parse(JSON.parse(body));
  expect([told.status, told.code]).toEqual([status, code]);
  expect(head).toContain(`x-request-id: ${told.request_id}`);
}
const connections = () =>
  new Promise<number>((resolve) => listener.server.getConnections((_error, count) => resolve(count)));

describe('cut off with 408', () => {
  const slow: [string, string, string][] = [
    ['a request line byte by byte', 'GET /', 'x'],
    ['headers that never end', 'GET /health HTTP/1.1\r\nHost: a\r\n', 'X-A: b\r\n'],
    ['an upgrade whose headers never end', 'GET /ws/events HTTP/1.1\r\nUpgrade: websocket\r\n', 'X-A: b\r\n'],
    ['headers that stall', 'GET /health HTTP/1.1\r\nHost: a\r\n', ''],
    ['a body byte by byte', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n', 'x'],
    [
      'a chunked body byte by byte',
      'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
      '1\r\nx\r\n',
    ],
    ['a body that stalls', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc', ''],
    ['a connection on which nothing is sent', '', ''],
  ];
  test.for(slow)('%s', async ([, start, more]) => {
    const { socket, closed } = client();
    if (start !== '') socket.write(start);
    if (more !== '') dribble(socket, more);
    const { answer, afterMs } = await closed;
    expectProblem(answer, 408, 'request_timeout');
    expect(afterMs).toBeGreaterThan(timings.headersMs - 20);
    expect(afterMs).toBeLessThan(lateMs);
  });

  test('the second request of a connection as well as the first', async () => {
    const { socket, closed } = client();
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost:');
    const { answer } = await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('HTTP/1.1 408 ');
  });
});

describe('let go', () => {
  test('a connection that idles after its answer', async () => {
    const { socket, closed } = client();
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    const { answer, afterMs } = await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(afterMs).toBeGreaterThan(timings.keepAliveMs - 20);
    expect(afterMs).toBeLessThan(lateMs);
  });

  test('a client that asks and does not read', async () => {
    const { socket, closed } = client({ reads: false });
    socket.pause();
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(async () => (await connections()) === 1);
    await until(async () => (await connections()) === 0, { timeoutMs: lateMs });
    socket.resume();
    await closed;
  });

  test('five hundred connections that send nothing, while others are served', async () => {
    let accepted = 0;
    listener.server.on('connection', () => accepted++);
    const idle = Array.from({ length: 500 }, () => client());
    await until(() => accepted >= 500);
    await until(async () => (await fetch(`${listener.url}/health`)).status === 200);
    const ends = await Promise.all(idle.map(({ closed }) => closed));
    expect(Math.max(...ends.map(({ afterMs }) => afterMs))).toBeLessThan(lateMs);
  });

  test('those beyond the most that are taken', async () => {
    listener.server.maxConnections = 20;
    const taken = Array.from({ length: 20 }, () => client());
    await until(async () => (await connections()) === 20);
    const { answer } = await client().closed;
    expect(answer).toBe('');
    await Promise.all(taken.map(({ closed }) => closed));
    await until(async () => (await fetch(`${listener.url}/health`)).status === 200);
  });
});

describe('what is no request is refused in words', () => {
  const cases: [string, string, number, string][] = [
    ['nonsense', 'hello\r\n\r\n', 400, 'malformed_request'],
    ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'malformed_request'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed_request'],
    [
      'two lengths',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      400,
      'malformed_request',
    ],
    [
      'a length and chunks, as smugglers send them',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG',
      400,
      'malformed_request',
    ],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n', 400, 'malformed_request'],
    [
      'headers too large',
      `GET /health HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [
      'a request line too large',
      `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['a tunnel', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n', 405, 'method_not_allowed'],
    [
      'an expectation',
      'GET /health HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nConnection: close\r\n\r\n',
      417,
      'unknown_expectation',
    ],
  ];
  test.for(cases)('%s', async ([, text, status, code]) => {
    const { socket, closed } = client();
    socket.write(Buffer.from(text, 'latin1'));
    expectProblem((await closed).answer, status, code);
  });

  test('a tunnel that is reset while it is refused takes nobody with it', async () => {
    const { socket, closed } = client();
    socket.once('data', () => socket.resetAndDestroy());
    socket.write('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n');
    await closed;
    await until(async () => (await connections()) === 0);
    expect((await fetch(`${listener.url}/health`)).status).toBe(200);
  });

  test('nothing is written into an answer that has begun', async () => {
    const { socket, closed } = client({ reads: false });
    let answer = '';
    socket.on('data', (data: Buffer) => {
      if (answer.length < 1_000) answer += data.toString('latin1');
      if (!socket.writableEnded) socket.end('nonsense\r\n\r\n');
    });
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toContain('problem+json');
  });
});

test('closing waits for what is under way, and not for those who stall', async () => {
  const stalled = [client(), client(), client({ reads: false })];
  stalled[0]?.socket.write('GET /health HTTP/1.1\r\nHost:');
  stalled[1]?.socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  stalled[2]?.socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
  stalled[2]?.socket.pause();
  const held = fetch(`${listener.url}/hold`);
  await until(async () => isHeld && (await connections()) === 4);
  const startedAt = performance.now();
  const closing = listener.close();
  release();
  expect(await (await held).text()).toBe('held');
  await closing;
  expect(performance.now() - startedAt).toBeLessThan(timings.closeGraceMs + 2_000);
  stalled[2]?.socket.resume();
  await Promise.all(stalled.map(({ closed }) => closed));
});

test('the times of production hold together', () => {
  const { headersMs, requestMs, keepAliveMs, silenceMs, checkEveryMs } = listenTimings;
  expect(headersMs).toBeLessThan(requestMs);
  expect(checkEveryMs).toBeLessThan(headersMs);
  // A wait of 30 s, and 10 s for a read that hangs behind it, are no silence.
  expect(silenceMs).toBeGreaterThan(40_000);
  expect(keepAliveMs).toBeGreaterThan(60_000);
});
