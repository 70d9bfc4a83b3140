// The promises of EventLog, one by one, against a real database.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/domain/event.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import type { Commit } from '../../src/log/port.ts';
import type { Database } from '../../src/store/database.ts';
import { testDatabase } from '../support/test-database.ts';
import type { TestDatabase } from '../support/test-database.ts';
import { bot, draft, uuid } from './log-fixtures.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  place = await testDatabase();
  database = await place.open();
});
beforeEach(() => place.reset());
afterAll(() => place[Symbol.asyncDispose]());

const open = () => openLog({ pool: database.pool });
const ids = (records: readonly (LogRecord | null)[]) => records.map((record) => record?.id ?? null);

describe('opening', () => {
  it('names a new log once, however many open it at the same time, and keeps the name', async () => {
    const logs = await Promise.all([open(), open(), open(), open()]);
    const epochs = new Set(logs.map((log) => log.epoch));
    expect(epochs.size).toBe(1);
    expect([...epochs][0]).toMatch(/^[A-Za-z0-9]{12}$/);
    await logs[0]?.append([draft('a'), draft('b')]);
    const again = await open();
    expect(again.epoch).toBe(logs[0]?.epoch);
    expect(again.head()).toBe(2);
  });
});

describe('append', () => {
  it('numbers in order and gives back what was sent', async () => {
    const log = await open();
    const records = await log.append([draft('a'), draft('b'), draft('c')]);
    expect(records.map((record) => record?.seq)).toEqual([1, 2, 3]);
    expect(await log.readAfter(0, 10)).toEqual(records);
    expect(log.head()).toBe(3);
    expect(await log.headFromDatabase()).toBe(3);
  });

  it('keeps every audience and every byte of the body', async () => {
    const log = await open();
    const drafts = [
      draft('topic', {
        body: '"subscription":{"a":"\\u0000 \\"quoted\\" {curly}, \\\\"},"event":"ä€😀\t, NULL"',
      }),
      draft('topics', { audience: { kind: 'topics', topicIds: [uuid(1), uuid(2)] }, provider: 'relay' }),
      draft('no topics', { audience: { kind: 'topics', topicIds: [] }, provider: 'relay' }),
      draft('service', { audience: { kind: 'service', serviceAccountId: uuid(7) }, botAccountId: null }),
      draft('empty', { body: '', version: '', receivedAt: 1 }),
    ];
    const records = await log.append(drafts);
    expect(await log.readAfter(0, 10)).toEqual(records);
    expect(records).toEqual(drafts.map((each, index) => ({ ...each, seq: index + 1 })));
  });

  it('adds an id once: across batches and within one', async () => {
    const log = await open();
    await log.append([draft('a'), draft('b')]);
    const records = await log.append([draft('c'), draft('a'), draft('d'), draft('c'), draft('b')]);
    expect(ids(records)).toEqual(['c', null, 'd', null, null]);
    expect(ids(await log.readAfter(0, 10))).toEqual(['a', 'b', 'c', 'd']);
    expect(ids(await log.append([draft('a')]))).toEqual([null]);
    expect(ids(await log.append([]))).toEqual([]);
  });

  it('tells listeners of each commit and the numbers it owns, also when nothing was added', async () => {
    const log = await open();
    const commits: Commit[] = [];
    log.onCommit((commit) => commits.push(commit));
    await log.append([draft('a'), draft('b')]);
    await log.append([draft('b'), draft('a')]);
    await log.append([draft('c')]);
    expect(commits.map(({ base, count, records }) => [base, count, ids(records)])).toEqual([
      [0, 2, ['a', 'b']],
      [2, 2, []],
      [4, 1, ['c']],
    ]);
  });

  it('commits all or nothing when one draft is refused', async () => {
    const log = await open();
    const poison = draft('bad\u0000id');
    await expect(log.append([draft('a'), poison, draft('b')])).rejects.toMatchObject({ code: '22021' });
    await expect(log.append([draft('a', { botAccountId: 'no uuid' })])).rejects.toMatchObject({
      code: '22P02',
    });
    expect(await log.readAfter(0, 10)).toEqual([]);
    expect(await log.headFromDatabase()).toBe(0);
  });

  it('is safe to repeat when the answer to a commit was lost', async () => {
    await using wire = await CuttableWire.open(database.connection);
    const pool = wire.pool(1);
    const log = await openLog({ pool });
    wire.cutNextAnswer();
    await expect(log.append([draft('a'), draft('b')])).rejects.toThrow();
    expect(wire.cuts).toBe(1);
    expect(ids(await (await open()).readAfter(0, 10))).toEqual(['a', 'b']);
    expect(ids(await log.append([draft('a'), draft('b'), draft('c')]))).toEqual([null, null, 'c']);
    expect(ids(await log.readAfter(0, 10))).toEqual(['a', 'b', 'c']);
  });
});

