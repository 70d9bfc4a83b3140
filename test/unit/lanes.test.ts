// The order in which an endpoint's events leave, case by case, and the names of the lanes.
import { describe, expect, it } from 'vitest';
import { LaneNames, laneOf } from '../../src/delivery/webhooks/lane-names.ts';
import { Lanes, type LaneItem } from '../../src/delivery/webhooks/lanes.ts';

const item = (seq: number, run = ''): LaneItem => ({ seq, attempt: 1, key: { seq, run } });
const at = 1_000_000;

/** The positions that may leave now, in order, without any of them ending. */
function leaving(lanes: Lanes<LaneItem>, now = at): number[] {
  const seqs: number[] = [];
  for (let next = lanes.next(now); next; next = lanes.next(now)) seqs.push(next.item.seq);
  return seqs;
}

function lanesWith(waiting: Readonly<Record<string, readonly number[]>>): Lanes<LaneItem> {
  const lanes = new Lanes<LaneItem>('broadcaster');
  for (const [lane, seqs] of Object.entries(waiting)) for (const seq of seqs) lanes.add(lane, item(seq));
  return lanes;
}

/** Takes the one item that may leave and fails it, as the shell would. */
function failHead(lanes: Lanes<LaneItem>, now: number, nextAt: number, restUntil: number | null = null) {
  const next = lanes.next(now);
  if (!next) throw new Error('nothing may leave');
  const blocksUntil = lanes.failed(next.lane, now, nextAt, restUntil);
  if (blocksUntil !== null) lanes.block(next.lane, next.item.key, blocksUntil);
  else lanes.unblock(next.lane, next.item.key);
  lanes.done(next.lane);
  return { ...next, blocksUntil };
}

describe('a block that too many wait for', () => {
  const crowd = (count: number) => Array.from({ length: count }, (_, index) => index + 2);

  it('is over at once, be they there before it or after', () => {
    for (const before of [0, 4]) {
      const lanes = new Lanes<LaneItem>('broadcaster', 3);
      lanes.add('a', item(1));
      for (const seq of crowd(before)) lanes.add('a', item(seq));
      failHead(lanes, at, at + 5_000);
      for (const seq of crowd(4 - before)) lanes.add('a', item(seq));
      expect([before, leaving(lanes)]).toEqual([before, [2]]);
      expect(lanes.nextChangeAt()).toBe(Infinity);
    }
  });

  it('holds for those that are not too many, and its head stays a retry of the lane', () => {
    const lanes = new Lanes<LaneItem>('broadcaster', 3);
    lanes.add('a', item(1));
    failHead(lanes, at, at + 5_000);
    for (const seq of crowd(3)) lanes.add('a', item(seq));
    expect(leaving(lanes)).toEqual([]);
    lanes.add('a', item(5));
    lanes.addFirst('a', item(1));
    expect(leaving(lanes)).toEqual([1]);
  });
});

