// Why and how the gateway closes a connection: every code of PROTOCOL §4, heartbeats, slow readers, drain and stop.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { TestClient, eventually, loginHeaders, plainClient, relayClient, seqsOf } from './gateway-client.ts';
import { cursorOf, service, startRig } from './gateway-rig.ts';
import type { Rig } from './gateway-rig.ts';
import { encodeCursor } from '../../src/domain/cursor.ts';

const malformed: [string, (client: TestClient) => void][] = [
  ['no JSON', (client) => client.send('{"type":')],
  ['no object', (client) => client.send('[1]')],
  ['no type', (client) => client.send({ cursor: cursorOf(1) })],
  ['a type that is no text', (client) => client.send({ type: 7 })],
  ['binary', (client) => client.ws.send(Buffer.from('{"type":"ack"}'))],
  ['ack without a cursor', (client) => client.send({ type: 'ack' })],
  ['ack of garbage', (client) => client.ack('garbage')],
  ['ack of another log', (client) => client.ack(encodeCursor('otherlog', 1))],
  ['ack beyond what was sent', (client) => client.ack(cursorOf(3))],
  ['an oversized message', (client) => client.send({ type: 'x', pad: 'x'.repeat(70_000) })],
];

test.for(malformed)('4400: %s', async ([, send]) => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  rig.feed.append(2);
  await client.until('events', () => client.events().length === 2);
  send(client);
  expect((await client.closing()).code).toBe(4400);
  expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'malformed_frame', reconnect: false });
  await eventually('saved', () => rig.store.rows.get('default')?.open === false);
  expect(rig.store.rows.get('default')).toMatchObject({ ackedSeq: 0, sentSeq: 2 });
});

test('types that nobody knows are ignored', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  client.send({ type: 'subscribe', what: 'ever' });
  rig.feed.append(1);
  await client.until('event', () => client.events().length === 1);
});

test('4408 after 60 s with events outstanding and no acknowledgement; then it resumes', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  rig.feed.append(2);
  await client.until('events', () => client.events().length === 2);
  await pass(rig, client, 50_000);
  client.ack(cursorOf(1));
  await eventually('acked', () => rig.store.rows.get('default')?.ackedSeq === 1);
  expect(client.closed).toBeUndefined();
  await pass(rig, client, 55_000);
  expect(client.closed).toBeUndefined();
  await pass(rig, client, 10_000);
  expect((await client.closing()).code).toBe(4408);
  expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'no_progress', reconnect: true });
  using again = relayClient(rig);
  await again.hello();
  await again.until('event', () => again.events().length === 1);
  expect(again.events()[0]).toMatchObject({ attempt: 2 });
});

/** Lets time pass until the connection is closed, in steps short enough for pings to be answered. */
async function pass(rig: Rig, client: TestClient, totalMs: number): Promise<void> {
  const stepMs = 5_000;
  for (let passedMs = 0; passedMs < totalMs && !client.closed; passedMs += stepMs) {
    await rig.clock.advance(stepMs);
    await client.roundTrips();
  }
}

test.for(['plain', 'relay.v1'] as const)('4408 when a ping is not answered: %s', async (kind) => {
  await using rig = await startRig();
  using client = new TestClient(rig.port, {
    protocols: kind === 'plain' ? [] : ['relay.v1'],
    headers: loginHeaders,
    autoPong: false,
  });
  await eventually('connected', () => rig.feed.watching === 1);
  await client.opened();
  let pinged = false;
  client.ws.on('ping', () => (pinged = true));
  await rig.clock.advance(25_000);
  await eventually('ping', () => pinged);
  await rig.clock.advance(10_000);
  expect((await client.closing()).code).toBe(4408);
});

test('heartbeats when idle, and pings that are answered keep both kinds open', async () => {
  await using rig = await startRig();
  using relay = relayClient(rig);
  using plain = plainClient(rig);
  await relay.hello();
  await plain.opened();
  let pings = 0;
  relay.ws.on('ping', () => pings++);
  plain.ws.on('ping', () => pings++);
  for (let round = 1; round <= 4; round++) {
    await rig.clock.advance(25_100);
    await eventually('pings', () => pings === 2 * round);
    await relay.until('heartbeat', () => relay.of('heartbeat').length >= round);
    await Promise.all([relay.roundTrips(), plain.roundTrips()]);
  }
  expect(relay.of('heartbeat')[0]).toEqual({ type: 'heartbeat', head: cursorOf(0) });
  expect(relay.closed ?? plain.closed).toBeUndefined();
});

