// Nobody reads on while it is not certain whose filter is up to date; and how far back something may still be kept.
import { expect, it } from 'vitest';
import { Audience } from '../../src/fanout/audience.ts';
import { createFeed } from '../../src/fanout/feed.ts';
import type { InterestRow } from '../../src/fanout/port.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { draft, uuid } from '../contract/log-fixtures.ts';
import { MemoryLog } from '../contract/log-memory.ts';

const row = (service: string, topic: number, type = 'channel.follow', createdSeq = 0): InterestRow => ({
  serviceAccountId: service,
  topicId: uuid(topic),
  type,
  createdSeq,
  endpointId: null,
});

async function setUp() {
  const log = new MemoryLog();
  const tail = await openTail({ log, clock: systemClock });
  const source = {
    rows: [row('a', 1), row('b', 1)],
    answer: (): Promise<void> => Promise.resolve(),
    async loadInterests(services?: readonly string[]) {
      await source.answer();
      return source.rows.filter((each) => !services || services.includes(each.serviceAccountId));
    },
  };
  const audience = new Audience(source);
  const feed = createFeed({
    reader: createReader({ log, tail }),
    audience,
    keepMs: { chat: 1, standard: 1 },
  });
  const read = (service: string) => feed.read(0, feed.filter(service), 10);
  let n = 0;
  const append = (topic: number) =>
    log.append([draft(`m${++n}`, { audience: { kind: 'topic', topicId: uuid(topic) } })]);
  return { log, source, audience, feed, read, append };
}

it('a service whose interests are being read again waits; others do not', async () => {
  const { source, audience, feed, read, append } = await setUp();
  await audience.reload();
  await append(2);
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  source.answer = () => gate;
  source.rows = [...source.rows, row('a', 2)];
  const reload = audience.reload(['a']);
  const woken: string[] = [];
  feed.watch('a', () => woken.push('a'));
  const held = read('a');
  expect(held).toBeInstanceOf(Promise);
  expect(read('b')).toMatchObject({ records: [], through: 1 });
  release();
  await reload;
  // Nothing is passed, and whoever watches is told to look again with the filter of now.
  expect(await held).toMatchObject({ records: [], through: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(woken).toEqual(['a']);
  expect(read('a')).toMatchObject({ records: [{ id: 'm1' }], through: 1 });
});

it('after a failed read everybody waits until one succeeds', async () => {
  const { source, audience, read, append } = await setUp();
  await audience.reload();
  await append(1);
  source.answer = () => Promise.reject(new Error('away'));
  await expect(audience.reload(['a'])).rejects.toThrow('away');
  expect(audience.isKnown).toBe(false);
  let settled = 0;
  for (const service of ['a', 'b']) void Promise.resolve(read(service)).then(() => settled++);
  await expect(audience.reload()).rejects.toThrow('away');
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(0);
  source.answer = () => Promise.resolve();
  await audience.reload(['a']);
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(2);
  expect(audience.isKnown).toBe(true);
  for (const service of ['a', 'b']) expect(read(service)).toMatchObject({ records: [{ id: 'm1' }] });
});

it('a regular read of everything holds nobody', async () => {
  const { source, audience, read, append } = await setUp();
  await audience.reload();
  await append(1);
  source.answer = () => new Promise(() => {});
  void audience.reload();
  expect(read('a')).toMatchObject({ records: [{ id: 'm1' }] });
});

it('the oldest that may be kept is where the class that is kept longest begins', async () => {
  const { log, source, audience, feed } = await setUp();
  source.rows = [row('both', 1), row('both', 2, 'channel.chat.message'), row('follows', 1)];
  await audience.reload();
  log.setFloors({ chat: 9, standard: 4 });
  expect([feed.floorFor(feed.filter('both')), feed.oldestFor(feed.filter('both'))]).toEqual([9, 4]);
  expect([feed.floorFor(feed.filter('follows')), feed.oldestFor(feed.filter('follows'))]).toEqual([4, 4]);
});
