// Long and odd states: outages of Twitch or the database, wishes that change under a connect, limits. The relay stays
// quiet in all of them, comes back by itself, and tells no secret.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { createWorld, type Bot, type Service, type World, type WorldOptions } from '../support/world.ts';

let place: TestDatabase;
let wire: CuttableWire;
let database: Database;
beforeAll(async () => {
  place = await sharedDatabase();
  const direct = await place.open();
  wire = await CuttableWire.open(direct.connection);
  database = await openDatabase({ databaseUrl: wire.url, dataDir: place.dataDir });
});
afterAll(async () => {
  await database.close();
  await wire[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const create = (options: Omit<WorldOptions, 'database'> = {}) =>
  createWorld({ ...options, database, testDatabase: place });
const { backOff } = defaultTimings;

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  const interest = await world.addInterest(service, bot, 'channel.follow');
  const consumer = await world.consumer(service);
  const session = await world.session(bot);
  return { bot, service, interest, consumer, session };
}

/** Lets that many seconds pass one by one, each with round trips through the relay, until the condition holds. */
async function pass(world: World, seconds: number, done = () => false, roundTrips = 1): Promise<void> {
  for (let second = 0; second < seconds && !done(); second++) {
    await world.clock.advance(1_000);
    for (let trip = 0; trip < roundTrips; trip++) await fetch(new URL('/ready', world.url));
  }
}

const live = (world: World) =>
  world.sim.subscriptions().filter((each) => each.status === 'enabled' && !each.zombie).length;

/** Interests in follows of that many channels, all active. */
async function follows(world: World, service: Service, bot: Bot, count: number): Promise<string[]> {
  const made = await Promise.all(
    Array.from({ length: count }, () =>
      world.addInterest(service, bot, 'channel.follow', world.addBroadcaster().id),
    ),
  );
  return made.map(({ id }) => id);
}

describe('Twitch away for minutes', () => {
  it('deletes are tried with growing pauses, not all of them every second', { timeout: 60_000 }, async () => {
    await using world = await create({ simulator: { keepaliveSeconds: 1_000 }, timings: { backOff } });
    const bot = await world.addBot();
    const service = await world.addService();
    const ids = await follows(world, service, bot, 6);
    const refused = world.sim.arm({ name: 'helix', on: 'delete', status: 503, times: 10_000 });
    for (const id of ids.slice(1)) await world.call('DELETE', `/v1/interests/${id}`, { as: service });
    await until(() => refused.fired() >= 5, { what: 'the first refusals' });
    const before = refused.fired();
    await pass(world, 15, undefined, 10);
    // Rounds after 1, 2, 4 and 8 s, less the jitter; each of them five calls.
    expect(refused.fired() - before).toBeLessThanOrEqual(5 * 6);
    refused.disarm();
    await pass(world, 130, () => live(world) === 1);
  });

  it('a stop does not wait for a call that hangs, and leaves the interest as it was', async () => {
    await using world = await create();
    const { bot, service } = await scene(world);
    const hanging = world.sim.arm({ name: 'helix_hangs', on: 'create', ms: 8_000 });
    const pending = await world.addInterest(service, bot, 'channel.ban', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the call to hang' });
    const startedAt = performance.now();
    await world.stop();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    hanging.disarm();
    const rows = await database.pool.query('SELECT state FROM topic WHERE id = $1', [pending.topic_id]);
    expect(rows.rows).toEqual([{ state: 'pending' }]);
  });

  it('all creates failing opens sockets no oftener than they are retried', async () => {
    await using world = await create({
      simulator: { firstSubscriptionDeadlineMs: 100 },
      timings: { backOff },
    });
    const bot = await world.addBot();
    const service = await world.addService();
    const failing = world.sim.arm({ name: 'helix', on: 'create', status: 503, times: 10_000 });
    await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => failing.fired() >= 1, { what: 'the first refusal' });
    await pass(world, 60);
    expect(failing.fired()).toBeLessThanOrEqual(10);
    expect(world.sim.connections.length).toBeLessThanOrEqual(20);
    failing.disarm();
    await pass(world, 250, () => live(world) === 1);
    await world.subscribed(bot, 1);
  });
});

describe('the database away while the session is lost', () => {
  it('keeps no unused socket knocking, subscribes again when it returns, and declares the whole window', async () => {
    await using world = await create({
      simulator: { firstSubscriptionDeadlineMs: 200 },
      timings: { backOff },
    });
    const { bot, service, interest, consumer, session } = await scene(world);
    wire.refuse(true);
    world.sim.dropSession(session.id);
    const lostAt = world.clock.now();
    await pass(world, 60);
    expect(world.sim.connections.length).toBeLessThanOrEqual(4);
    wire.refuse(false);
    const backAt = world.clock.now();
    await pass(world, 12, () => live(world) === 1);
    await world.subscribed(bot, 1);
    await until(() => consumer.events.some((event) => event.type === 'relay.gap'), { what: 'the gap' });
    const gaps = world.gaps(await world.log(service));
    expect(gaps).toHaveLength(1);
    expect(gaps[0]?.topic_ids).toEqual([interest.topic_id]);
    expect(Date.parse(gaps[0]?.from ?? '')).toBeLessThanOrEqual(lostAt);
    expect(Date.parse(gaps[0]?.to ?? '')).toBeGreaterThanOrEqual(backAt);
    expect(Date.parse(gaps[0]?.to ?? '')).toBeLessThanOrEqual(backAt + 15_000);
    await world.ready();
  });
});

describe('wishes that change under a connect', () => {
  it('all of them gone while the first socket connects: it is closed, and nothing is left', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const service = await world.addService();
    const hanging = world.sim.arm({ name: 'upgrade_hangs' });
    const interest = await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the connect' });
    await world.call('DELETE', `/v1/interests/${interest.id}`, { as: service });
    await until(() => world.sim.connections[0]?.closedAt, { what: 'the socket to close' });
    await world.ready();
    await world.clock.advance(60_000);
    expect(world.sim.connections).toHaveLength(1);
  });

  it('bots without a wish cost one look at their rows per half minute and no call to Twitch', async () => {
    await using world = await create();
    for (let i = 0; i < 3; i++) await world.addBot();
    await world.ready();
    const before = world.sim.requests.length;
    await world.clock.advance(300_000);
    expect(world.sim.requests.length).toBe(before);
    expect(world.sim.connections).toHaveLength(0);
  });
});

describe('many bots', () => {
  it('start and stop together, each on its own session, and nothing of theirs is left', async () => {
    await using world = await create();
    const service = await world.addService();
    const bots: Bot[] = [];
    for (let i = 0; i < 20; i++) bots.push(await world.addBot());
    await Promise.all(bots.map((bot) => world.addInterest(service, bot, 'channel.follow')));
    await world.restart();
    await world.ready();
    const open = world.sim.sessions().filter((each) => each.open);
    expect(open).toHaveLength(bots.length);
    expect(new Set(open.map((each) => each.userId))).toEqual(new Set(bots.map((bot) => bot.user.id)));
    const [lost] = open;
    world.sim.dropSession(lost?.id ?? '');
    await until(() => world.sim.sessions().filter((each) => each.open).length === 20, { what: 'it is back' });
    // One bot's loss is no other's.
    await until(async () => world.gaps(await world.log(service)).length === 21, { what: 'the gaps' });
    await world.stop();
    expect(world.clock.pending).toBe(0);
    expect(world.sim.sessions().filter((each) => each.open)).toEqual([]);
    expect(world.logs.filter((line) => /did not stop cleanly/.test(line))).toEqual([]);
  });
});

describe('limits', () => {
  it('of cost: ten strangers fit, the eleventh is refused before Twitch is asked', async () => {
    await using world = await create();
    const bot = await world.addBot();
    const service = await world.addService();
    for (let i = 0; i < 10; i++) {
      const interest = await world.addInterest(service, bot, 'stream.online', world.addBroadcaster(false).id);
      expect(interest.state).toBe('active');
    }
    const before = world.sim.requests.length;
    const refused = await world.call<{ code: string; detail: string }>('POST', '/v1/interests', {
      as: service,
      body: {
        bot_account_id: bot.id,
        event_type: 'stream.online',
        broadcaster_user_id: world.addBroadcaster(false).id,
        transport: 'websocket',
      },
    });
    expect(refused.status).toBe(422);
    expect(refused.body.code).toBe('budget_exceeded');
    expect(refused.body.detail).toContain('10 of 10');
    expect(world.sim.requests.length).toBe(before);
    // What costs nothing still fits.
    expect((await world.addInterest(service, bot, 'stream.online')).state).toBe('active');
  });

  it('of chat joins: 25 are spread over the window, and none is refused', async () => {
    await using world = await create({
      simulator: { chatJoinWindowMs: 600 },
      timings: { joinWindowMs: 700 },
    });
    const bot = await world.addBot();
    const service = await world.addService();
    const made = await Promise.all(
      Array.from({ length: 25 }, () =>
        world.addInterest(service, bot, 'channel.chat.message', world.addBroadcaster().id),
      ),
    );
    expect(made.map((each) => each.state)).toEqual(made.map(() => 'active'));
    expect(new Set(world.requests('create').map((each) => each.status))).toEqual(new Set([202]));
  });
});

describe('secrets', () => {
  it('no token and no secret is in any log line, event or answer, whatever fails', async () => {
    await using world = await create();
    const { bot, service, consumer } = await scene(world);
    const secrets = [bot.accessToken, bot.refreshToken, world.sim.clientSecret, service.clientSecret];
    const answers: unknown[] = [];
    const bringIn = async (fault?: Parameters<typeof world.sim.arm>[0]) => {
      if (fault) world.sim.arm(fault);
      const grant = world.sim.grant({
        userId: bot.user.id,
        scopes: ['moderator:read:followers', 'channel:moderate'],
      });
      secrets.push(grant.accessToken, grant.refreshToken);
      if (fault?.name === 'auth') world.sim.expireToken(grant.accessToken);
      const body = { access_token: grant.accessToken, refresh_token: grant.refreshToken };
      answers.push(await world.call('POST', '/v1/admin/bots/import', { as: 'admin', body }));
    };
    await bringIn({ name: 'auth', on: 'token', status: 400, message: 'Invalid refresh token' });
    await bringIn({ name: 'auth', on: 'token', status: 503 });
    await bringIn({ name: 'auth', on: 'validate', status: 500 });
    await bringIn();
    world.sim.arm({ name: 'helix', on: 'create', status: 401, times: 2 });
    world.sim.arm({ name: 'helix_hangs', on: 'list', ms: 100 });
    await world.addInterest(service, bot, 'channel.ban');
    world.sim.revokeGrant(bot.user.id);
    await consumer.gotType('relay.bot.reauth_required');
    for (const path of ['/v1/bots', '/v1/admin/service-accounts', '/metrics'])
      answers.push(
        await (await fetch(new URL(path, world.url), { headers: { 'X-Admin-Key': 'wrong' } })).text(),
      );
    answers.push(await world.call('GET', '/v1/bots', { as: 'admin' }), await world.log(service));
    answers.push(await world.call('GET', '/v1/interests', { as: service }));
    await world.stop();
    const said = [...world.logs, ...consumer.texts, JSON.stringify(answers)].join('\n');
    for (const secret of secrets) expect(said.includes(secret)).toBe(false);
    expect(world.logs.length).toBeGreaterThan(5);
  });
});
