// What the store promises about accounts, interests, topics, consumers and browser tokens, on whichever database this
// run is about.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { topicId } from '../../src/domain/topic.ts';
import type { TopicSpec } from '../../src/domain/topic.ts';
import type { Database } from '../../src/store/database.ts';
import { createSealer } from '../../src/store/seal.ts';
import { createStore } from '../../src/store/store.ts';
import type { Store, StoreChange } from '../../src/store/store.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { sharedDatabase } from '../support/test-database.ts';
import type { TestDatabase } from '../support/test-database.ts';

const key = Buffer.alloc(32, 1).toString('base64');
const otherKey = Buffer.alloc(32, 2).toString('hex');

let place: TestDatabase;
let database: Database;
let clock: ShiftClock;
let store: Store;
let changes: StoreChange[];

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());
beforeEach(async () => {
  await place.reset();
  clock = new ShiftClock();
  store = createStore(database, createSealer([key]), clock);
  changes = [];
  store.onChange((change) => changes.push(change));
});

const grant = (user: string, more: object = {}) => ({
  twitchUserId: user,
  twitchLogin: `login${user}`,
  scopes: ['user:read:chat'],
  accessToken: `access-${user}`,
  refreshToken: `refresh-${user}`,
  expiresAt: 1_800_000_000_000,
  ...more,
});
const spec = (botAccountId: string, broadcaster = '1'): TopicSpec => ({
  provider: 'twitch',
  botAccountId,
  type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: broadcaster },
});
async function botAndService() {
  const { bot } = await store.bots.upsert(grant('1'));
  const { service } = await store.services.create('worker');
  return { bot, service };
}
const wish = (serviceAccountId: string, topic: TopicSpec, createdSeq = 0) => ({
  serviceAccountId,
  topic,
  transport: 'websocket' as const,
  webhookUrl: null,
  createdSeq,
});

