// What upstream is given while another relay is active: it writes nothing, shows nothing of the other one's, holds what
// comes within its bounds, and lets go of what the other one has recorded.
import { describe, expect, it } from 'vitest';
import type { Notification } from '../../src/upstream/port.ts';
import { StandBy } from '../../src/upstream/stand-by.ts';
import type { UpstreamBot, UpstreamStore, UpstreamTopic } from '../../src/upstream/store-port.ts';
import { topicId } from '../../src/domain/topic.ts';
import { tally } from '../../src/wiring/take-over.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const bot: UpstreamBot = {
  id: 'bot',
  name: 'bot',
  twitchUserId: '1',
  enabled: true,
  state: 'ok',
  removedAt: null,
  validatedAt: null,
  coveredUntil: 100_000,
};
const condition = { broadcaster_user_id: '2' };
const id = topicId({
  provider: 'twitch',
  botAccountId: 'bot',
  type: 'stream.online',
  version: '1',
  condition,
});
const topic: UpstreamTopic = {
  id,
  type: 'stream.online',
  version: '1',
  condition,
  state: 'active',
  retryAt: null,
  subscriptionId: 'of the active relay',
  gapFrom: null,
  gapCause: null,
  createdAt: 0,
  wanted: true,
  interestCount: 1,
};

function setUp(limits = { maxHeld: 100, maxHeldBytes: 1_000_000 }) {
  const rows = { bot, topics: [topic] as UpstreamTopic[] };
  const written: string[] = [];
  const write = (what: string) => () => {
    written.push(what);
    return Promise.resolve(true as never);
  };
  const store: UpstreamStore = {
    bot: () => Promise.resolve(rows.bot),
    botIds: () => Promise.resolve(['bot']),
    topics: () => Promise.resolve(rows.topics),
    interestsOf: () => Promise.resolve([]),
    interestsOfBot: () => Promise.resolve([]),
    updateTopic: write('updateTopic'),
    forgetTopic: write('forgetTopic'),
    removeInterests: write('removeInterests'),
    forgetBot: write('forgetBot'),
    saveCoverage: write('saveCoverage'),
  };
  const clock = new ShiftClock();
  const standBy = new StandBy({ store, clock, limits });
  const look = async () => {
    await standBy.store.botIds();
    await standBy.store.bot('bot');
    return standBy.store.topics('bot');
  };
  let count = 0;
  const notify = (sentAt: number) =>
    standBy.sink.notification({
      provider: 'twitch',
      botAccountId: 'bot',
      messageId: `m${count++}`,
      type: 'stream.online',
      version: '1',
      condition,
      subscriptionId: 's',
      eventTimestamp: new Date(sentAt).toISOString(),
      receivedAt: sentAt,
      body: '"event":{}',
    } satisfies Notification);
  return { clock, look, notify, rows, standBy, store, written };
}

