// The gateway over the real log, fan-out and store: what the in-memory ports promise must hold for the real ones, from
// the database's rows to the socket, across a restart and across retention.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { attachGateway } from '../../src/delivery/gateway/index.ts';
import { Audience } from '../../src/fanout/audience.ts';
import { createFeed } from '../../src/fanout/feed.ts';
import { openDoor } from '../../src/domain/visitor.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import type { Database } from '../../src/store/database.ts';
import { createSealer } from '../../src/store/seal.ts';
import { createStore } from '../../src/store/store.ts';
import { testDatabase } from '../support/test-database.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { TestClient, attemptsOf, seqsOf } from './gateway-client.ts';
import { draft } from './log-fixtures.ts';

const keepMs = { chat: 24 * 3_600_000, standard: 7 * 24 * 3_600_000 };

/** Everything between the database and the socket, as the daemon puts it together. */
async function startStack(database: Database) {
  const clock = new ShiftClock();
  const store = createStore(database, createSealer([Buffer.alloc(32, 7).toString('base64')]), clock);
  const log = await openLog({ pool: database.pool });
  const tail = await openTail({ log, clock, warmSeqs: 5 });
  const reader = createReader({ log, tail });
  const audience = new Audience({ loadInterests: () => store.interests.filters() });
  await audience.reload();
  const feed = createFeed({ reader, audience, keepMs });
  const server = createServer();
  const declare = async (event: Parameters<typeof log.append>[0][number]) => void (await log.append([event]));
  const deps = { feed, store, clock, declare, random: () => 0, door: openDoor };
  const gateway = attachGateway({ server, deps });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    clock,
    store,
    log,
    audience,
    gateway,
    feed,
    port,
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await store.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      expect(clock.pending).toBe(0);
    },
  };
}

async function givenInterest(stack: Awaited<ReturnType<typeof startStack>>) {
  const { store, audience, log } = stack;
  const { bot } = await store.bots.upsert({
    name: 'bot',
    twitchUserId: '1',
    twitchLogin: 'bot',
    scopes: [],
    accessToken: 'a',
    refreshToken: null,
    expiresAt: null,
  });
  const { service, clientSecret } = await store.services.create('reader');
  const { interest } = await store.interests.create({
    serviceAccountId: service.id,
    topic: {
      provider: 'twitch',
      botAccountId: bot.id,
      type: 'channel.follow',
      version: '2',
      condition: { broadcaster_user_id: '1' },
    },
    transport: 'websocket',
    webhookUrl: null,
    createdSeq: log.head(),
  });
  await audience.reload();
  const headers = { 'x-client-id': service.clientId, 'x-client-secret': clientSecret };
  const topicId = interest.topic.id;
  let n = 0;
  const append = async (count: number) => {
    const drafts = Array.from({ length: count }, () => {
      n++;
      const options = {
        audience: { kind: 'topic', topicId },
        body: `"subscription":null,"event":{"n":${n}}`,
      } as const;
      return draft(`m-${n}`, { ...options, botAccountId: bot.id });
    });
    await stack.log.append(drafts);
  };
  return { service, headers, append };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('from the rows to the socket: live, history, restart with raised attempts, rotation', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  let world: Awaited<ReturnType<typeof givenInterest>>;
  {
    await using stack = await startStack(database);
    world = await givenInterest(stack);
    const relay = { protocols: ['relay.v1'], headers: world.headers };
    using client = new TestClient(stack.port, relay);
    await client.hello();
    await world.append(300);
    await client.until('window', () => client.events().length === 256);
    client.ack(client.events()[199]?.['cursor']);
    await client.until('rest', () => client.events().length === 300);
    expect(seqsOf(client.events())).toEqual(range(1, 300));
    using plain = new TestClient(stack.port, {
      headers: world.headers,
      query: { after: String(client.events()[9]?.['cursor']) },
    });
    await plain.until('history', () => plain.frames.length === 290);
    expect(seqsOf(plain.frames)).toEqual(range(11, 300));
  }
  {
    await using stack = await startStack(database);
    using client = new TestClient(stack.port, { protocols: ['relay.v1'], headers: world.headers });
    expect(await client.hello()).toMatchObject({ resumed: true });
    await client.until('again', () => client.events().length === 100);
    expect(seqsOf(client.events())).toEqual(range(201, 300));
    expect(new Set(attemptsOf(client.events()))).toEqual(new Set([2]));
    await stack.store.services.regenerate(world.service.clientId, 0);
    expect((await client.closing()).code).toBe(4401);
  }
});

test('a process that died without a word: everything up to the head carries a raised attempt', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  await using stack = await startStack(database);
  const world = await givenInterest(stack);
  await stack.store.consumers.open(world.service.id, 'default', { startSeq: 0 });
  await world.append(2);
  using client = new TestClient(stack.port, { protocols: ['relay.v1'], headers: world.headers });
  await client.hello();
  await client.until('events', () => client.events().length === 2);
  expect(attemptsOf(client.events())).toEqual([2, 2]);
});

test('retention that removed what a consumer had not read is declared in the log', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  await using stack = await startStack(database);
  const world = await givenInterest(stack);
  await stack.store.consumers.open(world.service.id, 'default', { startSeq: 0 });
  await world.append(5);
  await stack.log.prune('standard', stack.clock.now() + 1, 3);
  const relay = { protocols: ['relay.v1'], headers: world.headers };
  using rejected = new TestClient(stack.port, relay);
  expect((await rejected.closing()).code).toBe(4410);
  using early = new TestClient(stack.port, { ...relay, query: { on_expired: 'earliest' } });
  await early.hello();
  await early.until('events', () => early.events().length === 3);
  expect(seqsOf(early.events().slice(0, 2))).toEqual([4, 5]);
  expect(early.events()[2]).toMatchObject({
    attempt: 1,
    event: { type: 'relay.gap', provider: 'relay', event: { cause: 'retention', consumer: 'default' } },
  });
});