describe('bots', () => {
  test('a grant is stored sealed and comes back open', async () => {
    const { bot, created } = await store.bots.upsert(grant('1'));
    expect(created).toBe(true);
    expect(bot).toMatchObject({ name: 'login1', state: 'ok', tokenExpiresAt: 1_800_000_000_000 });
    expect(JSON.stringify(await store.bots.list())).not.toContain('access');
    const raw = await database.pool.query('SELECT access_token, refresh_token FROM bot_account');
    expect(JSON.stringify(raw.rows)).not.toMatch(/access-1|refresh-1/);
    expect(await store.bots.tokens(bot.id)).toEqual({
      accessToken: 'access-1',
      refreshToken: 'refresh-1',
      expiresAt: 1_800_000_000_000,
    });
    expect(await store.bots.get('not-an-id')).toBeUndefined();
    expect(await store.bots.tokens(randomUUID())).toBeUndefined();
  });

  test('a known user keeps the row: new tokens, state ok, and failed topics wait for another try', async () => {
    const { bot, service } = await botAndService();
    const { interest } = await store.interests.create(wish(service.id, spec(bot.id)));
    await store.topics.update(interest.topic.id, { state: 'revoked', reason: 'authorization_revoked' });
    await store.bots.setState(bot.id, 'reauth_required');
    changes.length = 0;
    const again = await store.bots.upsert(grant('1', { accessToken: 'new', refreshToken: null }));
    expect(again).toMatchObject({ created: false, bot: { id: bot.id, state: 'ok' } });
    expect(await store.bots.tokens(bot.id)).toMatchObject({ accessToken: 'new', refreshToken: null });
    expect((await store.topics.all())[0]).toMatchObject({ state: 'pending', reason: null });
    expect(changes).toEqual([
      { kind: 'bot', botAccountId: bot.id },
      { kind: 'topic', topicId: interest.topic.id, state: 'pending' },
    ]);
  });

  test('what is written about a grant is not written once another one was taken in, or is being taken in', async () => {
    const { bot, service } = await botAndService();
    const { interest } = await store.interests.create(wish(service.id, spec(bot.id)));
    const { id } = interest.topic;
    const end = (only: { validatedAt: number | null }) => store.topics.update(id, { state: 'revoked' }, only);
    const seen = await store.bots.get(bot.id);
    if (!seen) throw new Error('the bot is gone');
    expect(await end(seen)).toBe(true);
    expect(await end({ validatedAt: null })).toBe(false);
    const again = await store.bots.upsert(grant('1', { accessToken: 'new', refreshToken: null }));
    expect(again.bot.validatedAt).not.toBe(seen.validatedAt);
    expect(await end(seen)).toBe(false);
    expect((await store.topics.all())[0]).toMatchObject({ state: 'pending' });
    // The grant's transaction has the bot's row and has not come to the topics yet.
    const taking = await database.pool.connect();
    try {
      await taking.query('BEGIN');
      await taking.query('UPDATE bot_account SET validated_at = now() WHERE id = $1', [bot.id]);
      const ending = end(again.bot);
      const waiting = await Promise.race([ending, taking.query('SELECT pg_sleep(0.2)').then(() => 'waits')]);
      await taking.query('COMMIT');
      expect([waiting, await ending]).toEqual(['waits', false]);
    } finally {
      taking.release();
    }
  });

  test('what a refresh brings does not overwrite a grant that came in meanwhile, nor end it', async () => {
    const { bot } = await store.bots.upsert(grant('1', { accessToken: 'first' }));
    await store.bots.upsert(grant('1', { accessToken: 'second' }));
    const late = { accessToken: 'late', refreshToken: null, expiresAt: null };
    expect(await store.bots.saveTokens(bot.id, late, { replaces: 'first' })).toBe(false);
    expect(await store.bots.requireReauth(bot.id, { holding: 'first' })).toBe(false);
    expect(await store.bots.tokens(bot.id)).toMatchObject({ accessToken: 'second' });
    expect((await store.bots.get(bot.id))?.state).toBe('ok');
    expect(await store.bots.saveTokens(bot.id, late, { replaces: 'second' })).toBe(true);
    expect(await store.bots.requireReauth(bot.id, { holding: 'late' })).toBe(true);
    expect(await store.bots.requireReauth(bot.id, { holding: 'late' })).toBe(false);
    expect((await store.bots.get(bot.id))?.state).toBe('reauth_required');
  });

  test("another bot's name is refused, and the same user may come in several times at once", async () => {
    await store.bots.upsert(grant('1', { name: 'main' }));
    await expect(store.bots.upsert(grant('2', { name: 'main' }))).rejects.toMatchObject({
      code: 'name_taken',
      status: 409,
    });
    const all = await Promise.all(Array.from({ length: 8 }, () => store.bots.upsert(grant('3'))));
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(all.map(({ bot }) => bot.id)).size).toBe(1);
    expect((await store.bots.tokens(all[0]?.bot.id ?? ''))?.accessToken).toBe('access-3');
  });

  test('coverage moves forward only, and several bots go in one call', async () => {
    const { bot } = await store.bots.upsert(grant('1'));
    const { bot: second } = await store.bots.upsert(grant('2'));
    await store.bots.saveCoverage([
      { id: bot.id, at: 2000 },
      { id: second.id, at: 3000 },
    ]);
    await store.bots.saveCoverage([{ id: bot.id, at: 1000 }]);
    expect((await store.bots.get(bot.id))?.coveredUntil).toBe(2000);
    expect((await store.bots.get(second.id))?.coveredUntil).toBe(3000);
  });

  test('tokens sealed with a retired key are sealed again with the first one', async () => {
    const { bot } = await store.bots.upsert(grant('1'));
    const rotated = createStore(database, createSealer([otherKey, key]), clock);
    expect(await rotated.bots.reseal()).toBe(1);
    expect(await rotated.bots.reseal()).toBe(0);
    const after = createStore(database, createSealer([otherKey]), clock);
    expect((await after.bots.tokens(bot.id))?.accessToken).toBe('access-1');
    await expect(store.bots.tokens(bot.id)).rejects.toMatchObject({ code: 'seal_unknown_key' });
  });

  test('a token moved to another row does not open', async () => {
    const { bot } = await store.bots.upsert(grant('1'));
    const { bot: second } = await store.bots.upsert(grant('2'));
    await database.pool.query(
      'UPDATE bot_account SET access_token = (SELECT access_token FROM bot_account WHERE id = $1) WHERE id = $2',
      [bot.id, second.id],
    );
    await expect(store.bots.tokens(second.id)).rejects.toMatchObject({ code: 'seal_tampered' });
  });
});

