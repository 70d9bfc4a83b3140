// Every answer that Helix is known to give to a create or a delete, and what follows from it.
import { describe, expect, it } from 'vitest';
import type { HelixAnswer } from '../../src/upstream/twitch/helix.ts';
import {
  createVerdict,
  removeVerdict,
  statusMeaning,
  type CreateVerdict,
} from '../../src/upstream/twitch/verdict.ts';

const now = 1_000_000_000;
const answer = (status: number, over: Partial<HelixAnswer> = {}): HelixAnswer => ({
  status,
  message: '',
  resetAt: null,
  callsLeft: null,
  body: null,
  ...over,
});
const created = (status: string, cost = 1) => ({
  data: [
    {
      id: 'x',
      status,
      type: 'stream.online',
      version: '1',
      condition: { broadcaster_user_id: '1' },
      cost,
      transport: { method: 'websocket', session_id: 's' },
    },
  ],
});

const table: readonly [string, HelixAnswer, Partial<CreateVerdict> & { do: CreateVerdict['do'] }][] = [
  ['202', answer(202, { body: created('enabled') }), { do: 'confirm', subscriptionId: 'x', cost: 1 }],
  [
    '202, not enabled',
    answer(202, { body: created('websocket_disconnected') }),
    { do: 'retry_later', code: 'not_enabled' },
  ],
  ['202 with nothing', answer(202), { do: 'retry_later', code: 'unreadable_answer' }],
  [
    '202 with rubbish',
    answer(202, { body: { data: [{}] } }),
    { do: 'retry_later', code: 'unreadable_answer' },
  ],
  [
    '409 in data',
    answer(409, { body: { data: [{ id: 'y' }] } }),
    { do: 'resolve_conflict', existingId: 'y' },
  ],
  ['409 at the top', answer(409, { body: { id: 'y' } }), { do: 'resolve_conflict', existingId: 'y' }],
  [
    '409 by another name',
    answer(409, { body: { subscription_id: 'y' } }),
    { do: 'resolve_conflict', existingId: 'y' },
  ],
  [
    '409 without an id',
    answer(409, { body: { message: 'exists' } }),
    { do: 'resolve_conflict', existingId: null },
  ],
  [
    '409 with rubbish',
    answer(409, { body: { data: [null], id: 7 } }),
    { do: 'resolve_conflict', existingId: null },
  ],
  ['401', answer(401), { do: 'refresh_token' }],
  [
    '400 condition',
    answer(400, { message: 'missing or invalid condition' }),
    { do: 'reject', code: 'bad_request' },
  ],
  [
    '400 session gone',
    answer(400, { message: 'websocket transport session does not exist or has already disconnected' }),
    { do: 'abandon_session' },
  ],
  [
    '400 session of another user',
    answer(400, { message: 'websocket transport cannot have subscriptions created by different users' }),
    { do: 'abandon_session' },
  ],
  [
    '403',
    answer(403, { message: 'subscription missing proper authorization' }),
    { do: 'reject', code: 'forbidden', reason: 'subscription missing proper authorization' },
  ],
  [
    '410',
    answer(410),
    { do: 'reject', code: 'type_removed', reason: 'Twitch has removed this type or version' },
  ],
  [
    '429 transports',
    answer(429, { message: 'number of websocket transports limit exceeded', callsLeft: 700 }),
    { do: 'clear_zombies' },
  ],
  [
    '429 cost',
    answer(429, { message: 'total cost exceeded' }),
    { do: 'retry_later', code: 'limit_exceeded' },
  ],
  [
    '429 same type and condition',
    answer(429, {
      message:
        'the request exceeds the number of subscriptions that you may create with the same combination of type and condition values',
    }),
    { do: 'retry_later', code: 'limit_exceeded' },
  ],
  [
    '429 in words unheard, calls left',
    answer(429, { callsLeft: 1 }),
    { do: 'retry_later', code: 'limit_exceeded' },
  ],
  [
    '429 rate limit',
    answer(429, { resetAt: now + 30_000, callsLeft: 0 }),
    { do: 'wait', until: now + 30_000 },
  ],
  ['429 that does not say when', answer(429), { do: 'wait', until: now + 60_000 }],
  ['429 with a reset in the past', answer(429, { resetAt: now - 5_000 }), { do: 'wait', until: now + 1_000 }],
  [
    '429 with a clock that disagrees',
    answer(429, { resetAt: now + 3_600_000 }),
    { do: 'wait', until: now + 60_000 },
  ],
  ['no answer', answer(0, { message: 'network failure' }), { do: 'retry_later', code: 'unreachable' }],
  ['408', answer(408), { do: 'retry_later', code: 'twitch_error' }],
  ['500', answer(500), { do: 'retry_later', code: 'twitch_error' }],
  ['503', answer(503), { do: 'retry_later', code: 'twitch_error' }],
  ['422', answer(422), { do: 'reject', code: 'refused' }],
  ['302', answer(302), { do: 'retry_later', code: 'unexpected_answer' }],
];

