// Opening, migrating and losing a database, on whichever kind this run is about.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { migrate, migrationState } from '../../src/store/migrate.ts';
import { prismaFolder, readMigrations } from '../../src/store/schema-engine.ts';
import { testDatabase } from '../support/test-database.ts';

/** The migrations that came with the code, in a folder that a test may change. */
async function copiedMigrations() {
  const folder = await mkdtemp(join(tmpdir(), 'relay-migrations-'));
  await cp(join(prismaFolder, 'migrations'), folder, { recursive: true });
  return {
    folder,
    async add(name: string, sql: string) {
      await cp(join(folder, 'migration_lock.toml'), join(folder, name, 'migration_lock.toml'));
      await writeFile(join(folder, name, 'migration.sql'), sql);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

test('a database from the template is migrated, empty and usable through pool and Prisma', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  const { migrationDirectories: all } = await readMigrations();
  const state = { ok: true, pending: [], detail: `${all.length} applied` };
  expect(await migrationState(database.pool)).toEqual(state);
  expect(await database.prisma.botAccount.count()).toBe(0);
  await database.prisma.serviceAccount.create({ data: { name: 'a', clientId: 'a', secretHash: 'x' } });
  expect((await database.pool.query('SELECT name FROM service_account')).rows).toEqual([{ name: 'a' }]);
  await place.reset();
  expect(await database.prisma.serviceAccount.count()).toBe(0);
  expect(await migrate(database)).toEqual([]);
});

test('what was written is there after closing and opening again', async () => {
  await using place = await testDatabase();
  const first = await place.open();
  await first.pool.query(`INSERT INTO log_head (id, epoch) VALUES (1, 'abc')`);
  await first.close();
  await first.close();
  const second = await place.open();
  expect((await second.pool.query('SELECT epoch FROM log_head')).rows).toEqual([{ epoch: 'abc' }]);
});

test('an instant is the same through pool and Prisma, whatever zone the server is in', async () => {
  await using place = await testDatabase();
  const first = await place.open();
  if (first.kind === 'postgres') {
    const { rows } = await first.pool.query<{ name: string }>('SELECT current_database() AS name');
    await first.pool.query(`ALTER DATABASE "${rows[0]?.name ?? ''}" SET timezone = 'Asia/Kolkata'`);
  }
  await first.close();
  const { prisma, pool } = await place.open();
  const at = new Date('2026-07-01T12:00:00.500Z');
  const data = { name: 'a', clientId: 'a', secretHash: 'x', previousValidUntil: at };
  await prisma.serviceAccount.create({ data });
  expect((await pool.query('SELECT previous_valid_until AS at FROM service_account')).rows).toEqual([{ at }]);
  const later = new Date('2026-12-01T00:30:00.000Z');
  await pool.query('UPDATE service_account SET previous_valid_until = $1', [later]);
  expect((await prisma.serviceAccount.findFirstOrThrow()).previousValidUntil).toEqual(later);
});

test('a new migration is pending, then applied once, whoever comes at the same time', async () => {
  await using place = await testDatabase();
  await using migrations = await copiedMigrations();
  const database = await place.open();
  const { folder } = migrations;
  await migrations.add(
    '29990101000000_more',
    'CREATE TABLE more (id int PRIMARY KEY); INSERT INTO more VALUES (1);',
  );
  expect(await migrationState(database.pool, folder)).toMatchObject({
    ok: false,
    pending: ['29990101000000_more'],
  });
  const together = database.kind === 'postgres' ? 4 : 1;
  const applied = await Promise.all(Array.from({ length: together }, () => migrate(database, { folder })));
  expect(applied.flat()).toEqual(['29990101000000_more']);
  expect((await database.pool.query('SELECT id FROM more')).rows).toEqual([{ id: 1 }]);
  expect(await migrationState(database.pool, folder)).toMatchObject({ ok: true });
  // The code that does not have it must not run on this database.
  expect(await migrationState(database.pool)).toMatchObject({ ok: false, pending: [] });
  await expect(migrate(database)).rejects.toMatchObject({
    code: 'migration_history',
    message: expect.stringContaining('newer than the code') as string,
  });
});

test('a migration that fails is reported, and stays in the way until somebody settles it', async () => {
  await using place = await testDatabase();
  await using migrations = await copiedMigrations();
  const database = await place.open();
  const { folder } = migrations;
  await migrations.add('29990101000000_broken', 'CREATE TABLE half (id int); SELECT no_such_column;');
  await expect(migrate(database, { folder })).rejects.toMatchObject({
    code: 'migration_failed',
    message: expect.stringContaining('no_such_column') as string,
  });
  await expect(migrate(database, { folder })).rejects.toMatchObject({
    code: 'migration_failed',
    message: expect.stringContaining('29990101000000_broken failed earlier') as string,
  });
  expect(await migrationState(database.pool, folder)).toMatchObject({ ok: false });
});

test('a migration that was edited after it had been applied is refused', async () => {
  await using place = await testDatabase();
  await using migrations = await copiedMigrations();
  const database = await place.open();
  const name = (await readMigrations()).migrationDirectories[0]?.path ?? '';
  await writeFile(join(migrations.folder, name, 'migration.sql'), 'SELECT 1;');
  await expect(migrate(database, { folder: migrations.folder })).rejects.toMatchObject({
    code: 'migration_history',
    message: expect.stringContaining(`edited after they had been applied: ${name}`) as string,
  });
});

test('a backend that dies fails its query, and the next one works', async () => {
  await using place = await testDatabase();
  const database = await place.open();
  if (database.kind === 'postgres') {
    const kill = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()';
    await expect(database.pool.query(kill)).rejects.toThrow();
  } else {
    const client = await database.pool.connect();
    const ended = new Promise((settle) => client.once('error', settle).once('end', settle));
    client.connection.stream.destroy();
    await ended;
    client.release(true);
  }
  await vi.waitFor(async () =>
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]),
  );
  expect(await database.prisma.topic.count()).toBe(0);
});

test.each([
  ['database_url_invalid', 'http://127.0.0.1/x'],
  ['database_url_invalid', 'nonsense'],
  ['database_unreachable', 'postgres://user:hunter2@127.0.0.1:1/none'],
])('%s is said plainly and without the password', async (code, databaseUrl) => {
  const failed = await openDatabase({ databaseUrl, dataDir: tmpdir() }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code });
  expect(String(failed)).not.toContain('hunter2');
});