describe('services', () => {
  test('a created service logs in with its secret and with nothing else', async () => {
    const { service, clientSecret } = await store.services.create('worker');
    expect(await store.services.authenticate(service.clientId, clientSecret)).toEqual({ ok: true, service });
    const unknown = { ok: false, reason: 'unknown' };
    expect(await store.services.authenticate(service.clientId, `${clientSecret}x`)).toEqual(unknown);
    expect(await store.services.authenticate('nobody', clientSecret)).toEqual(unknown);
    expect(await store.services.authenticate(service.clientId, '')).toEqual(unknown);
    await expect(store.services.create('worker')).rejects.toMatchObject({ code: 'name_taken', status: 409 });
    await store.services.patch(service.clientId, { enabled: false });
    expect(await store.services.authenticate(service.clientId, clientSecret)).toEqual({
      ok: false,
      reason: 'disabled',
    });
    expect(await store.services.authenticate(service.clientId, 'wrong')).toEqual(unknown);
  });

  test('both secrets work during the grace, by the clock, and with none the old one dies at once', async () => {
    const { service, clientSecret: first } = await store.services.create('worker');
    const works = async (secret: string) => (await store.services.authenticate(service.clientId, secret)).ok;
    const second = await store.services.regenerate(service.clientId, 60);
    expect(second?.previousValidUntil).toBeGreaterThan(clock.now());
    expect([await works(first), await works(second?.clientSecret ?? '')]).toEqual([true, true]);
    await clock.advance(61_000);
    expect([await works(first), await works(second?.clientSecret ?? '')]).toEqual([false, true]);
    const third = await store.services.regenerate(service.clientId, 0);
    expect(third?.previousValidUntil).toBeNull();
    expect([await works(second?.clientSecret ?? ''), await works(third?.clientSecret ?? '')]).toEqual([
      false,
      true,
    ]);
    expect(await store.services.regenerate('nobody', 0)).toBeUndefined();
    expect(changes.at(-1)).toMatchObject({ kind: 'service', what: 'secret', previousValidUntil: null });
  });

  test('removing one takes its interests along and names the bots; foreign ones stay', async () => {
    const { bot, service } = await botAndService();
    const { service: other } = await store.services.create('other');
    await store.interests.create(wish(service.id, spec(bot.id)));
    await store.interests.create(wish(other.id, spec(bot.id)));
    changes.length = 0;
    expect(await store.services.remove(service.clientId)).toEqual({ botAccountIds: [bot.id] });
    expect(await store.services.remove(service.clientId)).toBeUndefined();
    expect(changes).toEqual([
      { kind: 'service', serviceAccountId: service.id, clientId: service.clientId, what: 'removed' },
      { kind: 'interests', botAccountIds: [bot.id], serviceAccountIds: [service.id] },
    ]);
    expect(await store.topics.all()).toMatchObject([{ wanted: true, interestCount: 1 }]);
  });

  test('being seen is written together, at most once a minute', async () => {
    const { service } = await store.services.create('worker');
    for (let index = 0; index < 100; index++) store.services.touch(service.id);
    expect(clock.pending).toBe(1);
    await store.close();
    expect(clock.pending).toBe(0);
    const seen = (await store.services.list()).find(({ id }) => id === service.id)?.lastSeenAt ?? 0;
    expect(Math.abs(clock.now() - seen)).toBeLessThan(10_000);
    store.services.touch(service.id);
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    store.services.touch(service.id);
    expect(clock.pending).toBe(1);
    await store.close();
  });
});

