// The log's invariant: whoever has seen seq n never sees a smaller one appear later. Concurrent appenders, through pools of
// their own where the database can do that, against readers that poll as fast as they can.
import pg from 'pg';
import { expect, it } from 'vitest';
import { appendParameters, appendSql } from '../../src/log/log-sql.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import { poolBeside, testDatabase } from '../support/test-database.ts';
import { draft, until } from './log-fixtures.ts';

const appenders = 4;
const batchesEach = 60;

it('never shows a smaller seq after a larger one', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  const pools = Array.from({ length: appenders }, () => poolBeside(database, 2));
  const readerPool = poolBeside(database, 2);
  try {
    const logs = await Promise.all(pools.map((pool) => openLog({ pool })));
    const readerLog = await openLog({ pool: readerPool });
    let appending = true;

    const reader = async () => {
      const seen: number[] = [];
      for (let last = false; ;) {
        const page = await readerLog.readAfter(seen.at(-1) ?? 0, 50);
        seen.push(...page.map((record) => record.seq));
        if (last && page.length === 0) return seen;
        last = !appending;
      }
    };
    const readers = [reader(), reader()];
    await Promise.all(
      logs.map(async (log, who) => {
        for (let n = 0; n < batchesEach; n++) {
          // Sizes differ, and every fifth batch repeats an id, so that batches overtake each other and leave holes.
          const size = 1 + ((who * 7 + n * 3) % 12);
          const drafts = Array.from({ length: size }, (_, k) => draft(`${who}-${n}-${k}`));
          if (n % 5 === 4) drafts.push(draft(`${who}-${n - 1}-0`));
          await log.append(drafts);
        }
      }),
    );
    appending = false;
    const committed = await database.pool.query<{ seq: number }>(
      'SELECT seq::float8 AS seq FROM event ORDER BY event.seq',
    );
    const all = committed.rows.map((row) => row.seq);
    expect(all.length).toBeGreaterThan(appenders * batchesEach);
    // A record that appeared below what a reader had seen would be missing from what it read.
    for (const seen of await Promise.all(readers)) expect(seen).toEqual(all);
  } finally {
    for (const pool of [...pools, readerPool]) await pool.end();
  }
});

it('hands out no number while an earlier one is not yet committed', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  const log = await openLog({ pool: database.pool });
  const slow = new pg.Client(database.connection);
  await slow.connect();
  try {
    await slow.query('BEGIN');
    await slow.query(appendSql, appendParameters([draft('first'), draft('second')]));
    let landed = false;
    const later = log.append([draft('third')]).finally(() => (landed = true));
    // The embedded database runs nothing beside an open transaction; a server shows that the append waits for it.
    if (database.kind === 'postgres') {
      await until(async () => {
        const { rows } = await database.pool.query<{ waiting: number }>(
          `SELECT count(*)::int AS waiting FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return (rows[0]?.waiting ?? 0) > 0 || landed;
      });
      expect(await log.readAfter(0, 10)).toEqual([]);
    }
    expect(landed).toBe(false);
    await slow.query('COMMIT');
    expect((await later)[0]?.seq).toBe(3);
    expect((await log.readAfter(0, 10)).map((record) => record.id)).toEqual(['first', 'second', 'third']);
  } finally {
    await slow.end();
  }
});
