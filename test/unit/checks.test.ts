// The verdicts of the checks as a table: what was seen, how bad it is, and that every bad line says what to do.
import { describe, expect, test } from 'vitest';
import {
  clockFailedMs,
  clockWarningMs,
  verdicts,
  type CheckedBot,
  type CheckInput,
} from '../../src/http/checks.ts';
import type { WantedTopic } from '../../src/http/bot-usage.ts';
import type { BotRow, BotStatus, UpstreamCheck } from '../../src/http/port.ts';
import { findType } from '../../src/upstream/twitch/catalog.ts';

const nowMs = 1_795_000_000_000;
const botId = 'b7d9f8f0-0000-4000-8000-000000000001';

const bot: BotRow = {
  id: botId,
  provider: 'twitch',
  name: 'desk',
  twitchUserId: '900',
  twitchLogin: 'botty',
  enabled: true,
  state: 'ok',
  scopes: ['user:read:chat'],
  tokenExpiresAt: nowMs + 3_600_000,
  refreshable: true,
};
const status: BotStatus = {
  session: { state: 'live', sockets: 1, connected_at: null, last_frame_at: null, reconnects: 0 },
  healthy: true,
  detail: 'every wanted topic is confirmed',
  usage: null,
};
const topic = (more: Partial<WantedTopic> = {}): WantedTopic => ({
  id: 'topic',
  type: 'channel.chat.message',
  version: '1',
  condition: { broadcaster_user_id: '1', user_id: '900' },
  botAccountId: botId,
  state: 'active',
  reason: null,
  code: null,
  retryAt: null,
  subscriptionId: 's',
  cost: 0,
  wanted: true,
  ...more,
});
const usage = (subscriptions: number, cost: number) => ({
  subscriptions: { used: subscriptions, limit: 900 },
  cost: { used: cost, limit: 10 },
});
const well: UpstreamCheck = { unreachable: null, clockAheadMs: 0, tokens: new Map([[botId, 'ok']]) };

function look(given: {
  own?: CheckInput['own'];
  upstream?: Partial<UpstreamCheck>;
  bot?: Partial<CheckedBot>;
}) {
  const checked = { bot, status, topics: [topic()], budget: usage(1, 0), ...given.bot };
  return verdicts({
    own: given.own ?? [{ name: 'database', ok: true, detail: 'postgres' }],
    upstream: { ...well, ...given.upstream },
    bots: [checked],
    ruleOf: ({ type, version }) => findType(type, version),
    nowMs,
  });
}

test('all is well: a line for everything and no advice', () => {
  const checks = look({});
  expect(checks.map(({ name, status: how }) => `${name} ${how}`)).toEqual([
    'database ok',
    'twitch ok',
    'clock ok',
    'token ok',
    'scopes ok',
    'budget ok',
    'session ok',
  ]);
  expect(checks.map(({ advice }) => advice)).toEqual(checks.map(() => null));
  expect(checks.map((check) => check.bot_account_id)).toEqual([null, null, null, botId, botId, botId, botId]);
});

