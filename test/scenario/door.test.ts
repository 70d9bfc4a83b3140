// The door in front of the whole relay as its settings say, and a stop that nobody outside can hold up.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { adminKey, worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

it('lets in whom ALLOWED_CIDRS names, as TRUST_PROXY tells it', async () => {
  await using world = await place.create({
    env: {
      ALLOWED_CIDRS: '10.0.0.0/8',
      TRUST_PROXY: '127.0.0.1',
      ALLOWED_ORIGINS: 'https://overlay.example.org',
    },
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${world.url}${path}`, { headers });
  const key = { 'x-admin-key': adminKey };
  expect((await get('/v1/bots', { ...key, 'x-forwarded-for': '10.1.2.3' })).status).toBe(200);
  for (let n = 0; n < 3; n++) expect((await get('/v1/bots', key)).status).toBe(403);
  expect((await get('/v1/bots', { ...key, 'x-forwarded-for': '10.1.2.3, 203.0.113.7' })).status).toBe(403);
  expect((await get('/health')).status).toBe(200);
  // A browser that comes back from Twitch is answered, though nobody knows its state.
  expect((await get('/oauth/callback?state=x&code=y')).status).toBe(400);
  expect(world.logs.filter((line) => line.includes('203.0.113.7'))).toHaveLength(1);

  const socket = new WebSocket(`${world.url.replace('http', 'ws')}/ws/events`, {
    origin: 'https://evil.example.org',
    headers: { 'x-forwarded-for': '10.1.2.3' },
  });
  expect((await once(socket, 'close'))[0]).toBe(4403);
  const refused = new WebSocket(`${world.url.replace('http', 'ws')}/ws/events`);
  expect(String((await once(refused, 'error'))[0])).toContain('403');
});

it('says once that failed log-ins are being refused, and never what was tried', async () => {
  await using world = await place.create();
  const statuses = [];
  for (let n = 0; n < 6; n++)
    statuses.push(
      (await fetch(`${world.url}/v1/bots`, { headers: { 'x-admin-key': 'canary-of-the-door' } })).status,
    );
  expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
  const told = world.logs.filter((line) => /"level":"warn"/.test(line) && line.includes('127.0.0.1'));
  expect(told).toHaveLength(1);
  expect(world.logs.some((line) => line.includes('canary-of-the-door'))).toBe(false);
  expect((await world.call('GET', '/v1/bots', { as: 'admin' })).status).toBe(200);
});

it('a stop under load ends within its deadline, with slow requests and slow sockets', async () => {
  const deadlineMs = 10_000;
  await using world = await place.create({ env: { SHUTDOWN_TIMEOUT_SECONDS: String(deadlineMs / 1000) } });
  const bot = await world.addBot();
  const service = await world.addService();
  await world.addInterest(service, bot, 'channel.follow');
  const login = `Host: a\r\nX-Client-Id: ${service.clientId}\r\nX-Client-Secret: ${service.clientSecret}\r\n`;
  const sockets: Socket[] = [];
  const open = (text: string) => {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1', () => socket.write(text));
    socket.on('error', () => {});
    socket.pause();
    sockets.push(socket);
  };
  for (let n = 0; n < 20; n++) {
    open('GET /v1/events HTTP/1.1\r\nHost:');
    open(
      `POST /v1/interests HTTP/1.1\r\n${login}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    );
    open(`GET /v1/events?wait=30 HTTP/1.1\r\n${login}\r\n`);
    open('GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50));
    open('');
  }
  const consumers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      world.consumer(service, n % 2 ? 'relay.v1' : 'plain', {
        query: n % 2 ? { consumer: `c${n}` } : {},
        ack: false,
      }),
    ),
  );
  // Open, and deaf: neither the reconnect frame nor the close is ever read.
  for (const { ws } of consumers.slice(0, 4)) ws.pause();
  const closes = consumers.slice(4).map(({ closed }) => closed);
  await until(() => world.logs.filter((line) => line.includes('"path":"/openapi.json"')).length >= 20);

  let isOver = false;
  const stopping = world.stop().then(() => (isOver = true));
  // The relay's own time is what its deadline is about; it need not be waited for.
  const startedAt = world.clock.now();
  await until(
    async () => {
      await world.clock.advance(100);
      return isOver;
    },
    { timeoutMs: 8_000 },
  );
  await stopping;
  expect(world.clock.now() - startedAt).toBeLessThan(deadlineMs);
  expect(new Set((await Promise.all(closes)).map(({ code }) => code))).toEqual(new Set([1012]));
  const told = consumers.slice(4).flatMap(({ frames }) => frames.filter(({ type }) => type === 'reconnect'));
  expect(told).toHaveLength(3);
  expect(world.logs.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
  for (const socket of sockets) socket.destroy();
});