describe('interests and topics', () => {
  test('fifty identical creates at once make one interest and one topic', async () => {
    const { bot, service } = await botAndService();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => store.interests.create(wish(service.id, spec(bot.id)))),
    );
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(all.map(({ interest }) => interest.id)).size).toBe(1);
    expect(await store.interests.list(service.id, { limit: 100 })).toHaveLength(1);
    expect(await store.topics.all()).toMatchObject([
      { id: topicId(spec(bot.id)), wanted: true, interestCount: 1 },
    ]);
  });

  test('creating and removing at once leaves no interest without a topic and loses no wish', async () => {
    const { bot, service } = await botAndService();
    const topic = spec(bot.id);
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const url = `https://example.com/${index}`;
        const made = await store.interests.create({
          ...wish(service.id, topic),
          transport: 'webhook',
          webhookUrl: url,
        });
        if (index % 2 === 0) {
          await store.interests.remove(service.id, made.interest.id);
          await store.topics.removeIfUnwanted(topicId(topic));
        }
      }),
    );
    expect(await store.interests.list(service.id, { limit: 100 })).toHaveLength(15);
    expect(await store.topics.removeIfUnwanted(topicId(topic))).toBe(false);
  });

  test('an unwanted topic goes, and comes back with the same id', async () => {
    const { bot, service } = await botAndService();
    const first = await store.interests.create(wish(service.id, spec(bot.id)));
    expect(await store.topics.removeIfUnwanted(first.interest.topic.id)).toBe(false);
    expect(await store.interests.remove(service.id, first.interest.id)).toBe(true);
    expect(await store.interests.remove(service.id, first.interest.id)).toBe(false);
    expect(await store.topics.removeIfUnwanted(first.interest.topic.id)).toBe(true);
    const again = await store.interests.create(wish(service.id, spec(bot.id)));
    expect(again).toMatchObject({ created: true, interest: { topic: { id: first.interest.topic.id } } });
  });

  test('wishing again for what was rejected makes it pending again', async () => {
    const { bot, service } = await botAndService();
    const { interest } = await store.interests.create(wish(service.id, spec(bot.id)));
    await store.topics.update(interest.topic.id, {
      state: 'rejected',
      reason: 'no scope',
      code: 'missing_scope',
      retryAt: 5000,
    });
    expect(await store.interests.get(service.id, interest.id)).toMatchObject({
      topic: { state: 'rejected', reason: 'no scope', code: 'missing_scope', retryAt: 5000 },
    });
    changes.length = 0;
    const again = await store.interests.create(wish(service.id, spec(bot.id)));
    expect(again).toMatchObject({
      created: false,
      interest: { id: interest.id, topic: { state: 'pending', retryAt: null } },
    });
    expect(changes.map(({ kind }) => kind)).toEqual(['interests', 'topic']);
    changes.length = 0;
    await store.interests.create(wish(service.id, spec(bot.id)));
    expect(changes).toEqual([]);
  });

  test('an unknown bot and an unknown service are told apart, and nothing is left behind', async () => {
    const { bot, service } = await botAndService();
    await expect(store.interests.create(wish(service.id, spec(randomUUID())))).rejects.toMatchObject({
      code: 'unknown_bot',
    });
    await expect(store.interests.create(wish(randomUUID(), spec(bot.id)))).rejects.toMatchObject({
      code: 'unknown_service',
    });
    expect(await store.topics.all()).toEqual([]);
  });

  test('a page begins behind the one before, and nobody sees the interests of another service', async () => {
    const { bot, service } = await botAndService();
    const { service: other } = await store.services.create('other');
    for (const broadcaster of ['1', '2', '3'])
      await store.interests.create(wish(service.id, spec(bot.id, broadcaster)));
    const foreign = await store.interests.create(wish(other.id, spec(bot.id, '1')));
    const first = await store.interests.list(service.id, { limit: 2 });
    const second = await store.interests.list(service.id, { limit: 2, after: first.at(-1)?.id });
    expect(new Set([...first, ...second].map(({ id }) => id)).size).toBe(3);
    expect(await store.interests.get(service.id, foreign.interest.id)).toBeUndefined();
    expect(await store.interests.get(service.id, 'x')).toBeUndefined();
    expect(await store.interests.remove(service.id, foreign.interest.id)).toBe(false);
  });

  test('filters are of enabled services, over every transport, one row per topic and endpoint', async () => {
    const { bot, service } = await botAndService();
    const { service: other } = await store.services.create('other');
    await store.interests.create(wish(service.id, spec(bot.id), 7));
    const { interest } = await store.interests.create({
      ...wish(service.id, spec(bot.id), 3),
      transport: 'webhook',
      webhookUrl: 'http://a/',
    });
    await store.interests.create(wish(other.id, spec(bot.id), 9));
    const row = { topicId: topicId(spec(bot.id)), type: 'channel.follow', serviceAccountId: service.id };
    const rows = await store.interests.filters(service.id);
    expect(rows.toSorted((one, two) => one.createdSeq - two.createdSeq)).toEqual([
      { ...row, createdSeq: 3, endpointId: interest.endpointId },
      { ...row, createdSeq: 7, endpointId: null },
    ]);
    expect(interest.endpointId).not.toBeNull();
    expect(await store.interests.filters()).toHaveLength(3);
    changes.length = 0;
    await store.services.patch(other.clientId, { enabled: false });
    expect(changes.map(({ kind }) => kind)).toEqual(['service', 'interests']);
    expect(await store.interests.filters()).toHaveLength(2);
    await store.services.patch(service.clientId, { enabled: false });
    expect(await store.topics.forBot(bot.id)).toMatchObject([{ wanted: false, interestCount: 3 }]);
    expect(await store.topics.interestsOf(row.topicId)).toHaveLength(3);
  });

  test('a patch sets what it names and nothing else, and tells whether there was a topic', async () => {
    const { bot, service } = await botAndService();
    const { id } = (await store.interests.create(wish(service.id, spec(bot.id, '1')))).interest.topic;
    await store.topics.update(id, { state: 'active', subscriptionId: 's1', cost: 1 });
    await store.topics.update(id, { gapFrom: 4000, gapCause: 'upstream_silence' });
    const [found] = await store.topics.forBot(bot.id);
    expect(found).toMatchObject({
      state: 'active',
      subscriptionId: 's1',
      cost: 1,
      gapFrom: 4000,
      gapCause: 'upstream_silence',
    });
    expect(await store.topics.update(id, { gapFrom: null, gapCause: null })).toBe(true);
    expect(await store.topics.update(randomUUID(), { state: 'active' })).toBe(false);
  });

  test('confirmations that come at once are all written, whatever one of them is', async () => {
    const { bot, service } = await botAndService();
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) {
      const { interest } = await store.interests.create(wish(service.id, spec(bot.id, String(n))));
      ids.push(interest.topic.id);
    }
    await store.topics.update(ids[0] ?? '', { cost: 7 });
    const confirm = (id: string, subscriptionId: string, cost?: number) =>
      store.topics.update(id, {
        state: 'active',
        code: null,
        reason: null,
        retryAt: null,
        subscriptionId,
        ...(cost === undefined ? {} : { cost }),
      });
    changes.length = 0;
    const outcomes = await Promise.allSettled([
      ...ids.map((id, n) => (n === 0 ? confirm(id, 'sub0') : confirm(id, `sub${n}`, n))),
      confirm(randomUUID(), 'nobody'),
      // PostgreSQL takes no such text.
      confirm(ids[5] ?? '', 'a\u0000b', 1),
    ]);
    expect(outcomes.slice(0, 30).every((each) => each.status === 'fulfilled' && each.value)).toBe(true);
    expect(outcomes[30]).toMatchObject({ status: 'fulfilled', value: false });
    expect(outcomes[31]).toMatchObject({ status: 'rejected' });
    const found = await store.topics.forBot(bot.id);
    const byId = new Map(found.map((topic) => [topic.id, topic]));
    expect(ids.map((id) => byId.get(id)?.state)).toEqual(ids.map(() => 'active'));
    expect(ids.map((id) => byId.get(id)?.subscriptionId)).toEqual(ids.map((_, n) => `sub${n}`));
    // The first one's cost was not named.
    expect(ids.map((id) => byId.get(id)?.cost)).toEqual(ids.map((_, n) => (n === 0 ? 7 : n)));
    expect(changes.filter(({ kind }) => kind === 'topic')).toHaveLength(30);
  });
});

