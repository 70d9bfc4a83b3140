// What an admin does to a bot, as the Twitch side sees it: switched off and on, authorised again, renewed, asked about.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { botId, Rig, userId } from './upstream-rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.open();
});

afterEach(async () => {
  await rig.close();
  expect(rig.clock.pending).toBe(0);
});

const open = () => rig.sim.sessions().filter((each) => each.open).length;
const status = () => rig.upstream.status(botId);

function setEnabled(enabled: boolean): void {
  if (rig.rows.bot) rig.rows.bot = { ...rig.rows.bot, enabled };
  rig.wake();
}

describe('a bot that is switched off', () => {
  it('has no socket within a second, is not in trouble, and says when it is back what may be missing', async () => {
    await rig.live();
    const at = performance.now();
    setEnabled(false);
    await until(() => open() === 0 && status()?.detail === 'disabled');
    expect(performance.now() - at).toBeLessThan(1_000);
    expect(status()).toMatchObject({ healthy: true, state: 'none', confirmed: 0 });
    setEnabled(true);
    await until(() => status()?.confirmed === 2 && rig.eventsOf('relay.gap').length > 0);
    expect(status()).toMatchObject({ healthy: true, detail: '' });
    const [gap] = rig.eventsOf('relay.gap');
    expect(gap?.body).toContain('"cause":"revoked"');
  });

  it('is validated like the others, and one that is being taken out is not', async () => {
    await rig.live();
    setEnabled(false);
    await until(() => status()?.detail === 'disabled' && rig.rows.validated >= 1);
    await until(async () => {
      await rig.clock.advance(3_600_000);
      return rig.rows.validated >= 2;
    });
    const fault = rig.sim.arm({ name: 'auth', on: 'revoke', status: 503, times: 1_000_000 });
    rig.rows.remove();
    rig.wake();
    await until(() => fault.fired() > 0);
    const asked = rig.requests('validate');
    await rig.stop();
    await rig.start();
    const before = fault.fired();
    await until(() => fault.fired() > before);
    expect(rig.requests('validate')).toBe(asked);
  });
});

describe('a grant that is gone', () => {
  it('is told once, and a new one heals the session without a restart', async () => {
    await rig.live();
    rig.sim.revokeGrant(userId);
    await until(() => rig.eventsOf('relay.bot.reauth_required').length === 1);
    await until(() => status()?.detail === 'the bot must be authorised again');
    expect(status()?.healthy).toBe(false);
    // What the store does with a new grant.
    rig.authorise();
    for (const [id, topic] of rig.rows.topics)
      rig.rows.topics.set(id, { ...topic, state: 'pending', retryAt: null });
    rig.wake();
    await until(() => status()?.confirmed === 2 && status()?.healthy);
    expect(rig.eventsOf('relay.bot.reauth_required')).toHaveLength(1);
    expect(rig.sim.subscriptions().filter((each) => each.status === 'enabled')).toHaveLength(2);
  });

  it('does not make the new one wait for what the old one had to wait for', async () => {
    rig.rows.wish();
    if (rig.rows.bot) rig.rows.bot = { ...rig.rows.bot, state: 'reauth_required' };
    const later = rig.clock.now() + 3_600_000;
    for (const [id, topic] of rig.rows.topics)
      rig.rows.topics.set(id, { ...topic, state: 'degraded', retryAt: later });
    rig.rows.tokens = undefined;
    await rig.start();
    await until(() => status()?.detail === 'the bot must be authorised again');
    rig.authorise();
    rig.wake();
    await until(() => status()?.confirmed === 2);
  });
});