describe('the rows of one that stands by', () => {
  it('are not written, whatever is written to them', async () => {
    const { look, standBy, written } = setUp();
    await look();
    await standBy.store.updateTopic(id, { state: 'active', subscriptionId: 'mine' });
    await standBy.store.saveCoverage([{ id: 'bot', at: 1 }]);
    await standBy.store.removeInterests('bot', ['i']);
    await standBy.store.forgetBot('bot');
    await standBy.store.forgetTopic(id);
    expect(written).toEqual([]);
  });

  it("name our own subscription, never the active relay's", async () => {
    const { look, standBy } = setUp();
    expect((await look()).map((each) => each.subscriptionId)).toEqual([null]);
    await standBy.store.updateTopic(id, { state: 'active', subscriptionId: 'mine' });
    expect((await look()).map((each) => each.subscriptionId)).toEqual(['mine']);
  });

  it('leave out what is not active, and have what we hold of it removed', async () => {
    const { look, rows, standBy } = setUp();
    await look();
    await standBy.store.updateTopic(id, { state: 'active', subscriptionId: 'mine' });
    rows.topics = [{ ...topic, state: 'degraded' }];
    expect(await look()).toMatchObject([{ wanted: false, interestCount: 1, subscriptionId: 'mine' }]);
    rows.topics = [];
    expect(await look()).toMatchObject([{ wanted: false, interestCount: 1, subscriptionId: 'mine' }]);
    await standBy.store.forgetTopic(id);
    expect(await look()).toEqual([]);
  });

  it('do not have a refused topic asked for again and again', async () => {
    const { clock, look, standBy } = setUp();
    await look();
    await standBy.store.updateTopic(id, { state: 'degraded', code: 'conflict', retryAt: clock.now() + 10 });
    expect((await look()).map(({ state }) => state)).toEqual(['rejected']);
    expect(tally(standBy, { heldSince: () => null })).toEqual({ topics: 1, covered: 0, pending: 0 });
    await clock.advance(700_000);
    expect((await look()).map(({ state }) => state)).toEqual(['active']);
  });

  it('give up what costs where the active relay lacks room', async () => {
    const { look, rows, standBy } = setUp();
    await look();
    await standBy.store.updateTopic(id, { state: 'active', subscriptionId: 'mine', cost: 1 });
    rows.topics = [topic, { ...topic, id: 'other', state: 'degraded', code: 'limit_exceeded' }];
    expect(await look()).toMatchObject([{ id, wanted: false, subscriptionId: 'mine' }]);
  });

  it('show a bot that is being taken out as one that is switched off', async () => {
    const { rows, standBy } = setUp();
    rows.bot = { ...bot, removedAt: 5 };
    expect(await standBy.store.bot('bot')).toMatchObject({ removedAt: null, enabled: false });
  });
});

describe('what is held', () => {
  it('is let go once the active relay has recorded it, and ten seconds more have been', async () => {
    const { look, notify, rows, standBy } = setUp();
    for (const at of [50_000, 95_000, 120_000]) notify(at);
    await look();
    standBy.prune();
    expect(standBy.held.map(({ sentAt }) => sentAt)).toEqual([95_000, 120_000]);
    rows.topics = [{ ...topic, gapFrom: 104_000 }];
    rows.bot = { ...bot, coveredUntil: 500_000 };
    await look();
    standBy.prune();
    expect(standBy.held.map(({ sentAt }) => sentAt)).toEqual([95_000, 120_000]);
  });

  it('is bounded by count and by bytes, and what is dropped is remembered as missing', async () => {
    for (const limits of [
      { maxHeld: 10, maxHeldBytes: 1_000_000 },
      { maxHeld: 1_000, maxHeldBytes: 6_000 },
    ]) {
      const { notify, standBy } = setUp(limits);
      for (let at = 0; at < 40; at++) notify(200_000 + at);
      expect(standBy.held.length).toBeLessThanOrEqual(11);
      const first = standBy.held[0]?.sentAt ?? 0;
      expect(standBy.dropped.get(id)).toEqual({ botId: 'bot', from: 200_000, to: first });
    }
  });

  it('goes to the real ones after the switch, but for late twins', async () => {
    const { clock, notify, standBy, store } = setUp();
    const passed: number[] = [];
    const sink = {
      notification: ({ receivedAt }: Notification) => void passed.push(receivedAt),
      declare: () => Promise.resolve(),
      durableUntil: (_: string, at: number) => at,
    };
    standBy.switchTo({
      sink,
      store,
      isRepeated: ({ sentAt }) => sentAt === 7,
      lateUntil: clock.now() + 1_000,
    });
    expect(standBy.isStandingBy()).toBe(false);
    for (const at of [7, 8]) notify(at);
    await clock.advance(2_000);
    notify(7);
    expect(passed).toEqual([8, 7]);
  });
});

it('a topic is covered once the active relay has what lies before our beginning, and a little more', async () => {
  const { look, standBy } = setUp();
  await look();
  expect(standBy.hasLooked()).toBe(true);
  expect(tally(standBy, { heldSince: () => 97_000 })).toMatchObject({ covered: 1, pending: 0 });
  expect(tally(standBy, { heldSince: () => 97_001 })).toMatchObject({ covered: 0, pending: 1 });
  expect(tally(standBy, { heldSince: () => null })).toMatchObject({ covered: 0, pending: 1 });
});
