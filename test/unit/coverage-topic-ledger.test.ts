// What the ledger believes while a row is being written: a session may end in that very moment.
import { expect, it } from 'vitest';
import { topicId as topicIdOf } from '../../src/domain/topic.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import type { UpstreamTopic } from '../../src/upstream/store-port.ts';
import type { BotUpstreamDeps } from '../../src/upstream/twitch/deps.ts';
import { silentObserver, type UpstreamObserver } from '../../src/upstream/observer.ts';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import { TopicLedger } from '../../src/upstream/twitch/topic-ledger.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const topic: UpstreamTopic = {
  id: 't',
  type: 'stream.online',
  version: '1',
  condition: { broadcaster_user_id: '1' },
  state: 'active',
  retryAt: null,
  subscriptionId: null,
  gapFrom: 50,
  gapCause: 'restart',
  createdAt: 0,
  wanted: true,
  interestCount: 1,
};

function setUp(write: () => Promise<unknown>, observer: Partial<UpstreamObserver> = {}) {
  const unused = () => Promise.reject(new Error('not part of this'));
  const gaps: (number | null)[] = [];
  const deps: BotUpstreamDeps = {
    clock: new ShiftClock(),
    timings: defaultTimings,
    random: () => 0,
    eventSubUrl: '',
    helix: { create: unused, list: unused, remove: unused, userByLogin: unused },
    keeper: {
      usable: unused,
      renew: unused,
      validate: unused,
      refresh: unused,
      revoke: unused,
      inspect: unused,
    },
    sink: { notification: () => undefined, declare: () => Promise.resolve(), durableUntil: (_, at) => at },
    store: {
      bot: unused,
      botIds: unused,
      interestsOfBot: unused,
      removeInterests: unused,
      forgetBot: unused,
      topics: unused,
      forgetTopic: unused,
      interestsOf: () => Promise.resolve([]),
      saveCoverage: unused,
      updateTopic(_id, patch) {
        if (patch.gapFrom !== undefined) gaps.push(patch.gapFrom);
        return patch.state ? write() : Promise.resolve();
      },
    },
    observer: { ...silentObserver, ...observer },
    checkToken: () => undefined,
  };
  const ledger = new TopicLedger(deps, 'bot');
  ledger.coverage.open('t', 50, 'restart');
  return { ledger, gaps };
}

it('does not believe in a subscription whose session ended while its row was written', async () => {
  const writing = deferred<void>();
  const { ledger, gaps } = setUp(() => writing.promise);
  const confirming = ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 });
  expect(ledger.topicsOn(0)).toEqual(['t']);
  ledger.lose('t', 100, 'upstream_reconnect');
  writing.resolve();
  await confirming;
  expect(ledger.confirmed.size).toBe(0);
  ledger.coverage.flush();
  expect(await ledger.coverage.persist()).toBe(true);
  expect(gaps).toEqual([50]);
});

it('does not believe in a subscription whose row could not be written', async () => {
  const { ledger } = setUp(() => Promise.reject(new Error('the database is away')));
  await expect(ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 })).rejects.toThrow('away');
  expect(ledger.confirmed.size).toBe(0);
});

it('ends the gap of one that a hand-over carried along while its row was written', async () => {
  const writing = deferred<void>();
  const { ledger } = setUp(() => writing.promise);
  const confirming = ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 });
  ledger.carriedOver(0, 100);
  writing.resolve();
  await confirming;
  expect(ledger.confirmed.size).toBe(1);
  expect(ledger.coverage.isOpen('t')).toBe(false);
});

it('does not believe in such a one either when its row could not be written', async () => {
  const writing = deferred<void>();
  const { ledger } = setUp(() => writing.promise);
  const confirming = ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 });
  ledger.carriedOver(0, 100);
  writing.reject(new Error('the database is away'));
  await expect(confirming).rejects.toThrow('away');
  expect(ledger.confirmed.size).toBe(0);
});

it('believes in one whose row is written, and closes its gap', async () => {
  const { ledger } = setUp(() => Promise.resolve());
  await ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 });
  expect(ledger.confirmed.get('t')).toMatchObject({ subscriptionId: 'x', slot: 0 });
  expect(await ledger.coverage.persist()).toBe(false);
});

it.each([
  [false, []],
  [true, ['revoked']],
])(
  'tells of an end for want of a grant only if no other grant came in before it was written: %s',
  async (isWritten, told) => {
    const states: string[] = [];
    const { ledger } = setUp(() => Promise.resolve(isWritten), {
      topicState: ({ state }) => void states.push(state),
    });
    await ledger.confirm({ ...topic, state: 'active' }, 0, { subscriptionId: 'x', cost: 0 });
    const { type, version, condition } = topic;
    const bot = { id: 'bot', name: 'b', twitchUserId: '1', enabled: true, state: 'ok' } as const;
    const row = { ...bot, removedAt: null, validatedAt: 1, coveredUntil: null };
    ledger.revocation({ id: 'x', type, version, condition, status: 'authorization_revoked' }, 100);
    const id = topicIdOf({ provider: 'twitch', botAccountId: 'bot', type, version, condition });
    expect(await ledger.takeRevocations(row, [{ ...topic, id }])).toBe(true);
    expect(states).toEqual(told);
  },
);
