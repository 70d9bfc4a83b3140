// A bot is taken out: owners told, subscriptions and grant given back, row deleted; whatever is away meanwhile, and
// wherever the relay is stopped in between.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../../src/runtime/deferred.ts';
import { until } from '../support/until.ts';
import { Rig, userId } from './upstream-rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.open();
});

afterEach(async () => {
  await rig.close();
  expect(rig.clock.pending).toBe(0);
});

const steps = ['owners_told', 'subscriptions_removed', 'grant_revoked', 'forgotten'];
const gone = () => until(() => rig.rows.bot === undefined, { what: 'the end of the bot' });
const open = () => rig.sim.sessions().filter((each) => each.open).length;

function everythingIsGone(): void {
  expect(rig.rows.interests).toEqual([]);
  expect(rig.sim.subscriptions()).toEqual([]);
  expect(open()).toBe(0);
  // After a restart what is left of the grant is given back again.
  expect(new Set(rig.sim.revokes().map((each) => each.userId))).toEqual(new Set([userId]));
  const told = rig.eventsOf('relay.interest.revoked');
  expect(told.map(({ audience }) => audience)).toEqual([
    { kind: 'service', serviceAccountId: 'service-0' },
    { kind: 'service', serviceAccountId: 'service-1' },
  ]);
  for (const { body } of told) expect(body).toContain('"code":"bot_removed"');
}

describe('taking a bot out', () => {
  it('does it in this order', async () => {
    await rig.live();
    rig.rows.remove();
    rig.wake();
    await gone();
    expect(rig.told).toEqual(steps);
    expect(rig.sim.revokes()).toHaveLength(1);
    expect(rig.rows.log).toEqual(['removeInterests', 'forgetBot']);
    everythingIsGone();
    await until(() => rig.upstream.statuses().length === 0);
  });

  it('does not delete an interest before what its owner is told is durable, nor hold up a stop', async () => {
    await rig.live();
    const writing = deferred<void>();
    rig.durable = writing.promise;
    rig.rows.remove();
    rig.wake();
    await until(() => rig.upstream.status('bot')?.detail === 'being removed');
    await rig.stop();
    expect(rig.rows.interests).toHaveLength(2);
    writing.resolve();
    await rig.start();
    await gone();
    everythingIsGone();
  });

  it('tells an owner who came in between, too', async () => {
    await rig.live();
    const late = { ...rig.rows.interests[0], id: 'late', serviceAccountId: 'service-2' };
    rig.rows.remove();
    const hung = rig.sim.arm({ name: 'auth_hangs', on: 'revoke', ms: 100 });
    rig.wake();
    await rig.sim.waitFor(() => hung.fired() === 1);
    rig.rows.interests.push({ botAccountId: 'bot', topicId: '', ...late });
    await gone();
    expect(rig.rows.interests).toEqual([]);
    expect(rig.eventsOf('relay.interest.revoked').map(({ id }) => id)).toContain('relay-removed-late');
  });
});

describe('while Twitch is away', () => {
  it('keeps the row and tries again', async () => {
    await rig.live();
    const faults = [
      rig.sim.arm({ name: 'helix', on: 'delete', status: 503, times: 4 }),
      rig.sim.arm({ name: 'auth', on: 'revoke', status: 503, times: 2 }),
    ];
    rig.rows.remove();
    rig.wake();
    await until(() => rig.told.includes('not subscriptions_removed'));
    await until(() => open() === 0);
    expect(rig.rows.bot).toBeDefined();
    await gone();
    expect(faults.map((fault) => fault.fired())).toEqual([4, 2]);
    expect(rig.told.filter((each) => each.startsWith('not '))).toEqual([
      'not subscriptions_removed',
      'not subscriptions_removed',
      'not grant_revoked',
      'not grant_revoked',
    ]);
    everythingIsGone();
  });

  it('does not insist on deleting what Twitch will not delete: giving the grant back ends it', async () => {
    await rig.live();
    const fault = rig.sim.arm({ name: 'helix', on: 'delete', status: 403, times: 1_000 });
    rig.rows.remove();
    rig.wake();
    await gone();
    // Two subscriptions, six passes.
    expect(fault.fired()).toBe(12);
    expect(open()).toBe(0);
    expect(rig.sim.revokes()).toHaveLength(1);
  });

  it('says so', async () => {
    await rig.live();
    const fault = rig.sim.arm({ name: 'auth', on: 'revoke', status: 503, times: 1_000 });
    rig.rows.remove();
    rig.wake();
    await until(() => rig.upstream.status('bot')?.detail.includes('Twitch has not confirmed it yet'));
    expect(rig.upstream.status('bot')?.healthy).toBe(false);
    fault.disarm();
    await gone();
  });
});

