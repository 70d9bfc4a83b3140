// Brings the database to the shape that the code expects, once, whoever starts first; and tells whether it has it. It
// never changes anything when the history on disk and the recorded one do not fit: that is for a person to settle.
import { createHash } from 'node:crypto';
import pg from 'pg';
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import type { Database } from './database.ts';
import { applyMigrations, readMigrations } from './schema-engine.ts';

/** Any number, as long as nobody else locks it: "relay" in ASCII. */
const lockKey = 0x72656c6179;
/** Another process may be at a long migration; longer than this it hangs. */
const lockTimeoutMs = 300_000;

export interface MigrateOptions {
  /** Whether to exclude other processes. The embedded database has one process only, and advisory locks mean nothing there. */
  readonly lock?: boolean;
  /** Where the migrations are; the ones that came with the code unless a test says otherwise. */
  readonly folder?: string;
}

export interface MigrationState {
  readonly ok: boolean;
  /** Names on disk that the database has not seen. */
  readonly pending: readonly string[];
  /** One line for people. */
  readonly detail: string;
}

/**
 * Applies the missing migrations in order and answers their names. Safe to call from several processes at once. Throws
 * RelayError `migration_failed`, `migration_history` (edited, or the database is newer than the code) or
 * `migration_locked`; each message says what to do.
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<string[]> {
  const lock = options.lock ?? database.kind === 'postgres';
  const unlock = lock ? await takeLock(database.connection) : async () => {};
  try {
    const migrations = await readMigrations(options.folder);
    const history = compare(onDisk(migrations), await recorded(database.pool));
    if (history.fault) throw new RelayError(history.fault.code, 500, history.fault.message);
    if (history.pending.length === 0) return [];
    return await applyMigrations(database.connection, migrations).catch((error: unknown) => {
      throw failed(error);
    });
  } finally {
    await unlock();
  }
}

/** How the database stands to the migrations of this code. Rejects only when the database does not answer. */
export async function migrationState(pool: pg.Pool, folder?: string): Promise<MigrationState> {
  const history = compare(onDisk(await readMigrations(folder)), await recorded(pool));
  if (history.fault) return { ok: false, pending: history.pending, detail: history.fault.message };
  if (history.pending.length === 0) return { ok: true, pending: [], detail: `${history.applied} applied` };
  return { ok: false, pending: history.pending, detail: `not applied: ${history.pending.join(', ')}` };
}

interface DiskMigration {
  readonly name: string;
  readonly checksum: string;
}

const recordedMigration = z.object({
  name: z.string(),
  checksum: z.string(),
  finished: z.boolean(),
  logs: z.string().nullable(),
});
type RecordedMigration = z.infer<typeof recordedMigration>;

function onDisk(list: Awaited<ReturnType<typeof readMigrations>>): DiskMigration[] {
  return list.migrationDirectories.map(({ path, migrationFile: { content } }) => ({
    name: path,
    checksum: content.tag === 'ok' ? createHash('sha256').update(content.value).digest('hex') : '',
  }));
}

/** What the database remembers, rolled-back attempts left out; empty for a new database. */
async function recorded(pool: pg.Pool): Promise<RecordedMigration[]> {
  const table = await pool.query<{ there: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there`,
  );
  if (!table.rows[0]?.there) return [];
  const rows = await pool.query(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished, logs
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
  );
  return z.array(recordedMigration).parse(rows.rows);
}

interface History {
  readonly pending: string[];
  readonly applied: number;
  readonly fault?: { readonly code: string; readonly message: string };
}

/** Compares what is on disk with what the database remembers. */
function compare(disk: readonly DiskMigration[], known: readonly RecordedMigration[]): History {
  const applied = new Map(known.map((migration) => [migration.name, migration]));
  const pending = disk.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  const base = { pending, applied: known.length };
  const broken = known.find((migration) => !migration.finished);
  if (broken) return { ...base, fault: { code: 'migration_failed', message: brokenText(broken) } };
  const foreign = known.filter(({ name }) => !disk.some((migration) => migration.name === name));
  if (foreign.length > 0) {
    const message =
      `The database has migrations that this version does not know (${foreign.map(({ name }) => name).join(', ')}): ` +
      'it is newer than the code. Start the version that made it, or use another database.';
    return { ...base, fault: { code: 'migration_history', message } };
  }
  const edited = disk.filter(({ name, checksum }) => {
    const record = applied.get(name);
    return record !== undefined && record.checksum !== checksum;
  });
  if (edited.length === 0) return base;
  const message =
    `These migrations were edited after they had been applied: ${edited.map(({ name }) => name).join(', ')}. ` +
    'Restore their text and put the change into a new migration.';
  return { ...base, fault: { code: 'migration_history', message } };
}

function brokenText({ name, logs }: RecordedMigration): string {
  const reason = logs?.trim().split('\n')[0];
  return (
    `The migration ${name} failed earlier and was left unfinished${reason ? ` (${reason})` : ''}. Mend the database by hand, ` +
    `then mark it with \`prisma migrate resolve --rolled-back ${name}\` or \`--applied ${name}\`.`
  );
}

function failed(error: unknown): RelayError {
  const message = error instanceof Error ? error.message : String(error);
  return new RelayError('migration_failed', 500, `Applying the migrations failed: ${message}`, {
    cause: error,
  });
}

/** Holds the lock on a connection of its own, since it belongs to the session. */
async function takeLock(connection: pg.ClientConfig): Promise<() => Promise<void>> {
  const client = new pg.Client({ ...connection, statement_timeout: lockTimeoutMs });
  // A connection that dies has given the lock back; what is under way finds out by itself.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
  } catch (error) {
    await client.end();
    throw new RelayError(
      'migration_locked',
      503,
      `Another process has been migrating this database for more than ${lockTimeoutMs / 1000} seconds.`,
      { cause: error },
    );
  }
  return () => client.end();
}
