// The door: log-in in all its ways, and what is refused before the upgrade, by real requests to a real server.
import { request } from 'node:http';
import { expect, test } from 'vitest';
import {
  TestClient,
  eventually,
  loginHeaders,
  plainClient,
  rawUpgrade,
  relayClient,
} from './gateway-client.ts';
import type { ClientConfig } from './gateway-client.ts';
import { cursorOf, secret, service, startRig } from './gateway-rig.ts';
import { problem } from '../../src/protocol/rest.ts';
import { encodeCursor } from '../../src/domain/cursor.ts';
import { upgradeRequired } from '../../src/delivery/gateway/index.ts';

const goodWays: [string, ClientConfig][] = [
  ['headers', { headers: loginHeaders }],
  ['Authorization', { headers: { authorization: 'Bearer token-1' } }],
  ['subprotocol', { protocols: ['relay.v1', 'bearer.token-1'] }],
  ['query with a secret', { query: { client_id: service.clientId, client_secret: secret } }],
  ['query with a token', { query: { ws_token: 'token-1' } }],
];

test.for(goodWays)('logs in by %s', async ([, config]) => {
  await using rig = await startRig();
  rig.store.tokens.set('token-1', service);
  using client = new TestClient(rig.port, { protocols: ['relay.v1'], ...config });
  await client.hello();
  expect(client.ws.protocol).toBe('relay.v1');
  expect(rig.store.touched).toBe(1);
});

const badWays: [string, ClientConfig][] = [
  ['nothing', {}],
  ['a wrong secret in headers', { headers: { ...loginHeaders, 'x-client-secret': 'no' } }],
  ['half of the headers', { headers: { 'x-client-id': service.clientId } }],
  ['a wrong bearer token', { headers: { authorization: 'Bearer no' } }],
  ['a wrong token in the subprotocol', { protocols: ['relay.v1', 'bearer.no'] }],
  ['a wrong secret in the query', { query: { client_id: service.clientId, client_secret: 'no' } }],
  ['a wrong token in the query', { query: { ws_token: 'no' } }],
  // First match decides: good credentials further down do not help.
  [
    'wrong headers before a good query',
    {
      headers: { 'x-client-id': 'x', 'x-client-secret': 'y' },
      query: { client_id: service.clientId, client_secret: secret },
    },
  ],
];

test.for(badWays)('accepts the upgrade and closes with 4401: %s', async ([, config]) => {
  await using rig = await startRig();
  using relay = new TestClient(rig.port, { protocols: ['relay.v1'], ...config });
  expect((await relay.closing()).code).toBe(4401);
  expect(relay.frames).toHaveLength(1);
  expect(relay.frames[0]).toMatchObject({ type: 'error', code: 'unauthorized', reconnect: false });
  const plainConfig = config.protocols ? { ...config, protocols: config.protocols.slice(1) } : config;
  using plain = new TestClient(rig.port, plainConfig);
  expect((await plain.closing()).code).toBe(4401);
  expect(plain.frames).toHaveLength(0);
});

test('a token works once', async () => {
  await using rig = await startRig();
  rig.store.tokens.set('token-1', service);
  using first = new TestClient(rig.port, { protocols: ['bearer.token-1'] });
  await first.opened();
  // A browser that offered a protocol fails the connection unless one is selected.
  expect(first.ws.protocol).toBe('bearer.token-1');
  using second = new TestClient(rig.port, { protocols: ['bearer.token-1'] });
  expect((await second.closing()).code).toBe(4401);
});

test('a disabled account and a foreign origin are closed with 4403', async () => {
  await using rig = await startRig({ allowedOrigins: ['https://console.test'] });
  using foreign = new TestClient(rig.port, { headers: { ...loginHeaders, origin: 'https://evil.test' } });
  expect((await foreign.closing()).code).toBe(4403);
  using own = new TestClient(rig.port, { headers: { ...loginHeaders, origin: 'https://console.test' } });
  await own.opened();
  rig.store.enabled = false;
  using client = relayClient(rig);
  expect((await client.closing()).code).toBe(4403);
  expect(client.frames).toMatchObject([{ type: 'error', code: 'forbidden' }]);
});

