// Real faults of a real driver: a database that refuses, one that never answers, and one that goes away in between.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { isDatabaseAway } from '../../src/http/database-away.ts';
import type { Database } from '../../src/store/database.ts';
import { PrismaClient } from '../../src/store/generated/client.ts';
import { createSealer } from '../../src/store/seal.ts';
import { createStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { testDatabase } from '../support/test-database.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function server(onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const listening = createServer(onConnection);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { port: (listening.address() as AddressInfo).port, server: listening };
}

async function faults(port: number): Promise<unknown[]> {
  const connection = {
    host: '127.0.0.1',
    port,
    user: 'nobody',
    database: 'none',
    connectionTimeoutMillis: 100,
  };
  const pool = new pg.Pool(connection);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const close = async () => {
    await prisma.$disconnect();
    await pool.end();
  };
  closers.push(close);
  const database: Database = { kind: 'postgres', pool, prisma, connection, close };
  const store = createStore(database, createSealer([Buffer.alloc(32, 1).toString('base64')]), systemClock);
  const calls = [
    () => store.bots.list(),
    () => store.services.authenticate('a', 'b'),
    () => store.services.regenerate('a', 0),
    () => store.topics.all(),
  ];
  return Promise.all(
    calls.map((call) =>
      call().then(
        () => 'answered',
        (error: unknown) => error,
      ),
    ),
  );
}

describe('a database that is away', () => {
  test('is known as such when it refuses', async () => {
    const { port, server: gone } = await server(() => {});
    await new Promise((resolve) => gone.close(resolve));
    for (const fault of await faults(port)) expect(isDatabaseAway(fault), String(fault)).toBe(true);
  });

  test('is known as such when it hangs up', async () => {
    const { port, server: rude } = await server((socket) => socket.destroy());
    closers.push(() => new Promise((resolve) => rude.close(resolve)));
    for (const fault of await faults(port)) expect(isDatabaseAway(fault), String(fault)).toBe(true);
  });

  test('is known as such when it says nothing', async () => {
    const sockets: Socket[] = [];
    const { port, server: silent } = await server((socket) => void sockets.push(socket));
    closers.push(() => new Promise((resolve) => silent.close(resolve)));
    for (const fault of await faults(port)) expect(isDatabaseAway(fault), String(fault)).toBe(true);
    for (const socket of sockets) socket.destroy();
  });

  test('is known as such when a transaction finds no connection in time', async () => {
    await using place = await testDatabase();
    const { pool, prisma } = await place.open();
    const held = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
    const twice = [prisma.topic.count(), prisma.botAccount.count()];
    const fault: unknown = await prisma.$transaction(twice).catch((error: unknown) => error);
    expect(isDatabaseAway(fault), String(fault)).toBe(true);
    for (const client of held) client.release();
  });

  test('is known as such when its pool is closed', async () => {
    await using place = await testDatabase();
    const database = await place.open();
    const store = createStore(database, createSealer([Buffer.alloc(32, 1).toString('base64')]), systemClock);
    await store.bots.list();
    await database.close();
    const fault: unknown = await store.services.regenerate('a', 0).catch((error: unknown) => error);
    expect(isDatabaseAway(fault), String(fault)).toBe(true);
  });
});

test('an ordinary fault is not mistaken for it', () => {
  for (const fault of [
    new Error('x'),
    { code: '23505' },
    { code: 'P2002' },
    null,
    'ECONNREFUSED',
    new TypeError('fetch failed'),
  ]) {
    expect(isDatabaseAway(fault)).toBe(false);
  }
});
