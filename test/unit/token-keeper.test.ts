// Who holds the tokens: one refresh however many ask, saved before anybody uses it, and nothing secret in what is said.
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/domain/errors.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import type {
  OAuth,
  RefreshOutcome,
  RevokeOutcome,
  ValidateOutcome,
} from '../../src/upstream/twitch/oauth.ts';
import {
  createTokenKeeper,
  type StoredTokens,
  type TokenStore,
} from '../../src/upstream/twitch/token-keeper.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const clientId = 'client';
const refreshed = (accessToken: string): RefreshOutcome => ({
  kind: 'refreshed',
  token: { accessToken, refreshToken: 'refresh-secret-2', scopes: ['a'], expiresAt: null },
});
const valid = (
  over: Partial<Extract<ValidateOutcome, { kind: 'valid' }>['facts']> = {},
): ValidateOutcome => ({
  kind: 'valid',
  facts: { userId: '1', login: 'bot', clientId, scopes: ['a'], expiresAt: 99, ...over },
});

function setUp(over: Partial<StoredTokens> = {}) {
  const rows = new Map<string, StoredTokens>([
    ['bot', { accessToken: 'old-secret', refreshToken: 'refresh-secret', expiresAt: null, ...over }],
  ]);
  const seen = {
    refreshes: [] as string[],
    validates: [] as string[],
    revokes: [] as string[],
    reauth: [] as string[],
    cleared: 0,
    validated: 0,
  };
  const script = {
    refresh: (): Promise<RefreshOutcome> => Promise.resolve(refreshed('new-secret')),
    validate: (): Promise<ValidateOutcome> => Promise.resolve(valid()),
    revoke: (): Promise<RevokeOutcome> => Promise.resolve({ kind: 'revoked' }),
    save: (): Promise<void | false> => Promise.resolve(),
  };
  const flagged = new Set<string>();
  const store: TokenStore = {
    tokens: (id) => Promise.resolve(rows.get(id)),
    async saveTokens(id, tokens, only) {
      await script.save();
      if (only && rows.get(id)?.accessToken !== only.replaces) return false;
      rows.set(id, tokens);
      return true;
    },
    setValidated: () => Promise.resolve(void seen.validated++),
    requireReauth(id) {
      const first = !flagged.has(id);
      flagged.add(id);
      return Promise.resolve(first);
    },
    clearReauth: () => Promise.resolve(void seen.cleared++),
  };
  const oauth: Pick<OAuth, 'refresh' | 'validate' | 'revoke'> = {
    revoke(token) {
      seen.revokes.push(token);
      return script.revoke();
    },
    refresh(token) {
      seen.refreshes.push(token);
      return script.refresh();
    },
    validate(token) {
      seen.validates.push(token);
      return script.validate();
    },
  };
  const clock = new ShiftClock();
  const keeper = createTokenKeeper({
    store,
    oauth,
    clock,
    clientId,
    onReauth: (botId, reason) => seen.reauth.push(`${botId}: ${reason}`),
  });
  return { rows, seen, script, store, clock, keeper };
}

