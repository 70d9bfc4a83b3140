// Following `through` gives exactly the matching records, in order, once: for any log, filter, window, limit and
// interleaving of commits (ours, others', and ours whose answer was lost), from any position.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Selection } from '../../src/delivery/port.ts';
import type { EventDraft, LogRecord } from '../../src/domain/event.ts';
import { decodeCursor } from '../../src/domain/cursor.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { matches } from '../../src/domain/filter.ts';
import { createReader, type ReaderDeps } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { draft, uuid } from '../contract/log-fixtures.ts';
import { MemoryLog } from '../contract/log-memory.ts';

const types = ['channel.follow', 'channel.chat.message', 'stream.online'];

const draftShape = fc.record({
  // Few ids, so that some are repeated and leave holes.
  id: fc.integer({ min: 0, max: 150 }).map(String),
  type: fc.constantFrom(...types),
  audience: fc.oneof(
    fc.integer({ min: 1, max: 4 }).map((n) => ({ kind: 'topic' as const, topicId: uuid(n) })),
    fc
      .uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })
      .map((topics) => ({ kind: 'topics' as const, topicIds: topics.map(uuid) })),
    fc.constantFrom('me', 'you').map((serviceAccountId) => ({ kind: 'service' as const, serviceAccountId })),
  ),
});
const draftOf = (shape: { id: string; type: string; audience: EventDraft['audience'] }): EventDraft =>
  draft(shape.id, { ...shape, provider: shape.audience.kind === 'topic' ? 'twitch' : 'relay' });

const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'read' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('ours' as const, 'elsewhere' as const, 'lost' as const),
      drafts: fc.array(draftShape, { minLength: 1, maxLength: 12 }),
    }),
  },
);

const filterShape = fc.record({
  topics: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 60 })), {
    selector: ([topic]) => topic,
    maxLength: 4,
  }),
  types: fc.option(fc.subarray(types)),
});
const filterOf = (shape: { topics: [number, number][]; types: string[] | null }): Filter => ({
  key: 'k',
  serviceAccountId: 'me',
  topics: new Map(shape.topics.map(([topic, since]) => [uuid(topic), since])),
  types: shape.types && new Set(shape.types),
});

it('reads exactly the matching records, in order, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(draftShape, { maxLength: 40 }),
      fc.array(step, { maxLength: 25 }),
      filterShape,
      fc.record({
        maxRecords: fc.integer({ min: 1, max: 30 }),
        maxBytes: fc.constantFrom(1, 20_000, 1_000_000),
        warmSeqs: fc.integer({ min: 0, max: 30 }),
        limit: fc.integer({ min: 1, max: 9 }),
        after: fc.integer({ min: 0, max: 40 }),
      }),
      async (before, steps, shape, { limit, after, ...options }) => {
        const log = new MemoryLog();
        if (before.length > 0) log.commitElsewhere(before.map(draftOf));
        const tail = await openTail({ log, clock: systemClock, ...options });
        const reader = createReader({ log, tail });
        const filter = filterOf(shape);
        const start = Math.min(after, reader.head());
        // Two with one filter, one from the log's begin, as two consumers of a service.
        const walks = [start, 0].map((from) => ({ from, position: from, seen: [] as number[] }));
        const read = async () => {
          for (const walk of walks) {
            const { records, through } = await reader.read(walk.position, filter, limit);
            expect(records.length).toBeLessThanOrEqual(limit);
            expect(through).toBeGreaterThanOrEqual(records.at(-1)?.seq ?? walk.position);
            expect(through).toBeLessThanOrEqual(reader.head());
            walk.seen.push(...records.map((record) => record.seq));
            walk.position = through;
          }
        };
        for (const each of steps) {
          if (each.kind === 'read') await read();
          else if (each.kind === 'elsewhere') log.commitElsewhere(each.drafts.map(draftOf));
          else {
            if (each.kind === 'lost') log.loseAnswers = 1;
            // Not awaited: reads come in between, while a hole before this commit is being filled.
            void log.append(each.drafts.map(draftOf)).catch(() => {});
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
        await tail.catchUp();
        expect(reader.head()).toBe(log.head());
        while (walks.some(({ position }) => position < reader.head())) await read();
        for (const { from, seen } of walks) {
          const expected = log.records.filter((record) => record.seq > from && matches(filter, record));
          expect(seen).toEqual(expected.map((record) => record.seq));
        }
      },
    ),
    { numRuns: 400 },
  );
});

/** A log so long that nobody would fill it: it notes what it is asked, and has a record at each position of `kept`. */
function longLog(kept: readonly number[], { from = 999_000, to = 1_000_000, floor = 0 } = {}) {
  const asked: string[] = [];
  const recordAt = (seq: number): LogRecord => ({ ...draft(`m${seq}`), seq });
  const within = (after: number, through: number) => kept.filter((seq) => seq > after && seq <= through);
  const log: ReaderDeps['log'] = {
    epoch: 'long',
    readAfter: async (after, limit, topicIds, through = Infinity) => {
      asked.push(`read ${limit} of ${topicIds?.length} topics in (${after}, ${through}]`);
      return within(after, through).slice(0, limit).map(recordAt);
    },
    readAt: async (seqs) => seqs.map(recordAt),
    select: async (_filter, { after, through, ids }, limit) => {
      asked.push(`select ${limit} in (${after}, ${through}]${ids ? ` of ${ids.length} ids` : ''}`);
      return within(after, through).slice(0, limit);
    },
    floors: () => ({ chat: floor + 5, standard: floor }),
  };
  const advanced: unknown[] = [];
  const tail: ReaderDeps['tail'] = {
    window: {
      from,
      to,
      size: 0,
      bytes: 0,
      read: (after) => {
        asked.push(`window after ${after}`);
        return { records: [], through: to };
      },
    },
    onAdvance: (listener) => {
      advanced.push(listener);
      return () => void advanced.splice(advanced.indexOf(listener), 1);
    },
  };
  return { reader: createReader({ log, tail }), asked, advanced };
}

