// Retention against a real database: small statements, appends in between, floors that tell the truth and stay.
import { expect, it } from 'vitest';
import type { PrunableLog } from '../../src/log/port.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import { Retention } from '../../src/log/retention.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { testDatabase, testDatabaseUrl } from '../support/test-database.ts';
import { draft, uuid } from './log-fixtures.ts';

const day = 86_400_000;
/** The embedded database is a tenth as fast, and has the same statements to run. */
const old = testDatabaseUrl() ? 100_000 : 20_000;

it(`removes ${old} records in small statements while appends go on between them`, async () => {
  await using place = await testDatabase();
  const database = await place.open();
  const log = await openLog({ pool: database.pool });
  const now = systemClock.now();
  // Two of three are chat, two days old; the rest was received five days ago. All of the standard ones are kept.
  await database.pool.query(
    `INSERT INTO event (seq, message_id, class, provider, type, version, event_timestamp, received_at, topic_id, body)
     SELECT n, 'old-' || n, CASE WHEN n % 3 = 0 THEN 'standard' ELSE 'chat' END, 'twitch', 'x', '1', '',
            to_timestamp($1::float8 / 1000) - CASE WHEN n % 3 = 0 THEN interval '5 days' ELSE interval '2 days' END, $3, ''
     FROM generate_series(1, $2::int) AS n`,
    [now, old * 1.5, uuid(1)],
  );
  await database.pool.query('UPDATE log_head SET seq = $1', [old * 1.5]);

  const batchRows = 500;
  const abort = new AbortController();
  let appending = true;
  let appended = 0;
  const appendedAtStatement: number[] = [];
  const watched: PrunableLog = {
    prune: async (...args) => {
      const removed = await log.prune(...args);
      expect(removed).toBeLessThanOrEqual(batchRows);
      appendedAtStatement.push(appended);
      return removed;
    },
    refreshFloors: () => log.refreshFloors(),
  };
  const retention = new Retention({
    log: watched,
    clock: systemClock,
    keepMs: { chat: day, standard: 7 * day },
    options: { batchRows, pauseMs: 5 },
  });
  const appender = (async () => {
    while (appending) {
      await log.append([draft(`new-${appended}`, { type: 'channel.chat.message', receivedAt: now })]);
      appended++;
    }
  })();
  await retention.round(abort.signal);
  appending = false;
  await appender;

  expect(retention.counts.removed).toEqual({ chat: old, standard: 0 });
  // One more per class finds that nothing is left to remove; the last chat page may hold new records already.
  expect(retention.counts.statements).toBeGreaterThanOrEqual(old / batchRows + 1);
  expect(retention.counts.statements).toBeLessThanOrEqual(old / batchRows + 3);
  // Never many statements in a row without an append getting through: no wall clock, just the order of things.
  const starved = appendedAtStatement.filter((count, n) => n >= 10 && count === appendedAtStatement[n - 10]);
  expect(starved).toEqual([]);
  const left = await database.pool.query<{ class: string; count: number }>(
    'SELECT class, count(*)::int AS count FROM event GROUP BY class ORDER BY class',
  );
  expect(left.rows).toEqual([
    { class: 'chat', count: appended },
    { class: 'standard', count: old / 2 },
  ]);
  const lastChat = old * 1.5 - 1;
  expect(log.floors()).toEqual({ chat: lastChat, standard: 0 });
  expect((await openLog({ pool: database.pool })).floors()).toEqual({ chat: lastChat, standard: 0 });
}, 120_000);

it('never touches the head, whose lock every append needs', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  const log = await openLog({ pool: database.pool });
  await log.append([draft('old', { receivedAt: 1_000 })]);
  // xmin and xmax name the last transactions that wrote or locked the row.
  const head = () => database.pool.query('SELECT xmin::text, xmax::text, seq::text FROM log_head');
  const before = await head();
  expect(await log.prune('standard', 2_000, 10)).toBe(1);
  expect((await head()).rows).toEqual(before.rows);
});

it('goes on after a failed round and ends with its signal', async () => {
  const abort = new AbortController();
  const told: unknown[] = [];
  let calls = 0;
  const retention = new Retention({
    log: {
      prune: () => (++calls === 1 ? Promise.reject(new Error('away')) : Promise.resolve(0)),
      refreshFloors: () => {
        abort.abort();
        return Promise.resolve({ chat: 0, standard: 0 });
      },
    },
    clock: systemClock,
    keepMs: { chat: day, standard: day },
    options: { intervalMs: 1 },
    onError: (error) => told.push(error),
  });
  await retention.run(abort.signal);
  expect(told).toHaveLength(1);
  expect(retention.counts.failures).toBe(1);
  // Once in vain, then both classes in the next round.
  expect(calls).toBe(3);
});
