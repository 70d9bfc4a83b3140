// A statement that was answered leaves nothing behind: neither it nor what it was given becomes old. Without that the old generation
// fills with what every event brought, and is collected every few seconds. With pg's own limit on answers all of them are left
// (docs/performance.md), until the engine has compiled what pg does.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { inTransaction } from '../../src/store/transaction.ts';
import { testDatabase } from '../support/test-database.ts';
import type { TestDatabase } from '../support/test-database.ts';

const statements = 40;
const markBytes = 100_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;

let test: TestDatabase;
let database: Database;
beforeAll(async () => {
  test = await testDatabase();
  database = await test.open();
});
afterAll(() => test[Symbol.asyncDispose]());

/** The statement, within a time limit, and with something that is seen as long as anything holds on to it. */
const marked = () =>
  Object.assign({ text: 'SELECT 1', answerWithinMs: 30_000 }, { mark: new ArrayBuffer(markBytes) });
const marks = () => Math.round(process.memoryUsage().arrayBuffers / markBytes);

/** How many of the statements are still there once everything that is young and useless is gone. */
async function leftOf(run: () => Promise<unknown>): Promise<number> {
  const left: number[] = [];
  // More than once, since the old may be collected in between.
  for (let round = 0; round < 3; round++) {
    await run();
    collect({ type: 'minor' });
    collect({ type: 'minor' });
    const before = marks();
    for (let n = 0; n < statements; n++) await run();
    collect({ type: 'minor' });
    collect({ type: 'minor' });
    left.push(marks() - before);
  }
  return Math.max(...left);
}

it('is so for what the pool is asked', async () => {
  expect(await leftOf(() => database.pool.query(marked()))).toBeLessThan(statements / 4);
});

it('is so in a transaction', async () => {
  const { pool } = database;
  const run = () => inTransaction(pool, (client) => client.query(marked() as never));
  expect(await leftOf(run)).toBeLessThan(statements / 4);
});

it('would be seen if it were not so', async () => {
  const held: unknown[] = [];
  const run = async () => {
    const statement = marked();
    held.push(statement);
    await database.pool.query(statement);
  };
  expect(await leftOf(run)).toBeGreaterThan(statements / 2);
});
