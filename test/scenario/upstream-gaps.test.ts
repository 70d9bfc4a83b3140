// What a gap says against what was lost, at the moments when two things go wrong at once: never narrower than the loss,
// written down before anything claims coverage past it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import {
  adminKey,
  allScopes,
  createWorld,
  type Bot,
  type World,
  type WorldOptions,
} from '../support/world.ts';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(() => place[Symbol.asyncDispose]());

const create = (options: Omit<WorldOptions, 'database'> = {}) =>
  createWorld({ ...options, database, testDatabase: place });

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  const interest = await world.addInterest(service, bot, 'channel.follow');
  const consumer = await world.consumer(service);
  const session = await world.session(bot);
  return { bot, service, interest, consumer, session };
}

async function row<T>(sql: string, values: unknown[]): Promise<T | undefined> {
  return (await database.pool.query(sql, values)).rows[0] as T | undefined;
}
const gapRow = (topicId: string) =>
  row<{ gap_from: Date | null; gap_cause: string | null }>(
    'SELECT gap_from, gap_cause FROM topic WHERE id = $1',
    [topicId],
  );
const coveredUntil = async (bot: Bot) =>
  (await row<{ at: Date | null }>('SELECT covered_until AS at FROM bot_account WHERE id = $1', [bot.id]))?.at;