test('lag is told once per threshold until the consumer has caught up', async () => {
  await using rig = await startRig();
  rig.feed.retentionMs = 100_000;
  using client = relayClient(rig, { max_in_flight: '1' });
  await client.hello();
  rig.feed.append(1, { receivedAt: rig.clock.now() - 55_000 });
  await client.until('first', () => client.of('lag').length === 1);
  expect(client.of('lag')[0]).toMatchObject({ behind_events: 1 });
  rig.feed.append(1, { receivedAt: rig.clock.now() - 60_000 });
  rig.feed.append(1, { receivedAt: rig.clock.now() - 96_000 });
  client.ack(cursorOf(1));
  client.ack(cursorOf(1));
  await client.until('second', () => client.events().length === 2);
  client.ack(cursorOf(2));
  await client.until('third', () => client.events().length === 3);
  await client.until('lag', () => client.of('lag').length === 2);
});

test('4410 for a stored position that was removed, naming the floor; and the choices', async () => {
  await using rig = await startRig();
  rig.feed.append(10);
  const row = {
    serviceAccountId: service.id,
    ackedSeq: 2,
    sentSeq: 2,
    attempt: 1,
    open: false,
    updatedAt: 1e12,
  };
  for (const name of ['default', 'early', 'live']) rig.store.rows.set(name, { ...row, name });
  rig.feed.floor = 6;
  using rejected = relayClient(rig);
  expect((await rejected.closing()).code).toBe(4410);
  expect(rejected.frames).toMatchObject([{ type: 'error', code: 'cursor_expired', reconnect: false }]);
  expect(JSON.stringify(rejected.frames)).toContain(cursorOf(6));
  expect(rig.store.rows.get('default')).toMatchObject({ ackedSeq: 2, open: false });
  expect(rig.declared).toHaveLength(0);

  using early = relayClient(rig, { consumer: 'early', on_expired: 'earliest' });
  expect(await early.hello()).toMatchObject({ position: cursorOf(6), resumed: true });
  await early.until('events', () => early.events().length === 5);
  expect(early.events().at(-1)).toMatchObject({
    event: { type: 'relay.gap', event: { cause: 'retention', consumer: 'early' } },
  });
  expect(rig.declared).toHaveLength(1);

  using live = relayClient(rig, { consumer: 'live', on_expired: 'live' });
  expect(await live.hello()).toMatchObject({ position: cursorOf(11) });
  await live.until('gap', () => live.events().length === 1);
  expect(live.events()[0]).toMatchObject({ event: { type: 'relay.gap', event: { consumer: 'live' } } });
});

test('`after` moves the consumer, also back, and is free to choose the way out of an expired one', async () => {
  await using rig = await startRig();
  rig.feed.append(6);
  using client = relayClient(rig);
  await client.hello();
  using back = relayClient(rig, { after: cursorOf(3) });
  expect(await back.hello()).toMatchObject({ position: cursorOf(3), resumed: true });
  await back.until('events', () => back.events().length === 3);
  expect(seqsOf(back.events())).toEqual([4, 5, 6]);
  rig.feed.floor = 5;
  using moved = relayClient(rig, { after: cursorOf(1), on_expired: 'earliest' });
  expect(await moved.hello()).toMatchObject({ position: cursorOf(5) });
  expect(rig.declared).toHaveLength(1);
});

test('retention that overtakes an open connection ends it in words', async () => {
  await using rig = await startRig();
  using relay = relayClient(rig, { max_in_flight: '2' });
  using patient = relayClient(rig, { consumer: 'p', max_in_flight: '2', on_expired: 'earliest' });
  using plain = plainClient(rig);
  await relay.hello();
  await patient.hello();
  await eventually('connected', () => rig.feed.watching === 3);
  rig.feed.append(5);
  await relay.until('window', () => relay.events().length === 2);
  await patient.until('window', () => patient.events().length === 2);
  await plain.until('all', () => plain.frames.length === 5);
  rig.feed.floor = 4;
  relay.ack(cursorOf(2));
  expect((await relay.closing()).code).toBe(4410);
  patient.ack(cursorOf(2));
  expect((await patient.closing()).code).toBe(4408);
  rig.feed.floor = 6;
  rig.feed.append(1);
  expect(await plain.closing()).toEqual({ code: 4410, reason: `missed from ${cursorOf(5)}` });
});

