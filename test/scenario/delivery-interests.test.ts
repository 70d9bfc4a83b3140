// Interests that come, go and come back while events flow, and a picture of them that is late: what was logged after an
// interest was made reaches every reader, what was logged before reaches none.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { createWorld, type Bot, type World } from '../support/world.ts';

let place: TestDatabase;
let database: Database;
/** What happens to the statement that reads who wants what. */
let onReadInterests: () => Promise<void>;

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
  const { pool } = database;
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  pool.query = (async (...args: unknown[]) => {
    if (typeof args[0] === 'string' && args[0].includes('min(i.created_seq)')) await onReadInterests();
    return query(...args);
  }) as typeof pool.query;
});
beforeEach(() => {
  onReadInterests = () => Promise.resolve();
});
afterAll(() => place[Symbol.asyncDispose]());

const create = () => createWorld({ database, testDatabase: place });
const away = () => Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));

/** A send to the bot's own channel; the message id. */
const sender = (world: World, bot: Bot, type: string) => () =>
  world.sim.send(type, { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';

const isLogged = async (id: string) => {
  const { rows } = await database.pool.query('SELECT 1 FROM event WHERE message_id = $1', [id]);
  return rows.length === 1;
};

/** Long enough for every reader that can be woken to have read. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const idsOf = (events: readonly RelayEvent[]) =>
  events.filter((event) => event.provider !== 'relay').map((event) => event.id);

describe('a picture of the interests that cannot be read', () => {
  it('holds readers back instead of letting them pass what a new interest is for', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const service = await world.addService();
    await world.addInterest(service, bot, 'channel.follow');
    const [follow, update] = [sender(world, bot, 'channel.follow'), sender(world, bot, 'channel.update')];
    const live = await world.consumer(service);
    const plain = await world.consumer(service, 'plain');
    const first = follow();
    await live.got(1);
    // The request itself reads them once, to see whether it is the first of its kind.
    onReadInterests = () => {
      onReadInterests = away;
      return Promise.resolve();
    };
    const interest = await world.addInterest(service, bot, 'channel.update');
    expect(interest.state).toBe('active');
    const sent = [first, update(), follow(), update()];
    await until(() => isLogged(sent[3] ?? ''), { what: 'the log' });
    await turns();
    onReadInterests = () => Promise.resolve();
    expect(await live.got(4)).toEqual(sent);
    expect(await plain.got(4)).toEqual(sent);
    expect(live.eventFrames.every((frame) => frame.attempt === 1)).toBe(true);
  });

  it('that is late does not cost an account that is enabled again what was logged meanwhile', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const [service, other] = [await world.addService(), await world.addService()];
    for (const each of [service, other]) await world.addInterest(each, bot, 'channel.follow');
    const follow = sender(world, bot, 'channel.follow');
    const before = await world.consumer(service);
    const witness = await world.consumer(other);
    const sent = [follow()];
    await before.got(1);
    const path = `/v1/admin/service-accounts/${service.clientId}`;
    await world.call('PATCH', path, { as: 'admin', body: { enabled: false } });
    expect((await before.closed).code).toBe(4403);
    sent.push(follow());
    await witness.got(2);
    await turns();
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    onReadInterests = () => gate;
    await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
    const after = await world.consumer(service);
    await turns();
    sent.push(follow());
    await witness.got(3);
    await turns();
    release();
    expect(await after.got(2)).toEqual(sent.slice(1));
  });
});

describe('an interest', () => {
  it('made while events flow gets everything from its answer on, in order, and nothing from before it', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const [early, late] = [await world.addService(), await world.addService()];
    await world.addInterest(early, bot, 'channel.follow');
    const follow = sender(world, bot, 'channel.follow');
    const witness = await world.consumer(early, 'plain');
    const readers = [await world.consumer(late), await world.consumer(late, 'plain')];
    for (let round = 0; round < 10; round++) {
      const start = witness.ids().length;
      for (const reader of readers) expect(reader.ids().length).toBe(readers[0]?.ids().length);
      const sent = Array.from({ length: 20 }, follow);
      await witness.got(start + 20);
      const known = readers[0]?.ids().length ?? 0;
      const posting = world.addInterest(late, bot, 'channel.follow', bot.user.id, { wait: 0 });
      const during = Array.from({ length: 5 }, follow);
      const interest = await posting;
      const after = Array.from({ length: 20 }, follow);
      await witness.got(start + 45);
      for (const reader of readers) {
        await until(() => reader.ids().at(-1) === after.at(-1), { what: 'the last one' });
        const got = reader.ids().slice(known);
        expect(got.slice(-20)).toEqual(after);
        // Of those logged while the request was under way, some may be in: an unbroken run up to the answer.
        expect(during.slice(during.length - (got.length - 20))).toEqual(got.slice(0, -20));
        expect(got.some((id) => sent.includes(id))).toBe(false);
      }
      await world.call('DELETE', `/v1/interests/${interest.id}`, { as: late });
    }
  });

  it('removed and made again: a gap of silence between the two, for every way of reading', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const [keeper, service] = [await world.addService(), await world.addService()];
    await world.addInterest(keeper, bot, 'channel.follow');
    const first = await world.addInterest(service, bot, 'channel.follow');
    const follow = sender(world, bot, 'channel.follow');
    const witness = await world.consumer(keeper);
    const live = await world.consumer(service);
    const one = follow();
    await live.got(1);
    await world.call('DELETE', `/v1/interests/${first.id}`, { as: service });
    const between = [follow(), follow()];
    await witness.got(3);
    const again = await world.addInterest(service, bot, 'channel.follow');
    expect(again.id).not.toBe(first.id);
    expect(again.topic_id).toBe(first.topic_id);
    const two = follow();
    expect(await live.got(2)).toEqual([one, two]);
    // From the start of the log, too: what was logged before the present interest is no longer for this service.
    expect(idsOf(await world.log(service))).toEqual([two]);
    expect(idsOf(await world.log(keeper))).toEqual([one, ...between, two]);
    expect(world.sim.connections).toHaveLength(1);
  });

  it('of which the last is removed: nothing more is logged, and a new one begins anew', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const service = await world.addService();
    const first = await world.addInterest(service, bot, 'channel.follow');
    const follow = sender(world, bot, 'channel.follow');
    const live = await world.consumer(service);
    const one = follow();
    await live.got(1);
    await world.call('DELETE', `/v1/interests/${first.id}`, { as: service });
    await until(() => follow() === '', { what: 'the subscription to go' });
    await world.addInterest(service, bot, 'channel.follow');
    const two = follow();
    expect(await live.got(2)).toEqual([one, two]);
  });
});