describe('a revocation', () => {
  it('that comes while a call to Twitch hangs is written down before anything claims coverage past it', async () => {
    await using world = await create({ simulator: { keepaliveSeconds: 0.05 } });
    const { bot, service, interest } = await scene(world);
    const hanging = world.sim.arm({ name: 'helix_hangs', on: 'create', ms: 4_000 });
    await world.addInterest(service, bot, 'channel.ban', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the call to hang' });
    const [subscription] = world.sim.subscriptions().filter((each) => each.type === 'channel.follow');
    const revokedAt = world.clock.now();
    world.sim.revoke(subscription?.id ?? '', 'user_removed');
    // Whatever is recorded as covered later than that must leave the topic in a gap.
    const told = await until(
      async () => {
        const gap = await gapRow(interest.topic_id);
        if (gap?.gap_from) return 'gap';
        const covered = await coveredUntil(bot);
        return covered && covered.getTime() > revokedAt + 300 ? 'covered' : undefined;
      },
      { what: 'the gap or a claim' },
    );
    expect(told).toBe('gap');
    hanging.disarm();
  });

  for (const [status, state, cause] of [
    ['authorization_revoked', 'revoked', 'revoked'],
    ['user_removed', 'revoked', 'revoked'],
    ['moderator_removed', 'revoked', 'revoked'],
    ['chat_user_banned', 'revoked', 'revoked'],
    ['notification_failures_exceeded', 'revoked', 'revoked'],
    ['something_new_in_2027', 'revoked', 'revoked'],
    ['version_removed', 'rejected', 'revoked'],
    ['beta_maintenance', 'rejected', 'revoked'],
    ['websocket_internal_error', 'active', 'upstream_reconnect'],
  ] as const) {
    it(`of status ${status} leaves the interest ${state} and the gap open until it delivers again`, async () => {
      await using world = await create();
      const { bot, service, interest, consumer } = await scene(world);
      const [subscription] = world.sim.subscriptions();
      const creates = world.requests('create').length;
      world.sim.revoke(subscription?.id ?? '', status);
      if (state === 'active') {
        await consumer.gotType('relay.gap', { cause });
        expect(world.requests('create')).toHaveLength(creates + 1);
        return;
      }
      const told = await consumer.gotType(`relay.interest.${state}`, { interest_id: interest.id });
      expect(told.event).toMatchObject({ code: status });
      await until(async () => (await gapRow(interest.topic_id))?.gap_cause === cause, { what: 'the gap' });
      await world.clock.advance(31_000);
      await world.ready();
      expect(world.requests('create')).toHaveLength(creates);
      // Restated, it delivers again, and the time between is declared.
      const again = await world.addInterest(service, bot, 'channel.follow');
      if (again.state !== 'active') {
        const grant = world.sim.grant({ userId: bot.user.id, scopes: ['moderator:read:followers'] });
        await world.call('POST', '/v1/admin/bots/import', {
          as: 'admin',
          body: { access_token: grant.accessToken, refresh_token: grant.refreshToken },
        });
      }
      await consumer.gotType('relay.gap', { cause });
      await world.subscribed(bot, 1);
    });
  }
});

describe('a frame that cannot be read', () => {
  it('right before the session ends is declared with the rest', async () => {
    await using world = await create({ simulator: { keepaliveSeconds: 30 } });
    const { bot, session, consumer } = await scene(world);
    const before = world.clock.now();
    await until(() => world.clock.now() > before + 100, { what: 'some time to pass' });
    world.sim.arm({ name: 'malformed_frame', times: 1 });
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    await consumer.got(1);
    world.sim.dropSession(session.id);
    await world.session(bot, session.id);
    await consumer.gotType('relay.gap', { cause: 'upstream_reconnect' });
    await world.clock.advance(1_500);
    const gaps = world.gaps(consumer.events);
    // It may have been an event of any time since the frame before it.
    expect(Math.min(...gaps.map((gap) => Date.parse(gap.from)))).toBeLessThanOrEqual(before);
  });
});

describe('what an admin switches off', () => {
  it('a service: what its topics missed until it is on again is declared to it', async () => {
    await using world = await create();
    const { bot, service, consumer, session } = await scene(world);
    const path = `/v1/admin/service-accounts/${service.clientId}`;
    await world.call('PATCH', path, { as: 'admin', body: { enabled: false } });
    await consumer.closed;
    await until(() => world.sim.sessions().every((each) => !each.open), { what: 'the socket to close' });
    const [missed] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    const missedAt = world.clock.now();
    expect(missed?.delivered ?? false).toBe(false);
    await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
    await world.session(bot, session.id);
    const again = await world.consumer(service);
    const gap = await again.gotType('relay.gap');
    const { from, to } = gap.event as { from: string; to: string };
    expect(Date.parse(from)).toBeLessThanOrEqual(missedAt);
    expect(Date.parse(to)).toBeGreaterThanOrEqual(missedAt);
    await world.ready();
    expect(world.gaps(await world.log(service))).toHaveLength(1);
  });

  it('a service, over a restart: the same', async () => {
    await using world = await create();
    const { bot, service, interest, consumer, session } = await scene(world);
    const path = `/v1/admin/service-accounts/${service.clientId}`;
    await world.call('PATCH', path, { as: 'admin', body: { enabled: false } });
    await consumer.closed;
    await until(() => world.sim.sessions().every((each) => !each.open), { what: 'the socket to close' });
    const missedAt = world.clock.now();
    await until(async () => (await gapRow(interest.topic_id))?.gap_from, { what: 'the gap in its row' });
    await world.restart();
    await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
    await world.session(bot, session.id);
    const again = await world.consumer(service);
    const gap = await again.gotType('relay.gap');
    expect(Date.parse((gap.event as { from: string }).from)).toBeLessThanOrEqual(missedAt);
  });

  it('an interest that joins a topic while its subscription is being deleted is told what that cost', async () => {
    await using world = await create();
    const { bot, service, interest } = await scene(world);
    const hanging = world.sim.arm({ name: 'helix_hangs', on: 'delete', ms: 400, applied: true });
    await world.call('DELETE', `/v1/interests/${interest.id}`, { as: service });
    await until(() => hanging.fired() === 1, { what: 'the DELETE' });
    const other = await world.addService();
    const joined = await world.addInterest(other, bot, 'channel.follow', bot.user.id, { wait: 0 });
    const consumer = await world.consumer(other);
    const lostAt = world.clock.now();
    await world.subscribed(bot, 1);
    if (joined.state === 'active') {
      const gap = await consumer.gotType('relay.gap');
      expect(Date.parse((gap.event as { from: string }).from)).toBeLessThanOrEqual(lostAt);
    }
  });

  it('a bot that is taken out and brought in again before anything was seen of it: what was not kept is declared', async () => {
    await using world = await create();
    const { bot, service, interest, consumer } = await scene(world);
    const hanging = world.sim.arm({ name: 'helix_hangs', on: 'create', ms: 2_500 });
    await world.addInterest(service, bot, 'channel.ban', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the pass to hang' });
    const removing = world.call('DELETE', `/v1/admin/bots/${bot.id}`, { as: 'admin' });
    const unwanted = async () => {
      const answer = await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': adminKey } });
      return Number(/notifications_unwanted_total\S* (\d+)/.exec(await answer.text())?.[1]);
    };
    // One of them comes after the removal is in effect, and before it is undone.
    await until(
      async () => {
        world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
        return (await unwanted()) > 0;
      },
      { what: 'an event that is not kept' },
    );
    expect(hanging.fired()).toBe(1);
    const { accessToken, refreshToken } = world.sim.grant({ userId: bot.user.id, scopes: allScopes });
    await world.call('POST', '/v1/admin/bots/import', {
      as: 'admin',
      body: { access_token: accessToken, refresh_token: refreshToken },
    });
    const gap = await consumer.gotType('relay.gap', { cause: 'revoked', bot_account_id: bot.id });
    expect((gap.event as { topic_ids: string[] }).topic_ids).toEqual([interest.topic_id]);
    await removing;
  });

  it('a bot: the time until it is on again is declared', async () => {
    await using world = await create({ simulator: { keepaliveSeconds: 1_000 } });
    const { bot, consumer, session } = await scene(world);
    const enable = async (enabled: boolean) => {
      await database.pool.query('UPDATE bot_account SET enabled = $2 WHERE id = $1', [bot.id, enabled]);
      await world.clock.advance(30_001);
    };
    await enable(false);
    await until(() => world.sim.sessions().every((each) => !each.open), { what: 'the socket to close' });
    const missedAt = world.clock.now();
    await enable(true);
    await world.session(bot, session.id);
    const gap = await consumer.gotType('relay.gap', { cause: 'revoked' });
    const { from, to } = gap.event as { from: string; to: string };
    expect(Date.parse(from)).toBeLessThanOrEqual(missedAt);
    expect(Date.parse(to)).toBeGreaterThanOrEqual(missedAt);
  });
});

describe('a subscription that vanishes without a word', () => {
  it('is missing since the last list that had it, not since it was created', async () => {
    await using world = await create({
      simulator: { keepaliveSeconds: 1_000 },
      timings: { relistMs: 1_000, listLagMs: 500 },
    });
    const { bot, service } = await scene(world);
    const begun = world.clock.now();
    // Ten minutes of lists that have it.
    for (let turn = 0; turn < 10; turn++) {
      const before = world.requests('list').length;
      await world.clock.advance(60_000);
      await until(() => world.requests('list').length > before, { what: 'another list' });
      await world.ready();
    }
    const lostAt = world.clock.now();
    const [subscription] = world.sim.subscriptions();
    expect(world.sim.connections).toHaveLength(1);
    const gone = await fetch(`${world.sim.url}/helix/eventsub/subscriptions?id=${subscription?.id ?? ''}`, {
      method: 'DELETE',
      headers: { 'Client-Id': world.sim.clientId, Authorization: `Bearer ${bot.accessToken}` },
    });
    expect(gone.status).toBe(204);
    await until(
      async () => {
        await world.clock.advance(5_000);
        return world.gaps(await world.log(service)).length > 0;
      },
      { what: 'the gap' },
    );
    // Read from the log: with the clock pushed on like this, a consumer's pings are not answered in time.
    const from = Date.parse(world.gaps(await world.log(service))[0]?.from ?? '');
    expect(from).toBeLessThanOrEqual(lostAt);
    expect(from).toBeGreaterThan(begun + 60_000);
    await world.subscribed(bot, 1);
    expect(world.gaps(await world.log(service))).toHaveLength(1);
  });
});