describe('readAfter', () => {
  it('pages, filters by topic without hiding relay events, and stops at the bound', async () => {
    const log = await open();
    await log.append([
      draft('1', { topic: 1 }),
      draft('2', { topic: 2 }),
      draft('gap', { audience: { kind: 'topics', topicIds: [uuid(9)] } }),
      draft('mine', { audience: { kind: 'service', serviceAccountId: uuid(3) } }),
      draft('5', { topic: 1 }),
    ]);
    expect(ids(await log.readAfter(0, 2))).toEqual(['1', '2']);
    expect(ids(await log.readAfter(2, 2))).toEqual(['gap', 'mine']);
    expect(ids(await log.readAfter(0, 10, [uuid(1)]))).toEqual(['1', 'gap', 'mine', '5']);
    expect(ids(await log.readAfter(0, 10, []))).toEqual(['gap', 'mine']);
    expect(ids(await log.readAfter(1, 10, undefined, 3))).toEqual(['2', 'gap']);
    expect(ids(await log.readAfter(5, 10))).toEqual([]);
  });
});

describe('prune', () => {
  const at = (receivedAt: number, type = 'channel.follow') => ({ receivedAt, type, botAccountId: bot });

  it('removes the oldest of one class, moves its floor with them, and keeps both over a reopen', async () => {
    const log = await open();
    await log.append([
      draft('1', at(1000)),
      draft('2', at(1000, 'channel.chat.message')),
      draft('3', at(2000)),
      draft('4', at(3000)),
    ]);
    expect(await log.prune('standard', 2500, 1)).toBe(1);
    expect(log.floors()).toEqual({ chat: 0, standard: 1 });
    expect(await log.prune('standard', 2500, 500)).toBe(1);
    expect(await log.prune('standard', 2500, 500)).toBe(0);
    expect(log.floors()).toEqual({ chat: 0, standard: 3 });
    expect(ids(await log.readAfter(0, 10))).toEqual(['2', '4']);
    expect((await open()).floors()).toEqual({ chat: 0, standard: 3 });
    expect(await log.prune('chat', 1001, 500)).toBe(1);
    expect((await open()).floors()).toEqual({ chat: 2, standard: 3 });
  });

  it('is not held up by a record from a clock that was ahead', async () => {
    const log = await open();
    await log.append([draft('ahead', at(9_000_000)), draft('old', at(1000)), draft('new', at(5000))]);
    expect(await log.prune('standard', 2000, 500)).toBe(2);
    expect(ids(await log.readAfter(0, 10))).toEqual(['new']);
  });

  it('learns of floors that another process moved', async () => {
    const [mine, other] = [await open(), await open()];
    await other.append([draft('1', at(1000))]);
    await other.prune('standard', 2000, 500);
    expect(mine.floors().standard).toBe(0);
    expect((await mine.refreshFloors()).standard).toBe(1);
  });

  it.each([
    ['with the records', ['old', 'new'], ['new']],
    ['with none', ['old'], []],
  ])(
    'has them with every page that it reads, %s: what is missing lies below them',
    async (_how, sent, left) => {
      const [mine, other] = [await open(), await open()];
      await other.append(sent.map((id) => draft(id, at(id === 'old' ? 1000 : 5000))));
      await other.prune('standard', 2000, 500);
      expect(ids(await mine.readAfter(0, 10))).toEqual(left);
      expect(mine.floors()).toEqual({ chat: 0, standard: 1 });
      // The other statement, for some topics.
      const again = await open();
      await other.append([draft('last', at(6000))]);
      await other.prune('standard', 5500, 500);
      expect(ids(await again.readAfter(0, 10, [uuid(1)]))).toEqual(['last']);
      expect(again.floors().standard).toBe(left.length + 1);
    },
  );
});
