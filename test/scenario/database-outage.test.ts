// The database goes away under a running relay: it says so, holds what arrives, and loses nothing that fits its bound.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';
import { Receiver } from '../support/receiver.ts';
import { testDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { expectComplete } from '../support/webhook-oracle.ts';
import { createWorld, type World } from '../support/world.ts';

let place: TestDatabase;
let wire: CuttableWire;
let database: Database;

beforeAll(async () => {
  place = await testDatabase();
  const direct = await place.open();
  wire = await CuttableWire.open(direct.connection);
  database = await openDatabase({ databaseUrl: wire.url, dataDir: place.dataDir });
});
afterAll(async () => {
  await database.close();
  await wire[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const readyStatus = async (world: World) => (await fetch(new URL('/ready', world.url))).status;

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  const interest = await world.addInterest(service, bot, 'channel.follow');
  const consumer = await world.consumer(service);
  const follow = () =>
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
  return { bot, service, interest, consumer, follow };
}

describe('a database that is away', () => {
  it('makes /ready 503 and requests 503, holds notifications, and delivers them when it returns', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const { service, consumer, follow } = await scene(world);
    const sent = [follow()];
    await consumer.got(1);
    wire.refuse(true);
    for (let i = 0; i < 50; i++) sent.push(follow());
    // All of them are in the relay's hands: from here on nothing but the commit holds them back.
    await until(async () => /relay_ingest_pending_events 50\n/.test(await metrics(world)), {
      what: 'holding',
    });
    await until(async () => (await readyStatus(world)) === 503, { what: 'not ready' });
    const refused = await world.call<{ code: string }>('GET', '/v1/interests', { as: service });
    expect(refused.status).toBe(503);
    expect(refused.body.code).toBe('database_unavailable');
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await fetch(new URL('/health', world.url))).status).toBe(200);
    expect(consumer.ids()).toEqual(sent.slice(0, 1));
    wire.refuse(false);
    expect(await consumer.got(51)).toEqual(sent);
    await world.ready();
    expect(world.gaps(await world.log(service))).toEqual([]);
    expect(world.sim.connections).toHaveLength(1);
  });

  it('for longer than the buffer lasts: what was dropped is declared, nothing else is missing', async () => {
    await using world = await createWorld({
      database,
      testDatabase: place,
      env: { INGEST_BUFFER_EVENTS: '1000' },
    });
    const { service, interest, consumer, follow } = await scene(world);
    const first = follow();
    await consumer.got(1);
    wire.refuse(true);
    const held: string[] = [];
    for (let i = 0; i < 1_300; i++) held.push(follow());
    await until(async () => /relay_notifications_dropped_total [1-9]/.test(await metrics(world)), {
      what: 'drops',
    });
    wire.refuse(false);
    const gap = await consumer.gotType('relay.gap', { cause: 'relay_overflow' });
    expect(gap.event).toMatchObject({ topic_ids: [interest.topic_id] });
    const last = follow();
    await until(() => consumer.ids().includes(last), { what: 'the last one' });
    const got = consumer.ids();
    const missing = held.filter((id) => !got.includes(id));
    expect(missing.length).toBeGreaterThanOrEqual(1);
    expect(got).toEqual([first, ...held.filter((id) => !missing.includes(id)), last]);
    const { from, to } = gap.event as { from: string; to: string };
    for (const each of world.sim.sent.filter((one) => missing.includes(one.messageId))) {
      expect(each.sentAt).toBeGreaterThanOrEqual(Date.parse(from));
      expect(each.sentAt).toBeLessThanOrEqual(Date.parse(to));
    }
    expect(world.gaps(await world.log(service))).toHaveLength(1);
  });

  it('an answer lost between commit and reply repeats nothing', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const { consumer, follow } = await scene(world);
    await world.ready();
    const cutsBefore = wire.cuts;
    const sent: string[] = [];
    for (let round = 0; round < 5; round++) {
      wire.cutNextAnswer();
      sent.push(follow(), follow());
      await consumer.got(sent.length);
    }
    expect(wire.cuts - cutsBefore).toBe(5);
    const last = follow();
    expect(await consumer.got(sent.length + 1)).toEqual([...sent, last]);
  });

  it('is waited for by webhooks: what failed meanwhile is not passed over, and nothing comes twice unmarked', async () => {
    await using receiver = await Receiver.start();
    await using world = await createWorld({
      database,
      testDatabase: place,
      simulator: { keepaliveSeconds: 100_000 },
    });
    const bot = await world.addBot();
    const service = await world.addService();
    await world.addWebhook(service, bot, 'channel.follow', receiver);
    await receiver.got(1);
    const send = () => world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    // The first request is answered with a failure when the database is already away: it cannot be parked.
    let failed = 0;
    receiver.reply = () => {
      if (failed++ > 0) return 204;
      wire.refuse(true);
      return 500;
    };
    for (let n = 0; n < 5; n++) send();
    await until(
      () => failed === 1 && world.logs.some((line) => line.includes('webhook delivery met a fault')),
      {
        what: 'a write that fails',
      },
    );
    expect(receiver.accepted).toHaveLength(1);
    for (let n = 0; n < 5; n++) send();
    wire.refuse(false);
    await expectComplete(world, service, receiver);
    expect(receiver.accepted).toHaveLength(11);
    expect(world.gaps(await world.log(service))).toEqual([]);
  });
});

const metrics = async (world: World) =>
  (
    await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': 'test-admin-key-0123456789' } })
  ).text();
