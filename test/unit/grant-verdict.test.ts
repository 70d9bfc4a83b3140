// What may become of a grant: the whole table.
import { describe, expect, it } from 'vitest';
import type { GrantedBot } from '../../src/upstream/authorization-port.ts';
import { grantVerdict, type GrantInput } from '../../src/upstream/twitch/grant-verdict.ts';

const bot = (over: Partial<GrantedBot> = {}): GrantedBot => ({
  id: 'bot-id',
  name: 'Helper',
  twitchUserId: '1',
  twitchLogin: 'helper',
  state: 'ok',
  scopes: ['a', 'b'],
  ...over,
});
const facts = { userId: '1', login: 'helper', clientId: 'me', scopes: ['a', 'b'], expiresAt: null };
const usual: GrantInput = {
  kind: 'browser',
  clientId: 'me',
  asked: ['a'],
  facts,
  only: null,
  known: undefined,
};

const table: readonly [what: string, over: Partial<GrantInput>, code: string | null, revoke?: boolean][] = [
  ['a stranger who grants all', {}, null],
  ['a stranger who grants more', { asked: [] }, null],
  ['another application', { facts: { ...facts, clientId: 'other' } }, 'wrong_client', false],
  ['less than asked', { asked: ['a', 'c', 'd'] }, 'missing_scopes', true],
  ['less than asked, of a bot that works', { asked: ['c'], known: bot() }, 'missing_scopes', false],
  [
    'less than asked, of a bot that does not',
    { asked: ['c'], known: bot({ state: 'reauth_required' }) },
    'missing_scopes',
    true,
  ],
  ['the same user again', { known: bot() }, null],
  ['the same user with more', { facts: { ...facts, scopes: ['a', 'b', 'c'] }, known: bot() }, null],
  ['the same user with less', { known: bot({ scopes: ['a', 'b', 'c'] }) }, 'narrower_grant', false],
  [
    'the same user with less, whose grant is gone',
    { known: bot({ scopes: ['a', 'b', 'c'], state: 'reauth_required' }) },
    null,
  ],
  ['the one that was meant', { only: bot(), known: bot() }, null],
  ['another than was meant', { only: bot({ twitchUserId: '2' }) }, 'wrong_user', true],
  [
    'another than was meant, who is a bot too',
    { only: bot({ twitchUserId: '2' }), known: bot() },
    'wrong_user',
    false,
  ],
  ['one that is gone', { only: 'gone' }, 'unknown_bot', true],
  [
    'one that was meant and has got more meanwhile',
    { only: bot(), known: bot({ scopes: ['a', 'b', 'c'] }) },
    'narrower_grant',
    false,
  ],
  ['wrong in every way', { only: bot({ twitchUserId: '2' }), asked: ['z'] }, 'wrong_user', true],
];

describe('a grant of', () => {
  it.each(table)('%s', (_what, over, code, revoke) => {
    const verdict = grantVerdict({ ...usual, ...over });
    if (code === null) return expect(verdict).toEqual({ ok: true });
    expect(verdict).toMatchObject({ ok: false, code, revoke });
  });

  it('says what to do', () => {
    const reason = (over: Partial<GrantInput>) => {
      const verdict = grantVerdict({ ...usual, ...over });
      return verdict.ok ? '' : verdict.reason;
    };
    expect(reason({ asked: ['c', 'd'] })).toMatch(/missing: c, d\. Start again/);
    expect(reason({ only: bot({ twitchUserId: '2', twitchLogin: 'other' }) })).toMatch(/Sign in as other/);
    const narrower = { known: bot({ scopes: ['c'] }) };
    expect(reason(narrower)).toMatch(/Helper .* would lose c; .* Start again with bot_account_id bot-id\./);
    expect(reason({ ...narrower, kind: 'broadcaster' })).toMatch(/admin/);
  });
});
