// Databases and folders that do not play along: a server that falls silent without closing, folders that are none, are
// damaged, or have odd names. Each is told plainly or survived.
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isDatabaseAway } from '../../src/http/database-away.ts';
import { openDatabase } from '../../src/store/database.ts';
import { copyEmbedded, testDatabase } from '../support/test-database.ts';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'relay-faults-'));
});
afterEach(async () => rm(base, { recursive: true, force: true }));

/** A line to the database that can fall silent: nothing is closed, nothing arrives any more. */
async function mutableLine(target: pg.ClientConfig) {
  const { host, port, user, database } = new pg.Client(target);
  const sockets: Socket[] = [];
  let silent = false;
  const server = createServer((client) => {
    const far = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    sockets.push(client, far);
    for (const [from, to] of [
      [client, far],
      [far, client],
    ] as const) {
      from.on('data', (data: Buffer) => {
        if (!silent) to.write(data);
      });
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return {
    url: `postgres://${user ?? 'postgres'}@127.0.0.1:${address.port}/${database ?? 'postgres'}`,
    mute(muted: boolean) {
      silent = muted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a server that falls silent without closing is given up, and found again', async () => {
  await using place = await testDatabase();
  const direct = await place.open();
  await using line = await mutableLine(direct.connection);
  const database = await openDatabase({ databaseUrl: line.url, dataDir: base, statementTimeoutMs: 200 });
  try {
    await database.pool.query('SELECT 1');
    line.mute(true);
    const fault: unknown = await database.pool.query('SELECT 1').catch((error: unknown) => error);
    expect(isDatabaseAway(fault), String(fault)).toBe(true);
    line.mute(false);
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await database.close();
  }
});

test('a folder that is a file, or damaged, is told with what to do, and is left unlocked', async () => {
  await writeFile(join(base, 'file'), '');
  await expect(openDatabase({ dataDir: join(base, 'file') })).rejects.toMatchObject({
    code: 'data_dir_unusable',
    message: expect.stringMatching(/file cannot be used: E\w+.*DATA_DIR/) as string,
  });
  const damaged = join(base, 'damaged');
  await mkdir(damaged);
  await copyEmbedded(damaged);
  await writeFile(join(damaged, 'pglite', 'PG_VERSION'), '');
  await expect(openDatabase({ dataDir: damaged })).rejects.toMatchObject({
    code: 'embedded_broken',
    message: expect.stringMatching(/damaged.pglite does not start: .+move it away/) as string,
  });
  await expect(stat(join(damaged, 'pglite.lock'))).rejects.toThrow('ENOENT');
});

test('a folder whose name holds spaces and more is a folder like any other', async () => {
  const dataDir = join(base, "my relay's dätä #1 %20");
  await mkdir(dataDir);
  await copyEmbedded(dataDir);
  for (let start = 1; start <= 2; start++) {
    const database = await openDatabase({ dataDir });
    expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await database.close();
  }
});
