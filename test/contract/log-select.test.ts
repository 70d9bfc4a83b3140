// Choosing records by filter and range, and reading them by position: what SQL chooses is what the pure filter chooses.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Audience, EventDraft } from '../../src/domain/event.ts';
import { matches, type Filter } from '../../src/domain/filter.ts';
import type { Selection } from '../../src/delivery/port.ts';
import { openLog, type PostgresLog } from '../../src/log/postgres-log.ts';
import { createReader } from '../../src/log/reader.ts';
import { RecentWindow } from '../../src/log/recent-window.ts';
import type { Database } from '../../src/store/database.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { draft, uuid } from './log-fixtures.ts';

let place: TestDatabase;
let pool: Database['pool'];
let log: PostgresLog;
beforeAll(async () => {
  place = await sharedDatabase();
  ({ pool } = await place.open());
  log = await openLog({ pool });
});
afterAll(() => place[Symbol.asyncDispose]());

const start = 1_795_230_000_000;
const topic = fc.integer({ min: 1, max: 4 }).map(uuid);
const service = fc.integer({ min: 11, max: 12 }).map(uuid);
const audience: fc.Arbitrary<Audience> = fc.oneof(
  { weight: 3, arbitrary: topic.map((topicId) => ({ kind: 'topic' as const, topicId })) },
  fc.array(topic, { maxLength: 3 }).map((topicIds) => ({ kind: 'topics' as const, topicIds })),
  service.map((serviceAccountId) => ({ kind: 'service' as const, serviceAccountId })),
);
const event = fc.record({
  audience,
  type: fc.constantFrom('channel.follow', 'channel.chat.message'),
  receivedAt: fc.integer({ min: start, max: start + 20 }),
});

it('chooses what the filter and the selection say, in order, and no more than asked for', async () => {
  let batch = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 20 }),
      fc.dictionary(topic, fc.integer({ min: -5, max: 25 }), { maxKeys: 4 }),
      fc.option(fc.constantFrom(['channel.follow'], ['channel.follow', 'channel.chat.message'])),
      service,
      fc.record({
        after: fc.integer({ min: -1, max: 10 }),
        through: fc.integer({ min: 5, max: 25 }),
        receivedFrom: fc.option(fc.integer({ min: start, max: start + 20 }), { nil: undefined }),
        receivedBefore: fc.option(fc.integer({ min: start, max: start + 21 }), { nil: undefined }),
        ids: fc.option(fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 5 }), { nil: undefined }),
      }),
      fc.integer({ min: 1, max: 30 }),
      async (events, wishes, types, serviceAccountId, wanted, limit) => {
        batch += 1;
        const nameOf = (index: number) => `batch ${batch} event ${index}`;
        const drafts = events.map((each, index): EventDraft => ({
          ...draft(nameOf(index), each),
          provider: each.audience.kind === 'topic' ? 'twitch' : 'relay',
        }));
        const base = log.head();
        const records = (await log.append(drafts)).filter((record) => record !== null);
        const filter: Filter = {
          key: '',
          serviceAccountId,
          topics: new Map(Object.entries(wishes).map(([id, since]) => [id, base + since])),
          types: types && new Set(types),
        };
        const selection: Selection = {
          ...wanted,
          after: base + wanted.after,
          through: base + wanted.through,
          ids: wanted.ids?.map(nameOf),
        };
        const expected = records
          .filter((record) => matches(filter, record))
          .filter(({ seq }) => seq > selection.after && seq <= selection.through)
          .filter(({ receivedAt }) => receivedAt >= (selection.receivedFrom ?? 0))
          .filter(({ receivedAt }) => receivedAt < (selection.receivedBefore ?? Infinity))
          .filter(({ id }) => !selection.ids || selection.ids.includes(id))
          .map(({ seq }) => seq);
        const chosen = await log.select(
          filter,
          { ...selection, after: Math.max(base, selection.after) },
          limit,
        );
        expect(chosen).toEqual(expected.slice(0, limit));
        expect((await log.readAt(chosen)).map(({ seq }) => seq)).toEqual(chosen);
      },
    ),
    { numRuns: 150 },
  );
});

it('reads by position what is there, whole, in order, and passes over what is not', async () => {
  const [a, b] = await log.append([draft('one'), draft('two')]);
  expect(await log.readAt([(b?.seq ?? 0) + 1_000, b?.seq ?? 0, a?.seq ?? 0])).toEqual([a, b]);
  expect(await log.readAt([])).toEqual([]);
});

const everything: Filter = { key: '', serviceAccountId: uuid(11), topics: new Map(), types: null };

// Planned once for all, the statement would read the whole log for a single id.
it('is planned anew for what is asked', async () => {
  await log.select(everything, { after: 0, through: log.head(), ids: ['one'] }, 1);
  const held = 'SELECT statement FROM pg_prepared_statements';
  const { rows } = await pool.query<{ statement: string }>(held);
  expect(rows.filter(({ statement }) => statement.includes('array_position'))).toEqual([]);
});

it('is asked for a bounded stretch at a time, above what retention has removed', async () => {
  const asked: [number, number, number][] = [];
  const seqs = [30_000, 45_000, 120_000, 120_001, 170_000];
  const reader = createReader({
    log: {
      epoch: 'e',
      readAfter: async () => [],
      readAt: async () => [],
      floors: () => ({ chat: 60_000, standard: 40_000 }),
      async select(_filter, { after, through }, limit) {
        asked.push([after, through, limit]);
        return seqs.filter((seq) => seq > after && seq <= through).slice(0, limit);
      },
    },
    tail: {
      window: new RecentWindow(200_000, { maxRecords: 1, maxBytes: 1 }),
      onAdvance: () => () => {},
    },
  });
  const all = { after: 0, through: Number.MAX_SAFE_INTEGER };
  expect(await reader.select(everything, all, 9)).toEqual([45_000, 120_000, 120_001, 170_000]);
  expect(asked).toEqual([
    [40_000, 90_000, 9],
    [90_000, 140_000, 8],
    [140_000, 190_000, 6],
    [190_000, 200_000, 5],
  ]);
  expect(await reader.select(everything, { ...all, after: 45_000 }, 2)).toEqual([120_000, 120_001]);
  expect(await reader.select(everything, { after: 120_000, through: 120_001 }, 9)).toEqual([120_001]);
  asked.length = 0;
  await reader.select(everything, { ...all, ids: ['one'] }, 9);
  expect(asked).toHaveLength(1);
});
