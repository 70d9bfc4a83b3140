// Everything Helix can answer to a create, end to end: what the service learns, what is tried again, and what is not.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InterestView } from '../../src/protocol/rest.ts';
import type { FaultSpec } from '../simulator/index.ts';
import { until } from '../support/until.ts';
import { allScopes, worlds, type Service, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const state = async (world: World, service: Service, id: string): Promise<InterestView> =>
  (await world.call<InterestView>('GET', `/v1/interests/${id}`, { as: service })).body;

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  // A first topic, so that the session is live and used before anything goes wrong.
  await world.addInterest(service, bot, 'channel.ban');
  const consumer = await world.consumer(service);
  return { bot, service, consumer };
}

describe('refusals that are final', () => {
  const cases: [string, Omit<Extract<FaultSpec, { name: 'helix' }>, 'name' | 'on'>, RegExp][] = [
    [
      '403',
      { status: 403, message: 'subscription missing proper authorization' },
      /missing proper authorization/,
    ],
    ['410', { status: 410, message: 'subscription type removed' }, /removed/],
    ['400', { status: 400, message: 'invalid condition' }, /invalid condition/],
  ];
  for (const [name, spec, reason] of cases) {
    it(`${name} rejects the interest with Twitch's reason, tells its owner, and leaves the others alone`, async () => {
      await using world = await place.create();
      const { bot, service, consumer } = await scene(world);
      const fault = world.sim.arm({ name: 'helix', on: 'create', ...spec });
      const interest = await world.addInterest(service, bot, 'channel.follow');
      expect(fault.fired()).toBe(1);
      expect(interest.state).toBe('rejected');
      expect(interest.reason).toMatch(reason);
      await consumer.gotType('relay.interest.rejected', { interest_id: interest.id });
      const follows = () =>
        world.requests('create').filter((each) => JSON.stringify(each.body).includes('channel.follow'));
      await world.clock.advance(60_000);
      await world.ready();
      expect(follows()).toHaveLength(1);
      // Restating the wish is a new try.
      const again = await world.addInterest(service, bot, 'channel.follow');
      expect(again).toMatchObject({ id: interest.id, state: 'active' });
    });
  }
});

describe('refusals that pass', () => {
  for (const status of [500, 503]) {
    it(`${status} degrades the interest, says when it is tried again, and heals`, async () => {
      await using world = await place.create();
      const { bot, service, consumer } = await scene(world);
      const fault = world.sim.arm({ name: 'helix', on: 'create', status, times: 3 });
      const interest = await world.addInterest(service, bot, 'channel.follow');
      expect(interest.state).toBe('degraded');
      await until(async () => (await state(world, service, interest.id)).state === 'active', {
        what: 'active',
      });
      expect(fault.fired()).toBe(3);
      const degraded = await consumer.gotType('relay.interest.degraded');
      expect(degraded.event).toMatchObject({
        interest_id: interest.id,
        retry_at: expect.stringMatching(/Z$/) as string,
      });
      await consumer.gotType('relay.interest.active', { interest_id: interest.id });
      // Told once, however often it was tried.
      expect(consumer.events.filter((event) => event.type === 'relay.interest.degraded')).toHaveLength(1);
    });
  }

  it('a create that is never answered, though it took effect, is found and adopted', async () => {
    await using world = await place.create();
    const { bot, service } = await scene(world);
    const fault = world.sim.arm({ name: 'helix_hangs', on: 'create', ms: 60_000, applied: true });
    const interest = await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => fault.fired() === 1, { what: 'the fault' });
    await world.clock.advance(10_001);
    await until(async () => (await state(world, service, interest.id)).state === 'active', {
      what: 'active',
    });
    const live = world.sim
      .subscriptions()
      .filter((each) => each.type === 'channel.follow' && each.status === 'enabled');
    expect(live).toHaveLength(1);
  });

  it('the rate limiter is obeyed: nothing is sent before its reset', async () => {
    await using world = await place.create();
    const { bot, service } = await scene(world);
    const fault = world.sim.arm({
      name: 'helix',
      on: 'create',
      status: 429,
      flavour: 'rate_limit',
      resetInSeconds: 30,
    });
    const before = world.sim.requests.length;
    const interest = await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => fault.fired() === 1, { what: 'the fault' });
    await world.clock.advance(25_000);
    expect(world.requests('create', before)).toHaveLength(1);
    expect((await state(world, service, interest.id)).state).toBe('pending');
    await world.clock.advance(6_000);
    await until(async () => (await state(world, service, interest.id)).state === 'active', {
      what: 'active',
    });
  });

  it('"transports limit exceeded" makes it remove the zombies and try again', async () => {
    await using world = await place.create({ simulator: { zombieMs: 600_000 } });
    const bot = await world.addBot();
    const service = await world.addService();
    for (const session of ['old-1', 'old-2', 'old-3']) {
      world.sim.plant({
        userId: bot.user.id,
        sessionId: session,
        type: 'channel.cheer',
        condition: { broadcaster_user_id: bot.user.id },
      });
    }
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    expect(world.requests('create').map((each) => each.status)).toContain(429);
    expect(world.sim.subscriptions().filter((each) => each.zombie)).toEqual([]);
  });

  it('401 refreshes the token once and goes on', async () => {
    await using world = await place.create();
    const { bot, service } = await scene(world);
    world.sim.expireToken(bot.accessToken);
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    expect(world.requests('token')).toHaveLength(1);
    const other = await world.addInterest(service, bot, 'channel.cheer');
    expect(other.state).toBe('active');
    expect(world.requests('token')).toHaveLength(1);
  });

  it('a grant that is gone is said, and a new import heals it without a restart', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    world.sim.revokeGrant(bot.user.id);
    const told = await consumer.gotType('relay.bot.reauth_required');
    expect(told.event).toMatchObject({ bot_account_id: bot.id });
    await consumer.gotType('relay.interest.revoked');
    const { body: bots } = await world.call<{ state: string }[]>('GET', '/v1/bots', { as: 'admin' });
    expect(bots[0]?.state).toBe('reauth_required');
    const grant = world.sim.grant({ userId: bot.user.id, scopes: allScopes });
    const imported = await world.call<{ id: string }>('POST', '/v1/admin/bots/import', {
      as: 'admin',
      body: { access_token: grant.accessToken, refresh_token: grant.refreshToken },
    });
    expect(imported.body.id).toBe(bot.id);
    await world.ready();
    const { body: interests } = await world.call<InterestView[]>('GET', '/v1/interests', { as: service });
    expect(interests.map((each) => each.state)).toEqual(['active']);
    const gap = await consumer.gotType('relay.gap');
    expect(gap.event).toMatchObject({ cause: 'revoked' });
  });
});