describe('consumers', () => {
  test('a consumer begins where it is told to, and knows whether its last end was clean', async () => {
    const { service } = await botAndService();
    const first = await store.consumers.open(service.id, 'default', { startSeq: 40 });
    expect(first).toMatchObject({
      created: true,
      wasOpen: false,
      consumer: { ackedSeq: 40, sentSeq: 40, attempt: 1 },
    });
    expect(await store.consumers.open(service.id, 'default', { startSeq: 99 })).toMatchObject({
      created: false,
      wasOpen: true,
      consumer: { ackedSeq: 40 },
    });
    const { consumer } = first;
    await store.consumers.save([{ ...consumer, ackedSeq: 50, sentSeq: 60, attempt: 2, open: false }]);
    expect(await store.consumers.open(service.id, 'default', { startSeq: 0 })).toMatchObject({
      wasOpen: false,
      consumer: { ackedSeq: 50, sentSeq: 60, attempt: 2 },
    });
  });

  test('an acknowledgement never goes back, a reset does', async () => {
    const { service } = await botAndService();
    const { consumer } = await store.consumers.open(service.id, 'a', { startSeq: 10 });
    await store.consumers.open(service.id, 'b', { startSeq: 10 });
    await store.consumers.save([
      { ...consumer, ackedSeq: 30, sentSeq: 30 },
      { ...consumer, ackedSeq: 20, sentSeq: 35 },
      { ...consumer, name: 'b', ackedSeq: 9_007_199_254_740_991, sentSeq: 9_007_199_254_740_991 },
      { ...consumer, name: 'gone' },
    ]);
    await store.consumers.save([{ ...consumer, ackedSeq: 5, sentSeq: 5 }]);
    const listed = await store.consumers.list(service.id);
    expect(listed).toMatchObject([
      { name: 'a', ackedSeq: 30, sentSeq: 30 },
      { name: 'b', ackedSeq: 9_007_199_254_740_991 },
    ]);
    expect(await store.consumers.reset(service.id, 'a', 3)).toMatchObject({
      ackedSeq: 3,
      sentSeq: 3,
      attempt: 1,
    });
    expect(await store.consumers.reset(service.id, 'new', 8)).toMatchObject({ ackedSeq: 8, open: false });
  });
});

describe('browser tokens', () => {
  test('a token works once, also for many at once, and not after its time', async () => {
    const { service } = await botAndService();
    const token = await store.wsTokens.issue(service.id, 120);
    const tries = await Promise.all(Array.from({ length: 10 }, () => store.wsTokens.redeem(token)));
    expect(tries.filter((found) => found?.id === service.id)).toHaveLength(1);
    const late = await store.wsTokens.issue(service.id, 120);
    await store.wsTokens.issue(service.id, 120);
    await clock.advance(121_000);
    expect(await store.wsTokens.redeem(late)).toBeUndefined();
    expect(await store.wsTokens.prune()).toBe(1);
    expect(await store.wsTokens.redeem('made up')).toBeUndefined();
  });
});
