// The feed: wakes whom something concerns, once per turn; shares batches; knows what retention may have taken.
import { describe, expect, it } from 'vitest';
import type { EventDraft } from '../../src/domain/event.ts';
import { Audience } from '../../src/fanout/audience.ts';
import { createFeed } from '../../src/fanout/feed.ts';
import type { InterestRow } from '../../src/fanout/port.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { draft, uuid } from '../contract/log-fixtures.ts';
import { MemoryLog } from '../contract/log-memory.ts';

const row = (
  serviceAccountId: string,
  topic: number,
  type = 'channel.follow',
  createdSeq = 0,
): InterestRow => ({
  serviceAccountId,
  topicId: uuid(topic),
  type,
  createdSeq,
  endpointId: null,
});

async function setUp(rows: InterestRow[], maxRecords = 100) {
  const log = new MemoryLog();
  const tail = await openTail({ log, clock: systemClock, maxRecords });
  const source = { rows, loadInterests: () => Promise.resolve(source.rows) };
  const audience = new Audience(source);
  await audience.reload();
  const errors: unknown[] = [];
  const feed = createFeed({
    reader: createReader({ log, tail }),
    audience,
    keepMs: { chat: 1_000, standard: 7_000 },
    onWakeError: (error) => errors.push(error),
  });
  const woken: string[] = [];
  const watch = (service: string) => feed.watch(service, () => woken.push(service));
  return { log, tail, source, audience, feed, woken, watch, errors };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const to = (audience: EventDraft['audience']) => draft(`relay-${JSON.stringify(audience)}`, { audience });

describe('wake-ups', () => {
  it('reach only the services concerned, for every kind of audience', async () => {
    const { log, feed, woken, watch } = await setUp([row('a', 1), row('b', 2), row('c', 3)]);
    for (const service of ['a', 'b', 'c', 'd']) watch(service);
    await log.append([draft('1', { topic: 1 })]);
    await turn();
    expect(woken.splice(0)).toEqual(['a']);
    await log.append([to({ kind: 'topics', topicIds: [uuid(2), uuid(3), uuid(8)] })]);
    await turn();
    expect(woken.splice(0)).toEqual(['b', 'c']);
    await log.append([to({ kind: 'service', serviceAccountId: 'd' })]);
    await turn();
    expect(woken.splice(0)).toEqual(['d']);
    expect(feed.head()).toBe(3);
  });

  it('come once per turn for each watcher, and not after the unwatch', async () => {
    const { log, woken, watch } = await setUp([row('a', 1)]);
    const unwatch = watch('a');
    watch('a');
    void log.append([draft('1'), draft('2')]);
    await log.append([draft('3')]);
    await turn();
    expect(woken.splice(0)).toEqual(['a', 'a']);
    await log.append([draft('4')]);
    unwatch();
    unwatch();
    await turn();
    expect(woken.splice(0)).toEqual(['a']);
  });

  it('come when interests change, and for everybody when the window started afresh', async () => {
    const { log, tail, source, audience, woken, watch } = await setUp([row('a', 1)], 5);
    watch('a');
    watch('b');
    source.rows = [row('a', 1), row('b', 1)];
    await audience.reload();
    await turn();
    expect(woken.splice(0)).toEqual(['b']);
    log.commitElsewhere(Array.from({ length: 30 }, (_, n) => draft(String(n), { topic: 77 })));
    await tail.catchUp();
    await turn();
    expect(woken.splice(0).toSorted()).toEqual(['a', 'b']);
  });

  it('are not kept from others by one that throws', async () => {
    const { log, feed, woken, watch, errors } = await setUp([row('a', 1)]);
    feed.watch('a', () => {
      throw new Error('broken consumer');
    });
    watch('a');
    await log.append([draft('1')]);
    await turn();
    expect(woken).toEqual(['a']);
    expect(errors).toHaveLength(1);
  });
});

describe('batches', () => {
  it('are made once for all who ask the same in one turn, and anew once the log went on', async () => {
    const { log, feed } = await setUp([row('a', 1), row('b', 1)]);
    await log.append([draft('1'), draft('2')]);
    const filter = feed.filter('a');
    const first = await feed.batch(0, filter, 10, 'plain');
    expect(feed.batch(0, filter, 10, 'plain')).toBe(first);
    expect(first.bytes).toEqual(Buffer.concat(first.records.map((record) => record.frame('plain'))));
    expect(first).toMatchObject({ through: 2, records: [{ id: '1' }, { id: '2' }] });
    expect(feed.batch(0, filter, 10, 'relay.v1')).not.toBe(first);
    expect(feed.batch(0, feed.filter('b'), 10, 'plain')).not.toBe(first);
    await log.append([draft('3')]);
    expect(feed.batch(0, filter, 10, 'plain')).toMatchObject({ through: 3 });
    const single = await feed.batch(2, filter, 10, 'relay.v1');
    expect(single.bytes).toBe(single.records[0]?.frame('relay.v1'));
    expect((await feed.batch(3, filter, 10, 'plain')).bytes).toHaveLength(0);
    const before = feed.batch(0, filter, 10, 'plain');
    await turn();
    expect(feed.batch(0, filter, 10, 'plain')).not.toBe(before);
  });

  it('share one read of the database, and a failed one is not remembered', async () => {
    const { log, feed } = await setUp([row('a', 1), row('b', 1)], 2);
    await log.append(Array.from({ length: 9 }, (_, n) => draft(String(n))));
    const filter = feed.filter('a');
    const reads = log.reads;
    const [one, two] = [feed.batch(0, filter, 4, 'plain'), feed.batch(0, filter, 4, 'plain')];
    expect(one).toBe(two);
    expect((await one).records.map((record) => record.id)).toEqual(['0', '1', '2', '3']);
    expect(log.reads).toBe(reads + 1);
    log.away = new Error('away');
    // What the other one has read is not for this filter.
    const other = feed.filter('b');
    await expect(feed.batch(0, other, 4, 'plain')).rejects.toThrow('away');
    log.away = undefined;
    expect((await feed.batch(0, other, 4, 'plain')).through).toBe(4);
  });
});

describe('floors', () => {
  it('count only classes that the filter can contain, from its interests on', async () => {
    const { log, feed } = await setUp([
      row('chat', 1, 'channel.chat.message', 10),
      row('plain', 2, 'channel.follow', 10),
      row('both', 1, 'channel.chat.message', 10),
      row('both', 2, 'channel.follow', 10),
    ]);
    log.setFloors({ chat: 50, standard: 20 });
    const floor = (service: string, types?: string[]) => feed.floorFor(feed.filter(service, types));
    expect([floor('chat'), floor('plain'), floor('both')]).toEqual([50, 20, 50]);
    expect(floor('both', ['channel.follow'])).toBe(20);
    expect(floor('nothing')).toBe(20);
    log.setFloors({ chat: 9, standard: 0 });
    expect(floor('chat')).toBe(0);
  });

  it('know how long a record is kept', async () => {
    const { feed } = await setUp([]);
    const kept = (type: string) => feed.retentionMsOf({ ...draft('x', { type }), seq: 1 });
    expect([kept('channel.chat.message'), kept('channel.follow')]).toEqual([1_000, 7_000]);
  });
});

describe('a change of interests', () => {
  it('holds its service until it is in effect: nothing in between is passed over', async () => {
    const { log, feed, source, audience } = await setUp([row('a', 1), row('b', 2)]);
    const read = async (service: string, after: number) => feed.read(after, feed.filter(service), 10);
    const { held } = await audience.whileChanging('a', async () => {
      const added = row('a', 2, 'channel.follow', feed.head());
      // The row takes its time, and meanwhile something happens that others have wanted all along.
      await log.append([draft('1', { topic: 2 })]);
      const reading = read('a', 0);
      expect((await read('b', 0)).through).toBe(1);
      source.rows = [...source.rows, added];
      void audience.reload(['a']);
      return { held: reading };
    });
    expect(await held).toMatchObject({ records: [], through: 0 });
    const { records } = await read('a', 0);
    expect(records.map(({ seq }) => seq)).toEqual([1]);
  });

  it('that failed may have been made all the same, which is found out before anybody reads on', async () => {
    const { log, feed, source, audience } = await setUp([row('a', 1), row('b', 2)]);
    const making = audience.whileChanging('a', async () => {
      source.rows = [...source.rows, row('a', 2, 'channel.follow', feed.head())];
      await log.append([draft('1', { topic: 2 })]);
      throw new Error('the connection was lost after the commit');
    });
    await expect(making).rejects.toThrow('lost');
    await turn();
    const { records } = await feed.read(0, feed.filter('a'), 10);
    expect(records.map(({ seq }) => seq)).toEqual([1]);
  });

  it('ends its hold also when it fails, and beside another one', async () => {
    const { log, feed, audience } = await setUp([row('a', 1)]);
    await log.append([draft('1', { topic: 1 })]);
    const other = deferred<void>();
    const changing = audience.whileChanging('a', () => other.promise);
    await expect(audience.whileChanging('a', () => Promise.reject(new Error('refused')))).rejects.toThrow(
      'refused',
    );
    await turn();
    const held = feed.read(0, feed.filter('a'), 10);
    expect(held).toBeInstanceOf(Promise);
    other.resolve();
    await changing;
    expect(await held).toMatchObject({ through: 0 });
    expect(feed.read(0, feed.filter('a'), 10)).toMatchObject({ through: 1 });
  });
});