describe('409', () => {
  it('adopts what is on its own session', async () => {
    await using world = await place.create();
    const { bot, service } = await scene(world);
    const session = await world.session(bot);
    const planted = world.sim.plant({
      userId: bot.user.id,
      sessionId: session.id,
      type: 'channel.follow',
      condition: { broadcaster_user_id: bot.user.id, moderator_user_id: bot.user.id },
    });
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    expect(world.requests('create').map((each) => each.status)).toContain(409);
    expect(world.requests('delete')).toHaveLength(0);
    const live = world.sim.subscriptions().filter((each) => each.type === 'channel.follow');
    expect(live.map((each) => each.id)).toEqual([planted.id]);
  });

  it('replaces what is on a dead one', async () => {
    await using world = await place.create({ simulator: { conflictScope: 'user' } });
    const { bot, service } = await scene(world);
    const planted = world.sim.plant({
      userId: bot.user.id,
      sessionId: 'dead-session',
      type: 'channel.follow',
      condition: { broadcaster_user_id: bot.user.id, moderator_user_id: bot.user.id },
    });
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    const session = await world.session(bot);
    const live = world.sim.subscriptions().filter((each) => each.type === 'channel.follow');
    expect(live.map((each) => each.sessionId)).toEqual([session.id]);
    expect(live[0]?.id).not.toBe(planted.id);
  });
});