const authorise = /POST \/v1\/admin\/bots\/authorize with \{"bot_account_id": "b7d9f8f0-/;
type Row = [string, string, 'warning' | 'failed' | 'ok', RegExp, RegExp, Parameters<typeof look>[0]];
const table: Row[] = [
  [
    'no database',
    'database',
    'failed',
    /gone/,
    /DATABASE_URL/,
    { own: [{ name: 'database', ok: false, detail: 'gone' }] },
  ],
  [
    'an old schema',
    'migrations',
    'failed',
    /behind/,
    /Restart/,
    { own: [{ name: 'migrations', ok: false, detail: 'behind' }] },
  ],
  [
    'a log that fails',
    'log',
    'failed',
    /held/,
    /disk/,
    { own: [{ name: 'log', ok: false, detail: '3 held' }] },
  ],
  [
    'something new',
    'other',
    'failed',
    /odd/,
    /log of the relay/,
    { own: [{ name: 'other', ok: false, detail: 'odd' }] },
  ],
  [
    'no Twitch',
    'twitch',
    'failed',
    /timed out/,
    /id\.twitch\.tv/,
    { upstream: { unreachable: 'timed out' } },
  ],
  ['no time', 'clock', 'warning', /not known/, /connection to Twitch/, { upstream: { clockAheadMs: null } }],
  ['a clock at the edge', 'clock', 'ok', /within/, /^$/, { upstream: { clockAheadMs: -clockWarningMs } }],
  [
    'a clock ahead',
    'clock',
    'warning',
    /2\.0 s ahead of/,
    /ntp/,
    { upstream: { clockAheadMs: clockWarningMs + 1 } },
  ],
  [
    'a clock behind',
    'clock',
    'warning',
    /30\.0 s behind/,
    /ntp/,
    { upstream: { clockAheadMs: -clockFailedMs } },
  ],
  [
    'a clock far behind',
    'clock',
    'failed',
    /40\.0 s behind/,
    /w32tm/,
    { upstream: { clockAheadMs: -40_000 } },
  ],
  [
    'a dead token',
    'token',
    'failed',
    /no more/,
    authorise,
    { upstream: { tokens: new Map([[botId, 'reauth_required']]) } },
  ],
  [
    'a bot known to be dead',
    'token',
    'failed',
    /no more/,
    authorise,
    { bot: { bot: { ...bot, state: 'reauth_required' } } },
  ],
  [
    'a token nobody asked about',
    'token',
    'warning',
    /could not be asked/,
    /Look again/,
    { upstream: { tokens: new Map() } },
  ],
  [
    'a token without a successor',
    'token',
    'warning',
    /ends at 2026-/,
    authorise,
    { bot: { bot: { ...bot, refreshable: false } } },
  ],
  [
    'one that is over',
    'token',
    'failed',
    /has expired/,
    authorise,
    { bot: { bot: { ...bot, refreshable: false, tokenExpiresAt: nowMs } } },
  ],
  [
    'one that never ends',
    'token',
    'ok',
    /does not expire/,
    /^$/,
    { bot: { bot: { ...bot, refreshable: false, tokenExpiresAt: null } } },
  ],
  [
    'missing scopes',
    'scopes',
    'failed',
    /^channel\.follow needs moderator:read:followers$/,
    authorise,
    { bot: { topics: [topic({ type: 'channel.follow', version: '2' })] } },
  ],
  [
    'missing scopes of what nobody wants',
    'scopes',
    'ok',
    /enough/,
    /^$/,
    { bot: { topics: [topic({ type: 'channel.follow', version: '2', wanted: false })] } },
  ],
  [
    'a type that is not in the table',
    'scopes',
    'ok',
    /enough/,
    /^$/,
    { bot: { topics: [topic({ type: 'channel.new' })] } },
  ],
  [
    'cost nearly used',
    'budget',
    'warning',
    /cost 8 of 10/,
    /broadcaster-authorizations\/start/,
    { bot: { budget: usage(8, 8) } },
  ],
  ['cost over', 'budget', 'failed', /cost 11 of 10/, /Otherwise delete/, { bot: { budget: usage(11, 11) } }],
  [
    'subscriptions nearly used',
    'budget',
    'warning',
    /720 of 900/,
    /^Delete interests of bot desk/,
    { bot: { budget: usage(720, 0) } },
  ],
  [
    'no session',
    'session',
    'failed',
    /connecting/,
    /by itself/,
    {
      bot: {
        status: {
          ...status,
          healthy: false,
          detail: 'connecting',
          session: { ...status.session, state: 'connecting' },
        },
      },
    },
  ],
  [
    'a session that lacks something',
    'session',
    'warning',
    /1 of 2/,
    /by itself/,
    { bot: { status: { ...status, healthy: false, detail: '1 of 2' } } },
  ],
  [
    'refused topics',
    'session',
    'failed',
    /^channel\.a rejected: no; channel\.b revoked: no reason given; channel\.c rejected: no; and 1 more$/,
    authorise,
    {
      bot: {
        status: { ...status, healthy: false, detail: '0 of 4' },
        topics: [
          topic({ type: 'channel.a', state: 'rejected', reason: 'no' }),
          topic({ type: 'channel.b', state: 'revoked' }),
          topic({ type: 'channel.c', state: 'rejected', reason: 'no' }),
          topic({ type: 'channel.d', state: 'rejected', reason: 'no' }),
        ],
      },
    },
  ],
  [
    'a disabled bot',
    'session',
    'warning',
    /1 topic is wanted/,
    /PATCH .*"enabled": true/,
    { bot: { bot: { ...bot, enabled: false } } },
  ],
  [
    'a disabled bot nobody needs',
    'session',
    'ok',
    /nothing is wanted/,
    /^$/,
    { bot: { bot: { ...bot, enabled: false }, topics: [] } },
  ],
];

describe('each fault has its line', () => {
  test.each(table)('%s', (_what, name, how, detail, advice, given) => {
    const found = look(given).find((check) => check.name === name);
    expect(found?.status).toBe(how);
    expect(found?.detail).toMatch(detail);
    expect(found?.advice ?? '').toMatch(advice);
  });

  test('what is not well has advice, what is well has none', () => {
    const all = table.flatMap((row) => look(row[5]));
    expect(all.filter((check) => (check.status === 'ok') !== (check.advice === null))).toEqual([]);
  });
});
