// A migrated, empty database per call: on the server that TEST_DATABASE_URL names, else an embedded one. Copied from a
// template, so that a test starts in well under a second; everything is gone when it is disposed.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../../src/store/database.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { readMigrations } from '../../src/store/schema-engine.ts';

export interface TestDatabase extends AsyncDisposable {
  /** Pass on to whatever opens a database itself; undefined means the embedded one in `dataDir`. */
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
  /** Opens it; closed by the disposal at the latest. The embedded one can be open once at a time. */
  open(): Promise<Database>;
  /** Empties every table but the record of migrations. */
  reset(): Promise<void>;
}

export const testDatabaseUrl = (): string | undefined => process.env['TEST_DATABASE_URL'] || undefined;

/** Which databases this run is about: every test that opens one runs against this kind. */
export async function testDatabase(): Promise<TestDatabase> {
  return makeDatabase(await mkdtemp(join(tmpdir(), 'relay-test-')), 'relay_test_');
}

async function makeDatabase(dataDir: string, prefix: string): Promise<TestDatabase> {
  const url = testDatabaseUrl();
  const place = url ? await serverDatabase(url, prefix) : await embeddedDatabase(dataDir);
  const opened = new Set<Database>();
  const open = async () => {
    const database = await openDatabase({ databaseUrl: place.databaseUrl, dataDir });
    opened.add(database);
    return database;
  };
  return {
    databaseUrl: place.databaseUrl,
    dataDir,
    open,
    reset: () => empty([...opened].at(-1)),
    [Symbol.asyncDispose]: async () => {
      for (const database of opened) await database.close();
      await place.drop();
      await removeFolder(dataDir);
    },
  };
}

/** Where this process keeps what outlives a test file; the end of the run removes it. */
const runFolder = 'RELAY_TEST_RUN';

let shared: { place: TestDatabase; database: Database; taken: boolean } | undefined;

/**
 * As `testDatabase`, but handed from file to file within this process, since opening takes a second: emptied when it is
 * taken, left open when it is given back. For those who treat it well: whoever ends it, cuts its connections or looks at
 * its files takes one of their own, and so does who comes while it is taken.
 */
export async function sharedDatabase(): Promise<TestDatabase> {
  const folder = process.env[runFolder];
  if (shared?.taken || !folder) return testDatabase();
  if (!shared) {
    const place = await makeDatabase(await mkdtemp(join(folder, 'shared-')), runPrefix(folder));
    shared = { place, database: await place.open(), taken: false };
  }
  const held = shared;
  held.taken = true;
  await held.place.reset();
  return {
    databaseUrl: held.place.databaseUrl,
    dataDir: held.place.dataDir,
    open: async () => held.database,
    reset: () => held.place.reset(),
    [Symbol.asyncDispose]: async () => void (held.taken = false),
  };
}

/** For the run's beginning and end: the folder, and afterwards every database that was made for it. */
export async function openRun(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-run-'));
  process.env[runFolder] = folder;
  return async () => {
    await removeFolder(folder);
    const url = testDatabaseUrl();
    if (!url) return;
    await withClient(url, async (client) => {
      const left = await client.query<{ name: string }>(
        'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
        [runPrefix(folder)],
      );
      for (const { name } of left.rows) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    });
  };
}

const runPrefix = (folder: string) =>
  `relay_test_run_${createHash('sha256').update(folder).digest('hex').slice(0, 12)}_`;

/**
 * A pool of its own to the same database, for whoever has to be a second process. `end()` of a pool does not wait for the
 * server's goodbye, and dropping the database ends what is left of it: without a listener that is an uncaught exception.
 */
export function poolBeside(database: Database, max: number): pg.Pool {
  const pool = new pg.Pool({ ...database.connection, max });
  pool.on('error', () => {});
  return pool;
}