test('a rotation without grace closes every socket of the account, and of no other', async () => {
  await using rig = await startRig();
  rig.store.tokens.set('token-1', service);
  rig.store.tokens.set('token-2', { ...service, id: 'service-2' });
  using bySecret = relayClient(rig);
  using byToken = new TestClient(rig.port, { query: { ws_token: 'token-1' } });
  using other = new TestClient(rig.port, { query: { ws_token: 'token-2' } });
  await eventually('connected', () => rig.feed.watching === 3);
  rig.store.emit({ kind: 'service', serviceAccountId: service.id, what: 'secret', previousValidUntil: null });
  expect((await bySecret.closing()).code).toBe(4401);
  expect((await byToken.closing()).code).toBe(4401);
  await other.opened();
  expect(other.closed).toBeUndefined();
});

test('with a grace the old sockets stay until it ends, and new ones stay on', async () => {
  await using rig = await startRig();
  rig.store.tokens.set('token-1', service);
  using old = plainClient(rig);
  using byToken = new TestClient(rig.port, { query: { ws_token: 'token-1' } });
  await eventually('connected', () => rig.feed.watching === 2);
  const validUntil = rig.clock.now() + 20_000;
  rig.store.previousValidUntil = validUntil;
  rig.store.secrets.set('secret-2', service.clientId);
  rig.store.emit({
    kind: 'service',
    serviceAccountId: service.id,
    what: 'secret',
    previousValidUntil: validUntil,
  });
  using renewed = new TestClient(rig.port, { headers: { ...loginHeaders, 'x-client-secret': 'secret-2' } });
  await eventually('connected', () => rig.feed.watching === 3);
  await rig.clock.advance(15_000);
  expect(old.closed ?? byToken.closed ?? renewed.closed).toBeUndefined();
  rig.store.secrets.delete('secret-1');
  rig.store.previousValidUntil = null;
  await rig.clock.advance(5_100);
  expect((await old.closing()).code).toBe(4401);
  expect((await byToken.closing()).code).toBe(4401);
  await renewed.opened();
  expect(renewed.closed).toBeUndefined();
});

test('a disabled account is closed with 4403, a removed one with 4401', async () => {
  await using rig = await startRig();
  using first = relayClient(rig);
  await first.hello();
  rig.store.emit({ kind: 'service', serviceAccountId: service.id, what: 'disabled' });
  expect((await first.closing()).code).toBe(4403);
  using second = relayClient(rig);
  await second.hello();
  rig.store.emit({ kind: 'service', serviceAccountId: service.id, what: 'removed' });
  expect((await second.closing()).code).toBe(4401);
});

/** A plain client on a bare socket, to stop reading for good. */
async function deafClient(rig: Rig): Promise<Socket> {
  const socket = connect(rig.port, '127.0.0.1');
  const lines = [
    'GET /ws/events HTTP/1.1',
    'host: relay',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ...Object.entries(loginHeaders).map(([name, value]) => `${name}: ${value}`),
  ];
  const watching = rig.feed.watching;
  socket.on('error', () => {});
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await eventually('connected', () => rig.feed.watching === watching + 1);
  socket.pause();
  return socket;
}

