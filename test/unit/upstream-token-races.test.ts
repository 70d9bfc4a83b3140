// A refresh and an import of the same bot at the same moment: what somebody has just brought in always wins.
import { expect, it } from 'vitest';
import { deferred } from '../../src/runtime/deferred.ts';
import type { RefreshOutcome } from '../../src/upstream/twitch/oauth.ts';
import { createTokenKeeper, type StoredTokens } from '../../src/upstream/twitch/token-keeper.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function setUp(beforeSave: () => void = () => undefined) {
  let row: StoredTokens = { accessToken: 'old', refreshToken: 'old-refresh', expiresAt: null };
  const answer = deferred<RefreshOutcome>();
  const told: string[] = [];
  const keeper = createTokenKeeper({
    store: {
      tokens: () => Promise.resolve(row),
      saveTokens(_id, tokens, only) {
        beforeSave();
        if (only && row.accessToken !== only.replaces) return Promise.resolve(false);
        row = tokens;
        return Promise.resolve(true);
      },
      setValidated: () => Promise.resolve(),
      requireReauth: () => Promise.resolve(true),
      clearReauth: () => Promise.resolve(),
    },
    oauth: {
      refresh: () => answer.promise,
      validate: () => Promise.reject(new Error('not part of this')),
      revoke: () => Promise.reject(new Error('not part of this')),
    },
    clock: new ShiftClock(),
    clientId: 'client',
    onReauth: (_botId, reason) => told.push(reason),
  });
  const bringIn = (tokens: StoredTokens) => (row = tokens);
  return { keeper, answer, told, bringIn, row: () => row };
}

const brought: StoredTokens = { accessToken: 'brought', refreshToken: 'brought-refresh', expiresAt: null };

it('a refusal of the old refresh token is no verdict on a grant that was brought in meanwhile', async () => {
  const { keeper, answer, told, bringIn } = setUp();
  const renewing = keeper.renew('bot', 'old');
  await Promise.resolve();
  bringIn(brought);
  answer.resolve({ kind: 'invalid' });
  expect(await renewing).toEqual({ kind: 'token', accessToken: 'brought' });
  expect(told).toEqual([]);
});

it('a refreshed pair of the old grant does not replace the one that was brought in meanwhile', async () => {
  const { keeper, answer, bringIn, row } = setUp();
  const renewing = keeper.renew('bot', 'old');
  await Promise.resolve();
  bringIn(brought);
  answer.resolve({
    kind: 'refreshed',
    token: { accessToken: 'renewed', refreshToken: null, scopes: [], expiresAt: null },
  });
  expect(await renewing).toEqual({ kind: 'token', accessToken: 'brought' });
  expect(row()).toEqual(brought);
});

it('what is brought in at the very moment of saving stays', async () => {
  const { keeper, answer, bringIn, row } = setUp(() => bringIn(brought));
  const renewing = keeper.renew('bot', 'old');
  answer.resolve({
    kind: 'refreshed',
    token: { accessToken: 'renewed', refreshToken: null, scopes: [], expiresAt: null },
  });
  expect(await renewing).toEqual({ kind: 'token', accessToken: 'brought' });
  expect(row()).toEqual(brought);
});