describe('the odd moments of a create', () => {
  it('an event that arrives before the answer to its POST is delivered', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    const early = world.sim.arm({ name: 'event_before_create_answer', type: 'channel.follow', delayMs: 150 });
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(early.fired()).toBe(1);
    expect(interest.state).toBe('active');
    const [sent] = world.sim.sent.filter((each) => each.type === 'channel.follow');
    expect(await consumer.got(1)).toEqual([sent?.messageId]);
  });

  it('a session that dies under a create is replaced and everything is on the next one', async () => {
    await using world = await place.create();
    const { bot, service } = await scene(world);
    const dying = world.sim.arm({ name: 'session_dies_on_create', type: 'channel.follow' });
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(dying.fired()).toBe(1);
    expect(interest.state).toBe('active');
    await world.subscribed(bot, 2);
    await world.ready();
  });

  it('"session does not exist" abandons the session for a fresh one', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    const session = await world.session(bot);
    world.sim.arm({
      name: 'helix',
      on: 'create',
      status: 400,
      message: 'websocket transport session does not exist or has already disconnected',
    });
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    const next = await world.session(bot, session.id);
    expect(next.id).not.toBe(session.id);
    await world.subscribed(bot, 2);
    expect((await consumer.gotType('relay.gap')).event).toMatchObject({ cause: 'upstream_reconnect' });
  });

  it('a revocation is told to every owner, and the others go on', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    const interest = await world.addInterest(service, bot, 'channel.follow');
    const subscription = world.sim.subscriptions().find((each) => each.type === 'channel.follow');
    world.sim.revoke(subscription?.id ?? '', 'moderator_removed');
    const told = await consumer.gotType('relay.interest.revoked');
    expect(told.event).toMatchObject({ interest_id: interest.id, code: 'moderator_removed' });
    expect((await state(world, service, interest.id)).state).toBe('revoked');
    const [ban] = world.sim.send('channel.ban', { broadcaster_user_id: bot.user.id });
    expect(await consumer.got(1)).toEqual([ban?.messageId]);
    await world.ready();
  });
});

describe('many interests', () => {
  it('301 on one bot take a second socket', { timeout: 60_000 }, async () => {
    await using world = await place.create({ simulator: { maxTotalCost: 1_000 } });
    const bot = await world.addBot();
    const service = await world.addService();
    const channels = Array.from({ length: 301 }, () => world.addBroadcaster());
    // channel.follow of channels that the bot moderates: no cost, no join limit.
    await Promise.all(
      channels
        .slice(0, 300)
        .map((channel) => world.addInterest(service, bot, 'channel.follow', channel.id, { wait: 0 })),
    );
    await world.subscribed(bot, 300, 40_000);
    const one = world.sim.sessions().filter((each) => each.open);
    expect(one).toHaveLength(1);
    await world.addInterest(service, bot, 'channel.follow', channels[300]?.id ?? '', { wait: 30 });
    await world.subscribed(bot, 301);
    const two = world.sim.sessions().filter((each) => each.open);
    expect(two.map((each) => each.subscriptionCount).toSorted((a, b) => a - b)).toEqual([1, 300]);
    await world.ready();
    const consumer = await world.consumer(service);
    const first = world.sim.send('channel.follow', { broadcaster_user_id: channels[0]?.id ?? '' });
    const last = world.sim.send('channel.follow', { broadcaster_user_id: channels[300]?.id ?? '' });
    const ids = [...first, ...last].map((each) => each.messageId);
    expect((await consumer.got(2)).toSorted()).toEqual(ids.toSorted());
  });

  it('two in one topic cost one subscription, which lives until the last of them goes', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const [one, two] = [await world.addService(), await world.addService()];
    const first = await world.addInterest(one, bot, 'channel.follow');
    const second = await world.addInterest(two, bot, 'channel.follow');
    expect(second.topic_id).toBe(first.topic_id);
    expect(world.requests('create')).toHaveLength(1);
    const consumers = [await world.consumer(one), await world.consumer(two, 'plain')];
    const [sent] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    for (const consumer of consumers) expect(await consumer.got(1)).toEqual([sent?.messageId]);
    await world.call('DELETE', `/v1/interests/${first.id}`, { as: one });
    await world.ready();
    expect(world.requests('delete')).toHaveLength(0);
    const [next] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    expect(await consumers[1]?.got(2)).toEqual([sent?.messageId, next?.messageId]);
    expect(consumers[0]?.ids()).toEqual([sent?.messageId]);
    await world.call('DELETE', `/v1/interests/${second.id}`, { as: two });
    await until(() => world.requests('delete').length === 1, { what: 'the DELETE' });
  });

  it('fifty identical wishes at once become one interest and one subscription', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        world.call<InterestView>('POST', '/v1/interests', {
          as: service,
          body: {
            bot_account_id: bot.id,
            event_type: 'channel.follow',
            broadcaster_user_id: bot.user.id,
            transport: 'websocket',
          },
        }),
      ),
    );
    expect(new Set(answers.map((each) => each.body.id)).size).toBe(1);
    expect(answers.filter((each) => each.status === 201)).toHaveLength(1);
    expect(answers.filter((each) => each.status === 200)).toHaveLength(49);
    await world.subscribed(bot, 1);
    await world.ready();
    expect(world.requests('create')).toHaveLength(1);
  });
});