describe('a refresh that somebody asks for', () => {
  it('gets another token in one call, however many ask', async () => {
    await rig.live();
    const before = rig.rows.tokens?.accessToken;
    const asked = rig.requests('token');
    await Promise.all([rig.upstream.refresh(botId), rig.upstream.refresh(botId)]);
    expect(rig.rows.tokens?.accessToken).not.toBe(before);
    expect(rig.requests('token')).toBe(asked + 1);
  });

  it('heals a bot that was given up too early', async () => {
    await rig.live();
    if (rig.rows.bot) rig.rows.bot = { ...rig.rows.bot, state: 'reauth_required' };
    await rig.upstream.refresh(botId);
    expect(rig.rows.bot?.state).toBe('ok');
  });

  it('says why not', async () => {
    await rig.live();
    const away = rig.sim.arm({ name: 'auth', on: 'token', status: 503 });
    await expect(rig.upstream.refresh(botId)).rejects.toMatchObject({
      code: 'twitch_unreachable',
      status: 503,
    });
    expect(away.fired()).toBe(1);
    const { tokens } = rig.rows;
    if (!tokens) throw new Error('no tokens');
    rig.rows.tokens = { ...tokens, refreshToken: null };
    await expect(rig.upstream.refresh(botId)).rejects.toMatchObject({
      code: 'no_refresh_token',
      status: 422,
    });
    rig.rows.tokens = { ...tokens, refreshToken: 'never-given' };
    await expect(rig.upstream.refresh(botId)).rejects.toMatchObject({ code: 'reauth_required', status: 422 });
    expect(rig.rows.bot?.state).toBe('reauth_required');
  });
});

describe('a Twitch that hangs', () => {
  it.each(['device code', 'refresh'])('does not hold up a stop by an answer about a %s', async (what) => {
    await rig.live();
    if (what === 'device code') {
      await rig.upstream.authorizations.startDevice({ name: undefined, botAccountId: undefined, scopes: [] });
    }
    const fault = rig.sim.arm({ name: 'auth_hangs', on: 'token', ms: 60_000, times: 10 });
    const refreshing = what === 'refresh' ? rig.upstream.refresh(botId).catch(() => 'given up') : undefined;
    await until(async () => {
      if (!refreshing) await rig.clock.advance(1_000);
      return fault.fired() === 1;
    });
    const at = performance.now();
    await rig.stop();
    await refreshing;
    // Of the ten seconds that a stop has by default others need some, too.
    expect(performance.now() - at).toBeLessThan(4_000);
  });
});

describe('asking about the bots', () => {
  it('tells what their tokens are worth and what time Twitch has', async () => {
    await rig.live();
    const well = await rig.upstream.check([botId]);
    expect(well.unreachable).toBeNull();
    expect([...well.tokens]).toEqual([[botId, 'ok']]);
    expect(Math.abs(well.clockAheadMs ?? Number.NaN)).toBeLessThan(2_000);
    rig.sim.revokeGrant(userId);
    expect([...(await rig.upstream.check([botId])).tokens]).toEqual([[botId, 'reauth_required']]);
    expect((await rig.upstream.check([])).unreachable).toBeNull();
  });

  it('notices a clock that is wrong', async () => {
    await rig.live();
    rig.clock.jump(90_000);
    const { clockAheadMs } = await rig.upstream.check([]);
    expect(Math.abs((clockAheadMs ?? 0) - 90_000)).toBeLessThan(2_000);
  });

  it('tells when Twitch is away, and does not wait for it long', async () => {
    await rig.live();
    const away = rig.sim.arm({ name: 'auth', on: 'validate', status: 502 });
    expect(await rig.upstream.check([botId])).toEqual({
      unreachable: 'Twitch answered 502',
      clockAheadMs: null,
      tokens: new Map([[botId, 'unknown']]),
    });
    expect(away.fired()).toBe(1);
    const hung = rig.sim.arm({ name: 'auth_hangs', on: 'validate', ms: 600_000 });
    const checking = rig.upstream.check([botId]);
    await rig.sim.waitFor(() => hung.fired() === 1);
    await rig.clock.advance(5_000);
    expect((await checking).unreachable).toBe('no answer in time');
  });
});
