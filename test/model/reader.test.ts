// Following `through` gives exactly the matching records, in order, once: for any log, filter, window, limit and
// interleaving of commits (ours, others', and ours whose answer was lost), from any position.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EventDraft } from '../../src/domain/event.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { matches } from '../../src/domain/filter.ts';
import { createReader } from '../../src/log/reader.ts';
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
        const seen: number[] = [];
        let position = start;
        const read = async () => {
          const { records, through } = await reader.read(position, filter, limit);
          expect(records.length).toBeLessThanOrEqual(limit);
          expect(through).toBeGreaterThanOrEqual(records.at(-1)?.seq ?? position);
          expect(through).toBeLessThanOrEqual(reader.head());
          seen.push(...records.map((record) => record.seq));
          position = through;
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
        while (position < reader.head()) await read();
        const expected = log.records.filter((record) => record.seq > start && matches(filter, record));
        expect(seen).toEqual(expected.map((record) => record.seq));
      },
    ),
    { numRuns: 400 },
  );
});