describe('renewing', () => {
  it('asks once when ten ask at once, and gives all of them the saved token', async () => {
    const { keeper, seen, rows } = setUp();
    const got = await Promise.all(Array.from({ length: 10 }, () => keeper.renew('bot', 'old-secret')));
    expect(seen.refreshes).toEqual(['refresh-secret']);
    expect(got).toEqual(Array.from({ length: 10 }, () => ({ kind: 'token', accessToken: 'new-secret' })));
    expect(rows.get('bot')).toMatchObject({ accessToken: 'new-secret', refreshToken: 'refresh-secret-2' });
  });

  it('does not refresh for a token that somebody has replaced already', async () => {
    const { keeper, seen } = setUp();
    expect(await keeper.renew('bot', 'older')).toEqual({ kind: 'token', accessToken: 'old-secret' });
    expect(seen.refreshes).toEqual([]);
  });

  it('hands nothing out before it is saved', async () => {
    const { keeper, script } = setUp();
    const saving = deferred<void>();
    script.save = () => saving.promise;
    let settled = false;
    const got = keeper.renew('bot', 'old-secret').then((outcome) => {
      settled = true;
      return outcome;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    saving.resolve();
    expect(await got).toMatchObject({ kind: 'token' });
  });

  it('does not lose a pair that could not be saved: the next try saves it without asking again', async () => {
    const { keeper, seen, script, rows } = setUp();
    script.save = () => Promise.reject(new Error('the database is away'));
    await expect(keeper.renew('bot', 'old-secret')).rejects.toThrow('the database is away');
    script.save = () => Promise.resolve();
    expect(await keeper.renew('bot', 'old-secret')).toEqual({ kind: 'token', accessToken: 'new-secret' });
    expect(seen.refreshes).toHaveLength(1);
    expect(rows.get('bot')?.accessToken).toBe('new-secret');
  });

  it('tries again after Twitch was away', async () => {
    const { keeper, seen, script } = setUp();
    script.refresh = () => Promise.resolve({ kind: 'unreachable', why: 'Twitch answered 503' });
    expect(await keeper.renew('bot', 'old-secret')).toEqual({ kind: 'later', reason: 'Twitch answered 503' });
    script.refresh = () => Promise.resolve(refreshed('new-secret'));
    expect(await keeper.renew('bot', 'old-secret')).toEqual({ kind: 'token', accessToken: 'new-secret' });
    expect(seen.refreshes).toHaveLength(2);
    expect(seen.reauth).toEqual([]);
  });

  it('says once that the grant is gone', async () => {
    const { keeper, seen, script } = setUp();
    script.refresh = () => Promise.resolve({ kind: 'invalid' });
    for (let asked = 0; asked < 3; asked++)
      expect((await keeper.renew('bot', 'old-secret')).kind).toBe('reauth');
    expect(seen.reauth).toHaveLength(1);
    expect(seen.reauth[0]).not.toMatch(/secret/);
  });

  it('asks nobody when there is no refresh token', async () => {
    const { keeper, seen } = setUp({ refreshToken: null });
    expect((await keeper.renew('bot', 'old-secret')).kind).toBe('reauth');
    expect(seen.refreshes).toEqual([]);
    expect(seen.reauth).toHaveLength(1);
  });
});

describe('a refresh that somebody asks for', () => {
  it('replaces a token that is still good, in one call however many ask', async () => {
    const { keeper, seen, rows } = setUp();
    const all = await Promise.all([
      keeper.renew('bot', 'old-secret'),
      keeper.refresh('bot'),
      keeper.refresh('bot'),
    ]);
    expect(all).toEqual(Array.from({ length: 3 }, () => ({ kind: 'token', accessToken: 'new-secret' })));
    expect(seen.refreshes).toEqual(['refresh-secret']);
    expect(rows.get('bot')?.accessToken).toBe('new-secret');
    expect(seen.cleared).toBe(1);
  });

  it('says why not', async () => {
    const without = setUp({ refreshToken: null });
    expect(await without.keeper.refresh('bot')).toEqual({ kind: 'no_refresh_token' });
    expect(without.seen.reauth).toEqual([]);
    const dead = setUp();
    dead.script.refresh = () => Promise.resolve({ kind: 'invalid' });
    expect((await dead.keeper.refresh('bot')).kind).toBe('reauth');
    expect(dead.seen.reauth).toHaveLength(1);
    const away = setUp();
    away.script.refresh = () => Promise.resolve({ kind: 'unreachable', why: 'Twitch answered 503' });
    expect(await away.keeper.refresh('bot')).toEqual({ kind: 'later', reason: 'Twitch answered 503' });
    expect((await away.keeper.refresh('stranger')).kind).toBe('reauth');
  });
});

describe('giving the grant back', () => {
  const still = () => Promise.resolve(true);

  it('revokes the stored token', async () => {
    const { keeper, seen } = setUp();
    expect(await keeper.revoke('bot', still)).toBe('gone');
    expect(seen.revokes).toEqual(['old-secret']);
  });

  it('renews a dead token to reach the grant behind it, and is done when there is none', async () => {
    const { keeper, script, seen } = setUp();
    script.revoke = () => Promise.resolve({ kind: seen.revokes.length === 1 ? 'invalid' : 'revoked' });
    expect(await keeper.revoke('bot', still)).toBe('gone');
    expect(seen.revokes).toEqual(['old-secret', 'new-secret']);
    const dead = setUp({ refreshToken: null });
    dead.script.revoke = () => Promise.resolve({ kind: 'invalid' });
    expect(await dead.keeper.revoke('bot', still)).toBe('gone');
    expect(dead.seen.reauth).toEqual([]);
  });

  it('gives back what a refresh brings at that moment, not what it replaces', async () => {
    const { keeper, script, seen } = setUp();
    const answer = deferred<RefreshOutcome>();
    script.refresh = () => answer.promise;
    const refreshing = keeper.refresh('bot');
    await expect.poll(() => seen.refreshes).toHaveLength(1);
    const revoking = keeper.revoke('bot', () => Promise.resolve(true));
    answer.resolve(refreshed('new-secret'));
    expect([await refreshing, await revoking]).toMatchObject([{ kind: 'token' }, 'gone']);
    expect(seen.revokes).toEqual(['new-secret']);
  });

  it('waits for Twitch, and leaves a bot alone that was brought in again', async () => {
    const { keeper, script, seen } = setUp();
    script.revoke = () => Promise.resolve({ kind: 'unreachable', why: 'network failure' });
    expect(await keeper.revoke('bot', still)).toBe('later');
    expect(await keeper.revoke('bot', () => Promise.resolve(false))).toBe('not_any_more');
    expect(seen.revokes).toHaveLength(1);
  });

  it('has nothing to give back when no key opens the tokens', async () => {
    const { keeper, store, seen } = setUp();
    store.tokens = () => Promise.reject(new RelayError('seal_unknown_key', 500, 'sealed with another key'));
    expect(await keeper.revoke('bot', still)).toBe('gone');
    store.tokens = () => Promise.reject(new Error('the database is away'));
    await expect(keeper.revoke('bot', still)).rejects.toThrow('away');
    expect(seen.revokes).toEqual([]);
  });
});

describe('handing out', () => {
  it('renews a minute before the end, and not earlier', async () => {
    const soon = setUp();
    soon.rows.set('bot', {
      accessToken: 'old-secret',
      refreshToken: 'r',
      expiresAt: soon.clock.now() + 59_000,
    });
    expect(await soon.keeper.usable('bot')).toEqual({ kind: 'token', accessToken: 'new-secret' });
    const later = setUp();
    later.rows.set('bot', {
      accessToken: 'old-secret',
      refreshToken: 'r',
      expiresAt: later.clock.now() + 90_000,
    });
    expect(await later.keeper.usable('bot')).toEqual({ kind: 'token', accessToken: 'old-secret' });
  });

  it('knows no token of a stranger', async () => {
    expect(await setUp().keeper.usable('stranger')).toEqual({ kind: 'reauth', reason: 'no token is stored' });
  });
});

describe('validating', () => {
  it('writes down that the token stands, or renews it', async () => {
    const { keeper, seen, script } = setUp();
    expect(await keeper.validate('bot')).toEqual({ kind: 'token', accessToken: 'old-secret' });
    expect(seen.validated).toBe(1);
    script.validate = () => Promise.resolve({ kind: 'invalid' });
    expect(await keeper.validate('bot')).toEqual({ kind: 'token', accessToken: 'new-secret' });
    script.validate = () => Promise.resolve({ kind: 'unreachable', why: 'network failure' });
    expect(await keeper.validate('bot')).toEqual({ kind: 'later', reason: 'network failure' });
    expect(seen.reauth).toEqual([]);
  });
});

describe('inspecting what somebody brings in', () => {
  const brought = { accessToken: 'old-secret', refreshToken: 'refresh-secret', scopes: undefined };
  const refusal = async (run: Promise<unknown>) => {
    const error: unknown = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof RelayError)) throw new Error('it was not refused');
    expect(JSON.stringify([error.message, error.errors, error.extra, String(error.stack)])).not.toMatch(
      /secret/,
    );
    return { code: error.code, status: error.status };
  };

  it('accepts a good one, and one that a refresh makes good', async () => {
    const { keeper, script } = setUp();
    expect((await keeper.inspect(brought)).tokens.accessToken).toBe('old-secret');
    let asked = 0;
    script.validate = () => Promise.resolve(asked++ === 0 ? { kind: 'invalid' } : valid());
    expect((await keeper.inspect(brought)).tokens).toEqual({
      accessToken: 'new-secret',
      refreshToken: 'refresh-secret-2',
      expiresAt: 99,
    });
  });

  it('says what is wrong with a bad one', async () => {
    const { keeper, script } = setUp();
    script.validate = () => Promise.resolve(valid({ clientId: 'another' }));
    expect(await refusal(keeper.inspect(brought))).toEqual({ code: 'wrong_client', status: 422 });
    script.validate = () => Promise.resolve(valid());
    expect(await refusal(keeper.inspect({ ...brought, scopes: ['a', 'b'] }))).toEqual({
      code: 'missing_scopes',
      status: 422,
    });
    script.validate = () => Promise.resolve({ kind: 'invalid' });
    script.refresh = () => Promise.resolve({ kind: 'invalid' });
    expect(await refusal(keeper.inspect(brought))).toEqual({ code: 'token_invalid', status: 422 });
    script.refresh = () => Promise.resolve({ kind: 'unreachable', why: 'Twitch answered 503' });
    expect(await refusal(keeper.inspect(brought))).toEqual({ code: 'twitch_unreachable', status: 503 });
  });
});