test('1013 for a plain socket that does not drain; the others get everything meanwhile', async () => {
  await using rig = await startRig();
  const body = `"subscription":null,"event":{"n":1,"pad":"${'x'.repeat(20_000)}"}`;
  const deaf = await deafClient(rig);
  using good = plainClient(rig);
  using relay = relayClient(rig, { max_in_flight: '4096' });
  await relay.hello();
  await good.opened();
  rig.feed.append(1000, { body });
  await good.until('all', () => good.frames.length === 1000);
  await relay.until('all', () => relay.events().length === 1000);
  relay.ack(cursorOf(1000));
  const sent = rig.gateway.stats().eventsSent.plain;
  expect(sent).toBeLessThan(2000);
  await rig.clock.advance(29_000);
  expect(rig.gateway.stats().closes.get(1013)).toBeUndefined();
  expect(rig.gateway.stats().connections.plain).toBe(2);
  await rig.clock.advance(2_000);
  const received: Buffer[] = [];
  deaf.on('data', (chunk) => received.push(chunk));
  deaf.resume();
  const tail = () => Buffer.concat(received).toString('latin1').slice(-200);
  await eventually('told', () => tail().includes('missed from '));
  // It never answers the close frame, so it is cut.
  await rig.clock.advance(5_000);
  await eventually('closed', () => rig.gateway.stats().connections.plain === 1);
  expect(rig.gateway.stats().closes.get(1013)).toBe(1);
  deaf.destroy();
});

test('a relay.v1 client that stops reading costs no more than its window and the mark', async () => {
  await using rig = await startRig();
  using client = relayClient(rig, { max_in_flight: '4096' });
  await client.hello();
  client.ws.pause();
  rig.feed.append(3000, { body: `"subscription":null,"event":{"n":1,"pad":"${'x'.repeat(20_000)}"}` });
  let before = -1;
  await eventually('stalled', () => {
    const sent = rig.gateway.stats().eventsSent['relay.v1'];
    const stalled = sent > 0 && sent === before;
    before = sent;
    return stalled;
  });
  expect(before).toBeLessThan(3000);
  client.ws.resume();
  await client.until('all', () => client.events().length === 3000);
});

test('drain: told, spread out, closed with 1012, and nobody gets in meanwhile', async () => {
  let at = 0;
  await using rig = await startRig({}, () => [0.1, 0.9][at++ % 2] ?? 0.5);
  using relay = relayClient(rig);
  using late = relayClient(rig, { consumer: 'late' });
  using plain = plainClient(rig);
  await relay.hello();
  await late.hello();
  await plain.opened();
  rig.feed.append(2);
  await late.until('events', () => late.events().length === 2);
  const drained = rig.gateway.drain({ withinMs: 10_000, reason: 'upgrade' });
  await relay.until('told', () => relay.of('reconnect').length === 1);
  await late.until('told', () => late.of('reconnect').length === 1);
  const dates = [relay, late].map((client) => client.of('reconnect')[0]?.['in_ms']);
  expect(new Set(dates)).toEqual(new Set([1_000, 9_000]));
  expect(relay.of('reconnect')[0]).toMatchObject({ reason: 'upgrade' });
  late.ack(cursorOf(2));
  using refused = relayClient(rig);
  await refused.until('refused', () => refused.error !== undefined);
  expect(refused.error?.message).toContain('503');
  await eventually('acked', () => rig.store.rows.get('late')?.ackedSeq === 2);
  await rig.clock.advance(10_000);
  for (const client of [relay, late, plain]) expect((await client.closing()).code).toBe(1012);
  await drained;
  expect(rig.store.rows.get('late')).toMatchObject({ open: false, ackedSeq: 2 });
});

test('a final drain closes with 1001', async () => {
  await using rig = await startRig();
  using relay = relayClient(rig);
  await relay.hello();
  const drained = rig.gateway.drain({ withinMs: 0, reason: 'bye', final: true });
  await rig.clock.advance(10);
  expect((await relay.closing()).code).toBe(1001);
  await drained;
});

test('stop closes everything with 1001, saves positions and leaves nothing, deaf clients included', async () => {
  await using rig = await startRig();
  using relay = relayClient(rig);
  using plain = plainClient(rig);
  await relay.hello();
  await plain.opened();
  const deaf = await deafClient(rig);
  rig.feed.append(1);
  await relay.until('event', () => relay.events().length === 1);
  await rig.gateway.stop();
  expect((await relay.closing()).code).toBe(1001);
  expect((await plain.closing()).code).toBe(1001);
  expect(rig.store.rows.get('default')).toMatchObject({ open: false, sentSeq: 1 });
  expect(rig.server.listenerCount('upgrade')).toBe(0);
  deaf.destroy();
});