describe('the verdict on a create', () => {
  it.each(table)('%s', (_, given, expected) => {
    expect(createVerdict(given, { now, refreshed: false })).toMatchObject(expected);
  });

  it('asks for another token only once', () => {
    expect(createVerdict(answer(401), { now, refreshed: true })).toMatchObject({
      do: 'retry_later',
      code: 'unauthorized',
    });
  });

  // The owner of an interest is always told something, and Twitch's own words where it has any.
  it.each([
    [answer(202), 'Twitch answered without a subscription'],
    [answer(202, { body: created('pending') }), 'Twitch created it as pending'],
    [answer(400), 'Twitch refused the condition, type or version'],
    [answer(403), 'missing scope, ban, or join limit'],
    [answer(410), 'Twitch has removed this type or version'],
    [answer(429, { callsLeft: 1 }), 'a subscription limit is reached'],
    [answer(0), 'Twitch did not answer'],
    [answer(500), 'Twitch failed'],
    [answer(422), 'Twitch refused the subscription'],
    [answer(499), 'Twitch refused the subscription'],
    [answer(399), 'Twitch gave an answer that is not known'],
    [answer(401), 'Twitch does not accept the token'],
  ])('gives a reason without words of Twitch: $status', (given, reason) => {
    const context = { now, refreshed: true };
    expect(createVerdict(given, context)).toMatchObject({ reason });
    if (given.status === 202) return;
    expect(createVerdict({ ...given, message: 'its own words' }, context)).toMatchObject({
      reason: 'its own words',
    });
  });

  // A condition that is taken for a dead session would end a good one; the other way round the wish would be refused.
  it.each([
    ['Session does not exist', true],
    ['the websocket session has disconnected', true],
    ['SESSION EXPIRED', true],
    ['created by different users', true],
    ['session', false],
    ['the broadcaster does not exist', false],
    ['disconnected, expired: a condition of that name', false],
  ])('400 %j ends the session: %s', (message, isSession) => {
    const verdict = createVerdict(answer(400, { message }), { now, refreshed: false });
    expect(verdict).toMatchObject(isSession ? { do: 'abandon_session', reason: message } : { do: 'reject' });
  });

  it.each([
    ['Transport limit exceeded', 'clear_zombies'],
    ['transports limit exceeded', 'clear_zombies'],
    ['Cost exceeded', 'retry_later'],
    ['subscription limit exceeded', 'retry_later'],
    ['subscriptions limit exceeded', 'retry_later'],
    ['the maximum is reached', 'retry_later'],
    ['the same combination', 'retry_later'],
    ['too many requests', 'wait'],
  ])('429 %j without calls left: %s', (message, verdict) => {
    expect(createVerdict(answer(429, { message, callsLeft: 0 }), { now, refreshed: false }).do).toBe(verdict);
  });

  it.each([
    [null, null],
    ['y', null],
    [{ data: 'y' }, null],
    [{ data: { 0: { id: 'y' } } }, null],
    [{ data: [] }, null],
    [{ data: ['y'] }, null],
    [{ data: [{ id: 7 }] }, null],
    [{ data: [{ id: 7 }], subscription_id: 'z' }, 'z'],
    [{ data: [], id: '', subscription_id: 'z' }, 'z'],
    [{ id: 'y', subscription_id: 'z' }, 'y'],
  ])('409 with %j names %j', (body, existingId) => {
    expect(createVerdict(answer(409, { body }), { now, refreshed: false })).toEqual({
      do: 'resolve_conflict',
      existingId,
    });
  });

  it('takes 200 for 202', () => {
    expect(createVerdict(answer(200, { body: created('enabled', 3) }), { now, refreshed: false })).toEqual({
      do: 'confirm',
      subscriptionId: 'x',
      cost: 3,
    });
  });

  it('has a verdict on every status', () => {
    for (let status = 0; status < 1_000; status++)
      expect(createVerdict(answer(status), { now, refreshed: false }).do).toMatch(/^[a-z_]+$/);
  });
});

describe('the verdict on a delete', () => {
  it.each([
    [200, false, 'gone'],
    [204, false, 'gone'],
    [404, false, 'gone'],
    [401, false, 'refresh_token'],
    [401, true, 'retry_later'],
    [429, false, 'retry_later'],
    [503, false, 'retry_later'],
    [0, false, 'retry_later'],
  ] as const)('%i (refreshed: %s)', (status, refreshed, verdict) => {
    expect(removeVerdict(answer(status), { now, refreshed })).toBe(verdict);
  });
});

it.each([
  ['websocket_disconnected', 'session_lost'],
  ['websocket_failed_ping_pong', 'session_lost'],
  ['websocket_of_tomorrow', 'session_lost'],
  ['authorization_revoked', 'revoked'],
  ['moderator_removed', 'revoked'],
  ['user_removed', 'revoked'],
  ['chat_user_banned', 'revoked'],
  ['version_removed', 'rejected'],
  ['beta_maintenance', 'rejected'],
  ['a_status_of_tomorrow', 'revoked'],
])('the status %s means %s', (status, meaning) => {
  expect(statusMeaning(status)).toBe(meaning);
});
