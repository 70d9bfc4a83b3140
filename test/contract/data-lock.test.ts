// Two processes that start at the same moment over the lock of a dead one: one of them gets the folder, never both.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataFolder } from '../../src/store/embedded/data-lock.ts';

const rounds = 30;
const contenders: ChildProcess[] = [];
let base: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'relay-lock-'));
});
afterEach(async () => {
  for (const each of contenders.splice(0)) {
    each.disconnect();
    await once(each, 'exit');
  }
  await rm(base, { recursive: true, force: true });
});

const deadLock = JSON.stringify({ pid: 2 ** 22 - 1, started: '1', token: 'dead', socketPath: '/nowhere' });

async function contender(): Promise<ChildProcess> {
  const file = join(import.meta.dirname, '..', 'support', 'lock-contender.ts');
  const child = fork(file, { execArgv: ['--import', import.meta.resolve('tsx')] });
  contenders.push(child);
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, folder: string): Promise<boolean> {
  const answer = once(child, 'message');
  child.send(folder);
  const [got] = (await answer) as [boolean];
  return got;
}

test.each([
  ['the lock of a dead process', deadLock],
  ['no lock', undefined],
])('over %s one of two wins', { timeout: 40_000 }, async (_, left) => {
  const pair = await Promise.all([contender(), contender()]);
  for (let round = 0; round < rounds; round++) {
    const folder = join(base, String(round));
    await mkdir(folder);
    if (left !== undefined) await writeFile(join(folder, 'pglite.lock'), left);
    const got = await Promise.all(pair.map((child) => ask(child, folder)));
    expect(got.filter(Boolean), `round ${round}`).toHaveLength(1);
  }
  await Promise.all(pair.map((child) => ask(child, '')));
});

test('a takeover that somebody else is at, or died in, is left to them and told', async () => {
  await writeFile(join(base, 'pglite.lock'), deadLock);
  await writeFile(join(base, 'pglite.lock.takeover'), '');
  await expect(lockDataFolder(base, join(base, 'socket'))).rejects.toMatchObject({
    code: 'data_dir_in_use',
    message: expect.stringContaining('pglite.lock.takeover') as string,
  });
  await rm(join(base, 'pglite.lock.takeover'));
  await (await lockDataFolder(base, join(base, 'socket'))).release();
});