const login = `client_id=${service.clientId}&client_secret=${secret}`;
const relay = { 'sec-websocket-protocol': 'relay.v1' };
const foreignCursor = encodeCursor('otherlog', 1);

interface RefusalCase {
  readonly name: string;
  readonly target: string;
  readonly headers?: Record<string, string | undefined>;
  readonly method?: string;
  readonly status: number;
  readonly path?: string;
}

const refusals: RefusalCase[] = [
  { name: 'another path', target: '/ws/other', status: 404 },
  { name: 'a target that is none', target: '//', status: 400 },
  { name: 'no key', target: '/ws/events', headers: { 'sec-websocket-key': undefined }, status: 400 },
  { name: 'a short key', target: '/ws/events', headers: { 'sec-websocket-key': 'abc' }, status: 400 },
  { name: 'not GET', target: '/ws/events', method: 'POST', status: 400 },
  { name: 'another version', target: '/ws/events', headers: { 'sec-websocket-version': '12' }, status: 426 },
  {
    name: 'unknown subprotocol',
    target: '/ws/events',
    headers: { 'sec-websocket-protocol': 'relay.v9' },
    status: 400,
  },
  {
    name: 'subprotocols that are none',
    target: '/ws/events',
    headers: { 'sec-websocket-protocol': 'a b,' },
    status: 400,
  },
  { name: 'consumer', target: '/ws/events?consumer=a/b', headers: relay, status: 400, path: 'consumer' },
  {
    name: 'max_in_flight',
    target: '/ws/events?max_in_flight=0',
    headers: relay,
    status: 400,
    path: 'max_in_flight',
  },
  { name: 'ack', target: '/ws/events?ack=maybe', headers: relay, status: 400, path: 'ack' },
  {
    name: 'on_expired',
    target: '/ws/events?on_expired=later',
    headers: relay,
    status: 400,
    path: 'on_expired',
  },
  {
    name: 'after of relay.v1',
    target: '/ws/events?after=garbage',
    headers: relay,
    status: 400,
    path: 'after',
  },
  { name: 'after of plain', target: '/ws/events?after=garbage', status: 400, path: 'after' },
  { name: 'expired, plain', target: `/ws/events?${login}&after=${cursorOf(2)}`, status: 410 },
  {
    name: 'expired, relay.v1',
    target: `/ws/events?${login}&after=${cursorOf(2)}`,
    headers: relay,
    status: 410,
  },
  { name: 'another log', target: `/ws/events?${login}&after=${foreignCursor}`, status: 410 },
  { name: 'beyond the end', target: `/ws/events?${login}&after=${cursorOf(99)}`, status: 410 },
];

test.for(refusals)('refuses before the upgrade: $name', async ({ target, headers, method, status, path }) => {
  await using rig = await startRig();
  rig.feed.append(5);
  rig.feed.floor = 3;
  const answer = await rawUpgrade(rig.port, target, headers, method);
  expect(answer).toMatchObject({ status, upgraded: false });
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(answer.body)),
    connection: 'close',
  });
  const body = problem.parse(JSON.parse(answer.body));
  expect(body.status).toBe(status);
  if (path) expect(body.errors?.map((error) => error.path)).toEqual([path]);
  if (status === 410) expect(body['floor']).toBe(cursorOf(3));
  expect(answer.body).not.toContain(secret);
});

test('a plain handshake ignores parameters that are for relay.v1', async () => {
  await using rig = await startRig();
  const answer = await rawUpgrade(rig.port, `/ws/events?${login}&consumer=a/b`);
  expect(answer).toMatchObject({ status: 101, upgraded: true });
  expect(answer.headers).not.toHaveProperty('sec-websocket-extensions');
  expect(answer.headers).not.toHaveProperty('sec-websocket-protocol');
});

