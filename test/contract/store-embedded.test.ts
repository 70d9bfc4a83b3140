// The embedded database on its own, in every run: several connections over one session, the lock on the folder, the
// death of a client and of the worker; and the schema against its migrations, for which it is the scratch database.
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import type { Database } from '../../src/store/database.ts';
import { lockDataFolder } from '../../src/store/embedded/data-lock.ts';
import { readMigrations, readSchema, schemaDrift } from '../../src/store/schema-engine.ts';
import { copyEmbedded } from '../support/test-database.ts';

let dataDir: string;
let database: Database;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'relay-embedded-'));
  await copyEmbedded(dataDir);
  // As versions of before have left it.
  await chmod(join(dataDir, 'pglite'), 0o755);
  database = await openDatabase({ dataDir });
});
afterAll(async () => {
  await database.close();
  await rm(dataDir, { recursive: true, force: true });
});

test('statements of several connections never mix, however large they are', async () => {
  const big = 'x'.repeat(300_000);
  const answers = await Promise.all(
    Array.from({ length: 120 }, async (_, index) => {
      if (index % 3 === 0)
        return database.pool.query('SELECT $1::int AS a, length($2::text) AS n', [index, big]);
      if (index % 3 === 1) return database.pool.query(`SELECT $1::text AS a, 'b' AS b`, [String(index)]);
      return database.pool.query('SELECT $1::int AS a, $2::int AS b, $3::int AS c', [index, 1, 2]);
    }),
  );
  expect(answers.map(({ rows }) => Number((rows as { a: unknown }[])[0]?.a))).toEqual(
    answers.map((_, index) => index),
  );
});

test('a transaction has the session to itself, and those that wait come out right', async () => {
  await database.pool.query('CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)');
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      if (index % 2 === 0) return database.pool.query('UPDATE counter SET n = n + $1', [1]);
      const client = await database.pool.connect();
      await client.query('BEGIN');
      const read = await client.query<{ n: number }>('SELECT n FROM counter WHERE n >= $1', [0]);
      await client.query('UPDATE counter SET n = $1', [(read.rows[0]?.n ?? -1000) + 1]);
      await client.query('COMMIT');
      client.release();
      return undefined;
    }),
  );
  expect((await database.pool.query('SELECT n FROM counter')).rows).toEqual([{ n: 20 }]);
});

test('the same name of a prepared statement means each connection its own', async () => {
  const clients = await Promise.all([database.pool.connect(), database.pool.connect()]);
  for (let round = 0; round < 2; round++) {
    for (const [index, client] of clients.entries()) {
      const text = `SELECT $1::text || '${index}' AS a`;
      expect((await client.query({ name: 'same', text, values: ['v'] })).rows).toEqual([{ a: `v${index}` }]);
    }
  }
  for (const client of clients) client.release(true);
  await vi.waitFor(async () => {
    const left = await database.pool.query(
      `SELECT name FROM pg_prepared_statements WHERE name LIKE '%same%'`,
    );
    expect(left.rows).toEqual([]);
  });
});

test('an error in a statement ends its transaction only, and the connection goes on', async () => {
  const client = await database.pool.connect();
  await expect(client.query('SELECT $1::int', ['no number'])).rejects.toThrow(/invalid input syntax/);
  await client.query('BEGIN');
  await expect(client.query('SELECT no_such_column')).rejects.toThrow(/no_such_column/);
  await expect(client.query('SELECT 1')).rejects.toThrow(/aborted/);
  await client.query('ROLLBACK');
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  client.release();
});

test('a client that vanishes in a transaction is rolled back and lets the others go on', async () => {
  await database.pool.query('CREATE TABLE half (n int)');
  const client = new pg.Client(database.connection);
  client.on('error', () => {});
  await client.connect();
  await client.query('BEGIN');
  await client.query('INSERT INTO half VALUES (1)');
  const waiting = database.pool.query('SELECT count(*)::int AS n FROM half');
  client.connection.stream.destroy();
  expect((await waiting).rows).toEqual([{ n: 0 }]);
});

test('one process at a time per folder, and the message says what to do', async () => {
  await expect(openDatabase({ dataDir })).rejects.toMatchObject({
    code: 'data_dir_in_use',
    message: expect.stringMatching(/in use by process \d+.*DATABASE_URL/) as string,
  });
  expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  expect((await stat(database.connection.host ?? '')).mode & 0o077).toBe(0);
  expect((await stat(join(dataDir, 'pglite'))).mode & 0o077).toBe(0);
});

test('a lock that a dead process left is taken over, also when its number was given to another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-stale-'));
  const path = join(folder, 'pglite.lock');
  const socketPath = join(folder, 'nobody-listens');
  try {
    const left = [
      JSON.stringify({ pid: 2 ** 22 - 1, started: '1', token: 'a', socketPath }),
      JSON.stringify({ pid: process.ppid, started: 'another time', token: 'b', socketPath }),
      JSON.stringify({ pid: process.pid, started: null, token: 'c', socketPath }),
      'torn',
    ];
    for (const content of left) {
      await writeFile(path, content);
      const lock = await lockDataFolder(folder, socketPath);
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
      await expect(lockDataFolder(folder, socketPath)).rejects.toMatchObject({ code: 'data_dir_in_use' });
      await lock.release();
      await expect(stat(path)).rejects.toThrow('ENOENT');
    }
    await writeFile(path, JSON.stringify({ pid: process.ppid, started: null, token: 'd', socketPath }));
    await expect(lockDataFolder(folder, socketPath)).rejects.toMatchObject({ code: 'data_dir_in_use' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('bytes that are no PostgreSQL client end that connection and nothing else', async () => {
  const socket = connect(join(database.connection.host ?? '', '.s.PGSQL.5432'));
  socket.on('error', () => {});
  const closed = new Promise((settle) => socket.once('close', settle));
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await closed;
  expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('a folder too deep for a socket path works all the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-deep-'));
  try {
    const deep = join(folder, 'd'.repeat(120));
    await mkdir(deep);
    await copyEmbedded(deep);
    const opened = await openDatabase({ dataDir: deep });
    expect((await opened.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    const host = opened.connection.host ?? '';
    await opened.close();
    await expect(stat(host)).rejects.toThrow('ENOENT');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the migrations make exactly what the schema says, and a difference would show', async () => {
  const clear = () => database.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  const [migrations, schema] = [await readMigrations(), await readSchema()];
  // Comparing replays the migrations, which needs an empty database each time.
  await clear();
  expect(await schemaDrift(database.connection, migrations, schema)).toBe('');
  const more = schema.replace('model LogFloor {', 'model LogFloor {\n  extra String?');
  expect(more).not.toBe(schema);
  await clear();
  const drift = await schemaDrift(database.connection, migrations, more);
  expect(drift).toContain('ALTER TABLE "log_floor" ADD COLUMN     "extra" TEXT');
});