describe('the order', () => {
  it('one in flight per lane, the next when it is done, in the order in which they were added', () => {
    const lanes = lanesWith({ a: [1, 3, 5], b: [2] });
    expect(leaving(lanes)).toEqual([1, 2]);
    expect(lanes.size).toBe(2);
    lanes.done('a');
    expect(leaving(lanes)).toEqual([3]);
    lanes.done('b');
    lanes.done('a');
    expect(leaving(lanes)).toEqual([5]);
    expect(lanes.size).toBe(0);
  });

  it('lanes take turns, in the order in which they became ready', () => {
    const lanes = lanesWith({ a: [1, 2, 3], b: [4, 5], c: [6] });
    const seqs: number[] = [];
    for (let next = lanes.next(at); next; next = lanes.next(at)) {
      seqs.push(next.item.seq);
      lanes.done(next.lane);
    }
    expect(seqs).toEqual([1, 4, 6, 2, 5, 3]);
  });

  it('retries go before the rest, among themselves by position', () => {
    const lanes = lanesWith({ a: [10, 11] });
    for (const seq of [7, 3, 5]) lanes.addFirst('a', item(seq));
    const seqs: number[] = [];
    for (let next = lanes.next(at); next; next = lanes.next(at)) {
      seqs.push(next.item.seq);
      lanes.done(next.lane);
    }
    expect(seqs).toEqual([3, 5, 7, 10, 11]);
  });

  it('of the same event in several runs, the one that came first', () => {
    const lanes = new Lanes<LaneItem>('none');
    for (const run of ['', 'x', 'y']) lanes.addFirst('a', item(3, run));
    const runs = [1, 2, 3].map(() => lanes.next(at)?.item.key.run);
    expect(runs).toEqual(['', 'x', 'y']);
  });

  it('what is put back leaves before everything else, and its lane is free', () => {
    const lanes = lanesWith({ a: [10, 11] });
    const sent = lanes.next(at);
    lanes.addFirst('a', item(3));
    expect(leaving(lanes)).toEqual([]);
    if (sent) lanes.putBack(sent.lane, sent.item);
    expect(lanes.size).toBe(3);
    expect(leaving(lanes)).toEqual([10]);
  });

  it('without an order everything leaves at once and nothing blocks', () => {
    const lanes = new Lanes<LaneItem>('none');
    for (const seq of [1, 2, 3]) lanes.add('a', item(seq));
    lanes.block('a', { seq: 9, run: '' }, at + 1000);
    expect(lanes.failed('a', at, at + 1, null)).toBeNull();
    expect(lanes.nextChangeAt()).toBe(Infinity);
    expect(leaving(lanes)).toEqual([1, 2, 3]);
  });

  it('a changed order holds from the next item on', () => {
    const lanes = lanesWith({ a: [1, 2, 3, 4] });
    lanes.block('a', { seq: 9, run: '' }, at + 1000);
    lanes.setOrder('none');
    expect(lanes.next(at)?.item.seq).toBe(1);
    expect(lanes.next(at)?.item.seq).toBe(2);
    lanes.setOrder('broadcaster');
    lanes.done('a');
    expect(leaving(lanes)).toEqual([]);
    lanes.done('a');
    expect(leaving(lanes)).toEqual([3]);
  });

  it('clear forgets what waits, not what is under way', () => {
    const lanes = lanesWith({ a: [1, 2], b: [3] });
    lanes.block('b', { seq: 9, run: '' }, at + 1000);
    expect(leaving(lanes)).toEqual([1]);
    lanes.clear();
    expect([lanes.size, lanes.nextChangeAt()]).toEqual([0, Infinity]);
    lanes.add('a', item(4));
    lanes.add('b', item(5));
    expect(leaving(lanes)).toEqual([5]);
    lanes.done('a');
    expect(leaving(lanes)).toEqual([4]);
  });
});