const everything = filterOf({ topics: [[1, 0]], types: null });
const all: Selection = { after: 0, through: Infinity };

describe('one statement', () => {
  it('looks no further than fifty thousand positions for a match, and says how far it got', async () => {
    const { reader, asked } = longLog([700_000]);
    expect(await reader.read(600_000, everything, 10)).toEqual({ records: [], through: 650_000 });
    expect(asked).toEqual(['read 100 of 1 topics in (600000, 650000]']);
  });

  it('takes at least a hundred rows and at most five hundred, and goes on behind a full page', async () => {
    const kept = Array.from({ length: 900 }, (_, index) => 2 * index + 1);
    for (const [limit, rows, through] of [
      [1, 100, 199],
      [300, 300, 599],
      [10_000, 500, 999],
    ] as const) {
      const { reader, asked } = longLog(kept);
      const nothing = filterOf({ topics: [[1, 100_000]], types: null });
      expect(await reader.read(0, nothing, limit)).toEqual({ records: [], through });
      expect(asked).toEqual([`read ${rows} of 1 topics in (0, 50000]`]);
    }
  });

  it('asks for more the longer somebody reads on, and gives the rest from memory', async () => {
    const { reader, asked } = longLog(Array.from({ length: 2_000 }, (_, index) => index + 1));
    const seen: number[] = [];
    for (let after = 0; after < 1_000;) {
      const answer = reader.read(after, everything, 64);
      const inMemory = !(answer instanceof Promise);
      const { records, through } = await answer;
      expect(inMemory).toBe(![0, 100, 300, 700].includes(after));
      seen.push(...records.map(({ seq }) => seq));
      after = through;
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    // The last one is on its way already.
    expect(asked.map((each) => each.split(' ')[1])).toEqual(['100', '200', '400', '500', '500']);
  });

  it('of two readers of one filter who are far apart takes no more than each wants', async () => {
    const { reader, asked } = longLog(Array.from({ length: 20_000 }, (_, index) => index + 1));
    for (let turn = 0; turn < 5; turn++) {
      await reader.read(turn * 150, everything, 150);
      await reader.read(10_000 + turn * 150, everything, 150);
    }
    expect(new Set(asked.map((each) => each.split(' ')[1]))).toEqual(new Set(['150']));
  });

  it('passes what was cut off next, and nothing twice', async () => {
    const { reader } = longLog([3, 5, 8]);
    const two = await reader.read(0, everything, 2);
    expect(two.records.map(({ seq }) => seq)).toEqual([3, 5]);
    expect(two.through).toBe(5);
    // Exactly as many as asked for: nothing was cut off.
    expect((await reader.read(0, everything, 3)).through).toBe(50_000);
  });

  it('is not made for nothing: at the head, for no records, or where the window has the answer', async () => {
    const { reader, asked } = longLog([]);
    expect(await reader.read(1_000_000, everything, 10)).toEqual({ records: [], through: 1_000_000 });
    expect(await reader.read(500, everything, 0)).toEqual({ records: [], through: 500 });
    expect(asked).toEqual([]);
    void reader.read(999_000, everything, 1);
    void reader.read(998_999, everything, 1);
    expect(asked).toEqual(['window after 999000', 'read 100 of 1 topics in (998999, 1000000]']);
  });
});

describe('a selection', () => {
  it('by ids is one statement, wherever they are', async () => {
    const { reader, asked } = longLog([7, 900_000]);
    const selection = { ...all, ids: ['a', 'b'] };
    expect(await reader.select(everything, selection, 5)).toEqual([7, 900_000]);
    expect(asked).toEqual(['select 5 in (0, Infinity] of 2 ids']);
  });

  it('goes in strides, and not past what was asked for, the head, or enough', async () => {
    const { reader, asked } = longLog([10, 60_000, 60_001, 940_000]);
    expect(await reader.select(everything, all, 3)).toEqual([10, 60_000, 60_001]);
    expect(asked).toEqual(['select 3 in (0, 50000]', 'select 2 in (50000, 100000]']);
    asked.length = 0;
    expect(await reader.select(everything, { after: 59_999, through: 60_000 }, 3)).toEqual([60_000]);
    expect(asked).toEqual(['select 3 in (59999, 60000]']);
    asked.length = 0;
    expect(await reader.select(everything, { after: 920_000, through: Infinity }, 3)).toEqual([940_000]);
    expect(asked).toEqual(['select 3 in (920000, 970000]', 'select 2 in (970000, 1000000]']);
  });

  it('begins at the lowest floor, since below it there is nothing', async () => {
    const { reader, asked } = longLog([970_000], { floor: 960_000 });
    expect(await reader.select(everything, all, 1)).toEqual([970_000]);
    expect(asked).toEqual(['select 1 in (960000, 1000000]']);
  });
});

it('says what it reads, from where, and when there is more', async () => {
  const { reader, advanced } = longLog([]);
  expect(reader.epoch).toBe('long');
  expect(reader.head()).toBe(1_000_000);
  expect(reader.floors()).toEqual({ chat: 5, standard: 0 });
  expect((await reader.at([4, 9])).map(({ seq, cursor }) => [seq, decodeCursor(cursor)])).toEqual([
    [4, { epoch: 'long', seq: 4 }],
    [9, { epoch: 'long', seq: 9 }],
  ]);
  const leave = reader.onAdvance(() => undefined);
  expect(advanced).toHaveLength(1);
  leave();
  expect(advanced).toEqual([]);
});
