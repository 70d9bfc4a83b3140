// Fills a relay's log while the relay is not there: rows like those that it has written itself, numbered on from its head. The
// schema is afterwards what it was, which is checked.
import { statfs } from 'node:fs/promises';
import pg from 'pg';

const rowsPerStatement = 500_000;
/** With its share of the indexes; measured at less. */
const bytesPerRow = 1_400;
/** How long the rows took to come: well within any retention, and no reader is warned of being late. */
const spanHours = 12;

export interface Filled {
  /** The rows are those in (from, to]. */
  readonly from: number;
  readonly to: number;
  readonly epoch: string;
}

export interface FillDeps {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

interface Index {
  readonly name: string;
  /** Undefined for an index that is no constraint's. */
  readonly constraint: string | undefined;
  readonly definition: string;
}

/** Copies the log's own notifications in turns. Rejects when the disk has no room for it. */
export async function fillLog(database: pg.Client, rows: number, { say, signal }: FillDeps): Promise<Filled> {
  await checkRoom(database, rows);
  await database.query(
    `SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET statement_timeout = 0`,
  );
  const before = await indexesOf(database);
  for (const index of before) await database.query(dropping(index));
  const { rows: heads } = await database.query<{ seq: number; epoch: string }>(
    'SELECT seq::float8 AS seq, epoch FROM log_head',
  );
  const [head] = heads;
  if (!head) throw new Error('the log has no head');
  for (let done = 0; done < rows; done += rowsPerStatement) {
    signal.throwIfAborted();
    const count = Math.min(rowsPerStatement, rows - done);
    await database.query(insertSql, [head.seq, done + 1, done + count, rows, head.seq]);
    if (rows > rowsPerStatement) say(`  ${(done + count).toLocaleString('en')} rows`);
  }
  const to = head.seq + rows;
  await database.query('UPDATE log_head SET seq = $1', [to]);
  for (const index of before) await database.query(making(index));
  await database.query('VACUUM (ANALYZE) event');
  const after = await indexesOf(database);
  if (JSON.stringify(after) !== JSON.stringify(before))
    throw new Error('the log has other indexes than the relay gave it');
  // Written now, or it would be while the relay is measured. Not everybody may ask for it.
  await database.query('CHECKPOINT').catch(() => undefined);
  return { from: head.seq, to, epoch: head.epoch };
}

/** $1: the head. $2 and $3: the first and the last of this statement. $4: all. $5: up to where rows may be copied. */
const insertSql = `
WITH known AS (
  SELECT row_number() OVER (ORDER BY seq) - 1 AS turn, count(*) OVER () AS turns, event.*
  FROM event WHERE topic_id IS NOT NULL AND seq <= $5::bigint
), made AS (
  SELECT n, now() - interval '1 hour' * ${spanHours} * (1 - n::float8 / $4::bigint) AS at
  FROM generate_series($2::bigint, $3::bigint) AS n
)
INSERT INTO event (seq, message_id, class, provider, type, version, event_timestamp, received_at, bot_account_id, topic_id, body)
SELECT $1::bigint + n, gen_random_uuid()::text, class, provider, type, version,
       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"'), at, bot_account_id, topic_id, body
FROM made JOIN known ON turn = n % turns ORDER BY n`;

async function indexesOf(database: pg.Client): Promise<Index[]> {
  const { rows } = await database.query<{ name: string; constraint: string | null; definition: string }>(`
    SELECT c.relname AS name, k.conname AS constraint, coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)) AS definition
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid
    WHERE i.indrelid = 'event'::regclass AND i.indisvalid ORDER BY c.relname`);
  return rows.map(({ name, constraint, definition }) => ({
    name,
    constraint: constraint ?? undefined,
    definition,
  }));
}

const dropping = ({ name, constraint }: Index): string =>
  constraint === undefined ? `DROP INDEX "${name}"` : `ALTER TABLE event DROP CONSTRAINT "${constraint}"`;

const making = ({ constraint, definition }: Index): string =>
  constraint === undefined ? definition : `ALTER TABLE event ADD CONSTRAINT "${constraint}" ${definition}`;

/** As far as the server's disk can be seen from here. */
async function checkRoom(database: pg.Client, rows: number): Promise<void> {
  const { rows: answers } = await database.query<{ folder: string | null }>(
    `SELECT current_setting('data_directory', true) AS folder`,
  );
  const disk = await statfs(answers[0]?.folder ?? '').catch(() => undefined);
  const neededBytes = rows * bytesPerRow;
  if (disk && disk.bavail * disk.bsize < neededBytes)
    throw new Error(
      `${rows} rows need about ${Math.ceil(neededBytes / 1e9)} GB of disk: use a smaller --rows`,
    );
}