describe('a stop at', () => {
  it.each(['interestsOfBot', 'removeInterests', 'topics', 'updateTopic', 'forgetBot'])(
    '%s: the next start goes on',
    async (name) => {
      await rig.live();
      rig.rows.failAt = name;
      rig.rows.remove();
      rig.wake();
      await until(() => rig.failures > 0);
      await rig.stop();
      expect(rig.rows.bot).toBeDefined();
      await rig.start();
      await gone();
      everythingIsGone();
    },
  );

  it('any moment before it began: sockets are not opened again for it', async () => {
    await rig.live();
    await rig.stop();
    const before = rig.sim.connections.length;
    rig.rows.remove();
    await rig.start();
    await gone();
    expect(rig.sim.connections).toHaveLength(before);
    everythingIsGone();
  });
});

describe('a bot whose grant is gone', () => {
  it('is taken out without a word to Twitch', async () => {
    await rig.live();
    rig.sim.revokeGrant(userId);
    await until(() => rig.rows.bot?.state === 'reauth_required');
    const asked = ['delete', 'list', 'revoke'].map((each) => rig.requests(each));
    rig.rows.remove();
    rig.wake();
    await gone();
    expect(['delete', 'list', 'revoke'].map((each) => rig.requests(each))).toEqual(asked);
    expect(rig.eventsOf('relay.interest.revoked').length).toBeGreaterThanOrEqual(2);
    expect(open()).toBe(0);
  });

  it('is taken out also when that comes to light only now', async () => {
    await rig.live();
    const { tokens } = rig.rows;
    if (!tokens) throw new Error('no tokens');
    rig.sim.expireToken(tokens.accessToken);
    rig.rows.tokens = { ...tokens, refreshToken: 'never-given' };
    rig.rows.remove();
    rig.wake();
    await gone();
    expect(rig.rows.interests).toEqual([]);
    // Their owners hear of the removal, not of a grant that is to be renewed.
    expect(rig.eventsOf('relay.bot.reauth_required')).toEqual([]);
  });
});

describe('a bot that is brought in again meanwhile', () => {
  it('keeps its grant and its row, and works like any other', async () => {
    await rig.live();
    const hung = rig.sim.arm({ name: 'helix_hangs', on: 'delete', ms: 100 });
    rig.rows.remove();
    rig.wake();
    await rig.sim.waitFor(() => hung.fired() === 1);
    rig.authorise();
    rig.rows.wish();
    const { tokens } = rig.rows;
    await until(() => rig.upstream.status('bot')?.confirmed === 2 && rig.upstream.status('bot')?.healthy);
    expect(rig.rows.bot).toMatchObject({ removedAt: null, state: 'ok' });
    expect(rig.rows.tokens).toEqual(tokens);
    expect(rig.sim.revokes()).toEqual([]);
    expect(rig.rows.interests).toHaveLength(2);
    expect(open()).toBe(1);
  });

  it('even at the last moment', async () => {
    await rig.live();
    const { store } = rig.rows;
    const usual = { ...store };
    store.forgetBot = (id) => {
      rig.authorise();
      rig.rows.wish();
      return usual.forgetBot(id);
    };
    rig.rows.remove();
    rig.wake();
    await until(() => rig.rows.log.includes('forgetBot'));
    store.forgetBot = (id) => usual.forgetBot(id);
    await until(() => rig.upstream.status('bot')?.confirmed === 2);
    expect(rig.rows.bot).toMatchObject({ removedAt: null });
  });
});
