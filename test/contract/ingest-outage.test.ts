// Ingest, log and tail together over a wire that is cut: whatever happens, what was taken is in the log once, in order, and
// reaches the readers.
import { expect, it } from 'vitest';
import type { Filter } from '../../src/domain/filter.ts';
import { topicId } from '../../src/domain/topic.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { testDatabase } from '../support/test-database.ts';
import { notification, until } from './log-fixtures.ts';
import { CuttableWire } from '../support/cuttable-wire.ts';

const filter: Filter = {
  key: 'k',
  serviceAccountId: 's',
  topics: new Map([[topicId(notification('x')), 0]]),
  types: null,
};

async function setUp(wire: CuttableWire) {
  const log = await openLog({ pool: wire.pool() });
  const tail = await openTail({ log, clock: systemClock, pollMs: 20 });
  const reader = createReader({ log, tail });
  const ingest = createIngest({
    log,
    clock: systemClock,
    isWanted: () => true,
    limits: { backOff: { firstMs: 5, maxMs: 20 } },
  });
  const abort = new AbortController();
  const polling = tail.run(abort.signal);
  const seen: string[] = [];
  let position = 0;
  return {
    ingest,
    tail,
    read: async () => {
      const page = await reader.read(position, filter, 50);
      position = page.through;
      seen.push(...page.records.map((record) => record.id));
      return seen;
    },
    [Symbol.asyncDispose]: async () => {
      await ingest.stop();
      abort.abort();
      await polling;
    },
  };
}

it('shows every notification once and in order although answers to commits are lost', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  await using wire = await CuttableWire.open(database.connection);
  await using parts = await setUp(wire);
  const sent: string[] = [];
  for (let round = 0; round < 10; round++) {
    wire.cutNextAnswer();
    for (let n = 0; n < 20; n++) {
      const id = `${round}-${n}`;
      sent.push(id);
      parts.ingest.notification(notification(id));
      if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => wire.cuts === round + 1);
    await until(() => parts.ingest.stats().pending === 0);
  }
  await until(async () => (await parts.read()).length >= sent.length);
  expect(await parts.read()).toEqual(sent);
  const { rows } = await database.pool.query<{ id: string }>(
    'SELECT message_id AS id FROM event ORDER BY seq',
  );
  expect(rows.map((row) => row.id)).toEqual(sent);
});

it('holds what arrives while the database is away and commits it when it is back', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  await using wire = await CuttableWire.open(database.connection);
  await using parts = await setUp(wire);
  parts.ingest.notification(notification('before'));
  await until(() => parts.ingest.stats().pending === 0);
  wire.refuse(true);
  for (let n = 0; n < 1_200; n++) parts.ingest.notification(notification(`away-${n}`));
  await until(() => parts.ingest.stats().failing !== null && parts.tail.counts.pollFailures > 0);
  expect(parts.ingest.stats().pending).toBe(1_200);
  wire.refuse(false);
  await until(() => parts.ingest.stats().pending === 0);
  expect(parts.ingest.stats()).toMatchObject({ failing: null, droppedTotal: 0 });
  await until(async () => (await parts.read()).length >= 1_201);
  const seen = await parts.read();
  expect(seen).toEqual(['before', ...Array.from({ length: 1_200 }, (_, n) => `away-${n}`)]);
});

it('singles out what PostgreSQL refuses', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  await using wire = await CuttableWire.open(database.connection);
  await using parts = await setUp(wire);
  for (let n = 0; n < 30; n++) {
    const odd = n === 11 ? { body: '"event":"\u0000"' } : n === 23 ? { eventTimestamp: '\u0000' } : {};
    parts.ingest.notification(notification(`n-${n}`, odd));
  }
  await until(() => parts.ingest.stats().pending === 0);
  const { rows } = await database.pool.query<{ type: string; id: string }>(
    'SELECT type, message_id AS id FROM event ORDER BY seq',
  );
  const found = rows.map((row) => (row.type === 'relay.gap' ? 'gap' : row.id));
  expect(found).toEqual(Array.from({ length: 30 }, (_, n) => (n === 11 || n === 23 ? 'gap' : `n-${n}`)));
});