describe('a blocked lane', () => {
  it('lets nothing go but the delivery that blocks it, wherever that is', () => {
    const lanes = lanesWith({ a: [1, 2, 3], b: [4] });
    lanes.block('a', { seq: 2, run: '' }, at + 1000);
    expect(leaving(lanes)).toEqual([2, 4]);
    lanes.done('a');
    expect(leaving(lanes)).toEqual([]);
    lanes.unblock('a', { seq: 2, run: '' });
    expect(leaving(lanes)).toEqual([1]);
  });

  it('is not opened by the same event of another run, nor unblocked by another delivery', () => {
    const lanes = lanesWith({ a: [5] });
    lanes.block('a', { seq: 2, run: '' }, at + 1000);
    lanes.addFirst('a', item(2, 'replay'));
    lanes.unblock('a', { seq: 2, run: 'replay' });
    expect(leaving(lanes)).toEqual([]);
    lanes.addFirst('a', item(2));
    expect(lanes.next(at)?.item.key.run).toBe('');
  });

  it('is free when the time has come, and says when that is', () => {
    const lanes = lanesWith({ a: [1], b: [2] });
    lanes.block('a', { seq: 9, run: '' }, at + 1000);
    lanes.block('b', { seq: 8, run: '' }, at + 500);
    expect(lanes.nextChangeAt()).toBe(at + 500);
    expect(leaving(lanes, at + 499)).toEqual([]);
    expect(leaving(lanes, at + 500)).toEqual([2]);
    expect(lanes.nextChangeAt()).toBe(at + 1000);
    expect(leaving(lanes, at + 1000)).toEqual([1]);
    expect(lanes.nextChangeAt()).toBe(Infinity);
  });

  it('is not held for longer by a clock that goes back', () => {
    const lanes = lanesWith({ a: [1] });
    lanes.block('a', { seq: 9, run: '' }, at + 1000);
    expect(leaving(lanes, at)).toEqual([]);
    expect(leaving(lanes, at - 3_600_000)).toEqual([]);
    expect(lanes.nextChangeAt()).toBe(at - 3_600_000 + 1000);
    expect(leaving(lanes, at - 3_600_000 + 1000)).toEqual([1]);
  });

  it('gets a whole minute more when the circuit closes, even if its time ran out meanwhile', () => {
    const lanes = lanesWith({ c: [3, 4], a: [1], b: [2] });
    lanes.block('a', { seq: 9, run: '' }, at + 1000);
    lanes.block('b', { seq: 8, run: '' }, at + 90_000);
    lanes.block('c', { seq: 7, run: '' }, at + 1);
    const openedAt = at;
    // A probe, long after: that lane has gone on without its blocker, the others have not.
    expect(lanes.next(at + 30_000)?.item.seq).toBe(3);
    const closedAt = at + 120_000;
    lanes.extendBlocks(closedAt, openedAt);
    lanes.done('c');
    expect(leaving(lanes, closedAt)).toEqual([4]);
    expect(lanes.nextChangeAt()).toBe(closedAt + 60_000);
    // The budget is a new one as well: the blocker that fails again holds on.
    lanes.addFirst('a', item(9));
    expect(failHead(lanes, closedAt + 1000, closedAt + 6000).blocksUntil).toBe(closedAt + 60_000);
    expect(leaving(lanes, closedAt + 59_999)).toEqual([]);
    expect(leaving(lanes, closedAt + 60_000)).toEqual(expect.arrayContaining([1, 2]));
  });
});

describe('the budget of a minute', () => {
  it('counts from the first failure, however many heads fail', () => {
    const lanes = lanesWith({ a: [1, 2, 3] });
    expect(failHead(lanes, at, at + 5000).blocksUntil).toBe(at + 60_000);
    lanes.addFirst('a', item(1));
    // Its next step lies behind the budget: the lane goes on, and the next head has what is left.
    expect(failHead(lanes, at + 5000, at + 300_000).blocksUntil).toBeNull();
    expect(failHead(lanes, at + 6000, at + 11_000)).toMatchObject({
      item: { seq: 2 },
      blocksUntil: at + 60_000,
    });
    expect(failHead(lanes, at + 60_000, at + 65_000)).toMatchObject({ item: { seq: 3 }, blocksUntil: null });
  });

  it('is whole again after a success', () => {
    const lanes = lanesWith({ a: [1, 2] });
    expect(failHead(lanes, at, at + 100_000).blocksUntil).toBeNull();
    lanes.succeeded('a');
    expect(failHead(lanes, at + 70_000, at + 75_000).blocksUntil).toBe(at + 130_000);
  });

  it('does not run while the whole endpoint rests', () => {
    const lanes = lanesWith({ a: [1, 2] });
    expect(failHead(lanes, at, at + 300_000, at + 300_000).blocksUntil).toBe(at + 360_000);
    lanes.addFirst('a', item(1));
    // The same rest is not counted in twice.
    expect(failHead(lanes, at + 290_000, at + 300_000, at + 300_000).blocksUntil).toBe(at + 360_000);
  });

  it('is not spent on a try that would come exactly at its end', () => {
    const lanes = lanesWith({ a: [1, 2] });
    expect(failHead(lanes, at, at + 60_000).blocksUntil).toBeNull();
  });
});

it('lanes that only ever failed are not remembered for ever, those that are held up are', () => {
  const lanes = new Lanes<LaneItem>('broadcaster');
  lanes.block('held', { seq: 9, run: '' }, at + 1_000_000);
  lanes.add('held', item(1));
  for (let n = 0; n < 5000; n++) lanes.failed(`run-${n}/a`, at, at + 5000, null);
  expect(lanes.remembered).toBeLessThanOrEqual(1000);
  expect(leaving(lanes)).toEqual([]);
  expect(leaving(lanes, at + 1_000_000)).toEqual([1]);
});