/** Makes the template if this set of migrations has none yet. Later runs find it. Answers what the run will use. */
export async function prepareTemplate(): Promise<string> {
  const url = testDatabaseUrl();
  if (!url) {
    await embeddedTemplate();
    return 'embedded database; PostgreSQL not tested: TEST_DATABASE_URL is not set';
  }
  const version = await withClient(url, async (client) => {
    const answer = await client.query<{ server_version: string }>('SHOW server_version');
    return answer.rows[0]?.server_version ?? 'unknown';
  });
  await serverTemplate(url);
  return `PostgreSQL ${version}; embedded database not tested: TEST_DATABASE_URL is set`;
}

interface Place {
  readonly databaseUrl?: string;
  drop(): Promise<void>;
}

async function embeddedDatabase(dataDir: string): Promise<Place> {
  await copyEmbedded(dataDir);
  return { drop: async () => {} };
}

async function serverDatabase(url: string, prefix: string): Promise<Place> {
  const template = await serverTemplate(url);
  const name = `${prefix}${randomBytes(8).toString('hex')}`;
  await withClient(url, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    databaseUrl: named(url, name),
    drop: async () => {
      await withClient(url, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** A migrated embedded database for `dataDir`, whatever the run is about. */
export async function copyEmbedded(dataDir: string): Promise<void> {
  await copyFolder(await embeddedTemplate(), join(dataDir, 'pglite'));
}

/** The folder to copy. Built aside and renamed, so that runs at the same time see all of it or nothing. */
async function embeddedTemplate(): Promise<string> {
  const template = join(tmpdir(), `relay-template-${await fingerprint()}`);
  if (await exists(template)) return template;
  const building = await mkdtemp(join(tmpdir(), 'relay-building-'));
  try {
    const database = await openDatabase({ dataDir: building });
    try {
      await migrate(database);
    } finally {
      await database.close();
    }
    await rename(join(building, 'pglite'), template).catch(async (error: unknown) => {
      if (!(await exists(template))) throw error;
    });
  } finally {
    await removeFolder(building);
  }
  return template;
}

let serverTemplateName: Promise<string> | undefined;

async function serverTemplate(url: string): Promise<string> {
  serverTemplateName ??= makeServerTemplate(url);
  return serverTemplateName;
}

async function makeServerTemplate(url: string): Promise<string> {
  const name = `relay_template_${await fingerprint()}`;
  const building = `${name}_building`;
  await withClient(url, async (client) => {
    // Test files run side by side, in processes of their own.
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount !== 0) return;
    await client.query(`DROP DATABASE IF EXISTS ${building} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${building}`);
    const database = await openDatabase({ databaseUrl: named(url, building), dataDir: tmpdir() });
    try {
      await migrate(database);
    } finally {
      await database.close();
    }
    await client.query(`ALTER DATABASE ${building} RENAME TO ${name}`);
  });
  return name;
}

/** Changes with the migrations and with the embedded database's version, whose files are not portable. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  const main = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  hash.update(await readFile(join(main, '..', '..', 'package.json')));
  for (const { path, migrationFile } of (await readMigrations()).migrationDirectories) {
    hash.update(path).update(migrationFile.content.value);
  }
  return hash.digest('hex').slice(0, 16);
}

async function empty(database: Database | undefined): Promise<void> {
  if (!database) throw new Error('Open the database before resetting it.');
  const tables = await database.pool.query<{ name: string }>(
    `SELECT format('%I', tablename) AS name FROM pg_tables
      WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'`,
  );
  // Tables are small here, and deleting is much quicker than TRUNCATE, which makes new files for each of them. Whatever
  // still refers to a row is deleted in the next round.
  let left = tables.rows.map(({ name }) => name);
  for (let round = 1; left.length > 0 && round <= left.length + 1; round++) {
    const referred: string[] = [];
    for (const name of left) {
      await database.pool.query(`DELETE FROM ${name}`).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === '23503')) throw error;
        referred.push(name);
      });
    }
    left = referred;
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function named(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

const run = promisify(execFile);

/** A thousand small files: the system's own tools take a tenth of the time, where they exist. */
async function copyFolder(from: string, to: string): Promise<void> {
  await run('cp', ['-R', from, to]).catch(() => cp(from, to, { recursive: true }));
}

async function removeFolder(path: string): Promise<void> {
  await run('rm', ['-rf', path]).catch(() => rm(path, { recursive: true, force: true }));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
