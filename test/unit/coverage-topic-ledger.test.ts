// What the ledger believes while a row is being written: a session may end in that very moment.
import { expect, it } from 'vitest';
import { deferred } from '../../src/runtime/deferred.ts';
import type { UpstreamTopic } from '../../src/upstream/store-port.ts';
import type { BotUpstreamDeps } from '../../src/upstream/twitch/deps.ts';
import { silentObserver } from '../../src/upstream/observer.ts';
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

function setUp(write: () => Promise<void>) {
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
    observer: silentObserver,
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

it('believes in one whose row is written, and closes its gap', async () => {
  const { ledger } = setUp(() => Promise.resolve());
  await ledger.confirm(topic, 0, { subscriptionId: 'x', cost: 0 });
  expect(ledger.confirmed.get('t')).toMatchObject({ subscriptionId: 'x', slot: 0 });
  expect(await ledger.coverage.persist()).toBe(false);
});
