// A plain program that inserts rows into a table like the relay's log: same columns, same indexes, one connection, one batch
// after another. It numbers the rows itself and does nothing else: no order to keep, no repetition to find, nobody to tell.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { InsertForm } from './insert-messages.ts';
import { insertRequest, type InsertAnswer } from './insert-messages.ts';

const [databaseUrl = ''] = process.argv.slice(2);
const columns = [
  ['seq', 'bigint'],
  ['message_id', 'text'],
  ['class', 'text'],
  ['provider', 'text'],
  ['type', 'text'],
  ['version', 'text'],
  ['event_timestamp', 'text'],
  ['received_at', 'timestamptz'],
  ['bot_account_id', 'uuid'],
  ['topic_id', 'uuid'],
  ['topic_ids', 'text'],
  ['service_account_id', 'uuid'],
  ['body', 'text'],
] as const;
type Row = Record<(typeof columns)[number][0], unknown>;

const names = columns.map(([name]) => name).join(', ');
/** Rows of the relay's log to copy: whatever differs from row to row is made anew. */
const templates = 64;

const tell = (answer: InsertAnswer): void => void process.send?.(answer);
const client = new pg.Client({ connectionString: databaseUrl });
let known: readonly Row[] = [];
let seq = 0;

function makeRows(count: number): Row[] {
  const now = new Date();
  return Array.from({ length: count }, (_, index) => {
    const like = known[index % known.length];
    if (!like) throw new Error('there is no row to copy');
    return { ...like, seq: ++seq, message_id: randomUUID(), received_at: now };
  });
}

/** The text and parameters of one batch, by form. */
const statements: Readonly<
  Record<InsertForm, (rows: readonly Row[]) => { text: string; values: unknown[] }>
> = {
  unnest: (rows) => ({
    text: `INSERT INTO peer_event (${names}) SELECT * FROM unnest(${columns
      .map(([, type], index) => `$${index + 1}::${type}[]`)
      .join(', ')})`,
    values: columns.map(([name]) => rows.map((row) => row[name])),
  }),
  values: (rows) => ({
    text: `INSERT INTO peer_event (${names}) VALUES ${rows
      .map(
        (_, row) => `(${columns.map((_column, index) => `$${row * columns.length + index + 1}`).join(',')})`,
      )
      .join(',')}`,
    values: rows.flatMap((row) => columns.map(([name]) => row[name])),
  }),
};

async function insert(form: InsertForm, batchRows: number, rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += batchRows) {
    const batch = rows.slice(at, at + batchRows);
    const { text, values } = statements[form](batch);
    // Parsed and planned once per size.
    await client.query({ name: `${form}-${batch.length}`, text, values });
  }
}

async function open(): Promise<void> {
  await client.connect();
  await client.query('CREATE TABLE IF NOT EXISTS peer_event (LIKE event INCLUDING ALL)');
  const answer = await client.query<Row>(
    `SELECT ${names} FROM event WHERE topic_id IS NOT NULL ORDER BY event.seq LIMIT ${templates}`,
  );
  known = answer.rows;
}

async function run(message: unknown): Promise<void> {
  const { form, batchRows, rows } = insertRequest.parse(message);
  const made = makeRows(rows);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await insert(form, batchRows, made);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  tell({ kind: 'inserted', seconds, cpuSeconds: (user + system) / 1_000_000 });
}

const failed = (error: unknown): void => tell({ kind: 'failed', message: String(error) });
process.on('message', (message) => void run(message).catch(failed));
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
await open().then(() => tell({ kind: 'ready' }), failed);