it('a lane without anything in it is forgotten', () => {
  const lanes = lanesWith({ a: [1], b: [2] });
  expect(leaving(lanes)).toEqual([1, 2]);
  lanes.done('a');
  expect(lanes.remembered).toBe(1);
  lanes.failed('b', at, at + 5000, null);
  lanes.done('b');
  expect(lanes.remembered).toBe(1);
  lanes.succeeded('b');
  expect(lanes.remembered).toBe(0);
});

it('thousands of items in hundreds of lanes, every lane failing once, take no time to speak of', () => {
  const lanes = new Lanes<LaneItem>('broadcaster');
  const count = 100_000;
  for (let seq = 0; seq < count; seq++) lanes.add(`lane-${seq % 500}`, item(seq));
  for (let lane = 0; lane < 500; lane++) lanes.block(`lane-${lane}`, { seq: lane, run: '' }, at + lane);
  const startedAt = performance.now();
  let left = 0;
  for (let now = at; left < count; now++) {
    for (let next = lanes.next(now); next; next = lanes.next(now)) {
      left++;
      lanes.unblock(next.lane, next.item.key);
      lanes.done(next.lane);
    }
  }
  expect(lanes.size).toBe(0);
  // About 0.1 s; quadratic work would take minutes.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

describe('the lane of a record', () => {
  const record = (condition: unknown, over: { topicId?: string; type?: string; body?: string } = {}) => ({
    type: over.type ?? 'channel.follow',
    audience: { kind: 'topic' as const, topicId: over.topicId ?? 't' },
    body: over.body ?? `"subscription":${JSON.stringify({ id: 's', condition })},"event":{"x":1}`,
  });
  const named = (...given: Parameters<typeof record>) => laneOf(record(...given), new LaneNames());

  it.each([
    [{ broadcaster_user_id: '1', moderator_user_id: '2' }, '1'],
    [{ to_broadcaster_user_id: '3', from_broadcaster_user_id: '' }, '3'],
    [{ broadcaster_user_id: '', from_broadcaster_user_id: '4' }, '4'],
    [{ broadcaster_user_id: 5 }, '5'],
    [{ user_id: '6' }, 'topic:t'],
    [{}, 'topic:t'],
    [null, 'topic:t'],
    ['text', 'topic:t'],
    [[1], 'topic:t'],
  ])('%j is %s', (condition, lane) => {
    expect(named(condition)).toBe(lane);
  });

  it.each([
    '',
    '"event":{}',
    '"subscription":null,"event":{}',
    '"subscription":{"condition":{"a":',
    '\\"',
    '{{{{',
  ])('garbage: %j', (body) => {
    expect(named(null, { body })).toBe('topic:t');
  });

  it("the relay's own events share a lane, whomever they concern", () => {
    const names = new LaneNames();
    const gap = { type: 'relay.gap', body: '"subscription":null,"event":{}' };
    expect(laneOf({ ...gap, audience: { kind: 'topics', topicIds: ['t'] } }, names)).toBe('relay');
    expect(laneOf({ ...gap, audience: { kind: 'service', serviceAccountId: 's' } }, names)).toBe('relay');
    expect(laneOf({ ...gap, audience: { kind: 'topic', topicId: 't' } }, names)).toBe('relay');
    expect(names.size).toBe(0);
  });

  it('parses once per topic, and forgets before it grows without end', () => {
    const names = new LaneNames();
    laneOf(record({ broadcaster_user_id: '1' }), names);
    expect(laneOf(record(null, { body: 'never looked at' }), names)).toBe('1');
    for (let n = 0; n < 10_000; n++)
      laneOf(record({ broadcaster_user_id: '2' }, { topicId: `t${n}` }), names);
    expect(names.size).toBeLessThan(10_000);
    expect(laneOf(record({ broadcaster_user_id: '1' }), names)).toBe('1');
  });
});