test('compression is not negotiated', async () => {
  await using rig = await startRig();
  const headers = { 'sec-websocket-extensions': 'permessage-deflate' };
  const answer = await rawUpgrade(rig.port, `/ws/events?${login}`, headers);
  expect(answer.upgraded).toBe(true);
  expect(answer.headers).not.toHaveProperty('sec-websocket-extensions');
});

test('limits: 429 for the relay as a whole, 4429 for one account', async () => {
  await using rig = await startRig({ maxConnections: 3, maxConnectionsPerService: 2 });
  using a = relayClient(rig, { consumer: 'a' });
  using b = plainClient(rig);
  await a.hello();
  await b.opened();
  using c = relayClient(rig, { consumer: 'c' });
  expect((await c.closing()).code).toBe(4429);
  expect(c.frames).toMatchObject([{ type: 'error', code: 'too_many_connections', reconnect: true }]);
  // Taking over a consumer needs no further place.
  using again = relayClient(rig, { consumer: 'a' });
  await again.hello();
  await a.closing();
  using raised = new TestClient(rig.port, {});
  await raised.closing();
  await eventually('places', () => rig.gateway.stats().connections.plain === 1);
});

test('the relay is full: 429 with Retry-After', async () => {
  await using rig = await startRig({ maxConnections: 1 });
  using a = relayClient(rig);
  await a.hello();
  const answer = await rawUpgrade(rig.port, `/ws/events?${login}`);
  expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
});

test('503 with Retry-After while the database is away', async () => {
  await using rig = await startRig();
  rig.store.away = true;
  const answer = await rawUpgrade(rig.port, `/ws/events?${login}`);
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
});

test('503 when the database does not answer in time', async () => {
  await using rig = await startRig();
  let asked = false;
  rig.store.services.authenticate = () => {
    asked = true;
    return new Promise(() => {});
  };
  const answer = rawUpgrade(rig.port, `/ws/events?${login}`);
  await eventually('asked', () => asked);
  await rig.clock.advance(10_000);
  expect(await answer).toMatchObject({ status: 503 });
});

test('a log-in that a rotation overtakes is asked again', async () => {
  await using rig = await startRig();
  const { authenticate } = rig.store.services;
  let asked = 0;
  rig.store.services.authenticate = async (clientId, clientSecret) => {
    const answer = await authenticate(clientId, clientSecret);
    if (++asked === 1) {
      rig.store.secrets.clear();
      rig.store.emit({
        kind: 'service',
        serviceAccountId: service.id,
        what: 'secret',
        previousValidUntil: null,
      });
    }
    return answer;
  };
  using client = relayClient(rig);
  expect((await client.closing()).code).toBe(4401);
  expect(asked).toBe(2);
});

test('a request that offers another upgrade is answered as if it had not', async () => {
  await using rig = await startRig();
  rig.server.removeAllListeners('request');
  rig.server.on('request', (req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => res.end(`${req.method} ${req.url} ${req.headers.upgrade ?? '-'} ${body}`));
  });
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
    const req = request({
      port: rig.port,
      host: '127.0.0.1',
      path: '/v1/x?y',
      method: 'POST',
      headers,
      agent: false,
    });
    req.on('error', reject);
    req.on('response', (res) => {
      let answer = '';
      res.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      res.on('end', () => resolve(answer));
    });
    req.end('the body');
  });
  expect(text).toBe('POST /v1/x?y - the body');
});

test('a request without any upgrade is told to upgrade', async () => {
  const answer = upgradeRequired('req-1');
  expect(answer.status).toBe(426);
  expect(answer.headers.get('upgrade')).toBe('websocket');
  expect(problem.parse(await answer.json())).toMatchObject({ code: 'upgrade_required', request_id: 'req-1' });
});
