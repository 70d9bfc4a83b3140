// One process per data folder: an embedded database that two processes write is lost. A lock file names the holder; one
// left by a process that is gone is taken over.
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { kill, pid } from 'node:process';
import { z } from 'zod';
import { RelayError } from '../../domain/errors.ts';
import { pause, systemClock } from '../../runtime/clock.ts';

const lockContent = z.object({
  pid: z.number().int().positive(),
  /** When that process began, in the kernel's own unit: numbers of processes are used again. Null where unknown. */
  started: z.string().nullable(),
  token: z.string(),
  socketPath: z.string(),
});
type LockContent = z.infer<typeof lockContent>;

/** Looking again this often and this many times at a lock that somebody else is making or removing. */
const retryMs = 25;
const maxAttempts = 40;
const tornAttempts = 10;

/** Folders that this process holds: its own number in a file proves nothing after a container restart. */
const held = new Set<string>();

export interface DataLock {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process, or throws RelayError `data_dir_in_use` naming the holder. A holder that died
 * without releasing it does not count.
 */
export async function lockDataFolder(dataDir: string, socketPath: string): Promise<DataLock> {
  const folder = resolve(dataDir);
  const path = join(folder, 'pglite.lock');
  if (held.has(folder)) throw inUse(folder, pid);
  held.add(folder);
  try {
    await mkdir(folder, { recursive: true });
    const mine: LockContent = { pid, started: await startOf(pid), token: randomUUID(), socketPath };
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      if (await tryCreate(path, mine)) return { release: () => release(folder, path, mine.token) };
      const other = await read(path);
      if (other && (await alive(other))) throw inUse(folder, other.pid);
      // What cannot be read may be in the making: only text that stays so was left by a crash.
      if (other || attempt > tornAttempts) await removeDead(path, other?.token);
      await pause(systemClock, retryMs);
    }
    throw inUse(folder, undefined);
  } catch (error) {
    held.delete(folder);
    throw error;
  }
}

/**
 * Removes the lock with this token and never one that another process has put in its place meanwhile: whoever removes
 * must hold the right to do so, which one process at a time can have, and looks again while it has it.
 */
async function removeDead(path: string, token: string | undefined): Promise<void> {
  const right = `${path}.takeover`;
  if (!(await createFile(right, ''))) return;
  try {
    if ((await read(path))?.token === token) await rm(path, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

async function tryCreate(path: string, content: LockContent): Promise<boolean> {
  if (!(await createFile(path, JSON.stringify(content)))) return false;
  return (await read(path))?.token === content.token;
}

/** False when it is there already. */
async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function read(path: string): Promise<LockContent | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    return lockContent.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function release(folder: string, path: string, token: string): Promise<void> {
  if ((await read(path))?.token === token) await rm(path, { force: true });
  held.delete(folder);
}

async function alive(holder: LockContent): Promise<boolean> {
  // Answers also when the holder lives in another container that shares the folder, whose numbers mean nothing here.
  if (await answers(holder.socketPath)) return true;
  if (holder.pid === pid) return false;
  try {
    kill(holder.pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return holder.started === null || (await startOf(holder.pid)) === holder.started;
}

async function answers(socketPath: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(socketPath);
    socket.setTimeout(1000);
    const end = (answered: boolean) => {
      socket.destroy();
      settle(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Field 22 of the kernel's line about a process, where there is such a file. */
async function startOf(processId: number): Promise<string | null> {
  const line = await readFile(`/proc/${processId}/stat`, 'latin1').catch(() => '');
  // The second field is the program's name in parentheses and may hold anything.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}

function inUse(folder: string, holder: number | undefined): RelayError {
  // Nobody in particular: the lock changes hands, or a crash in the very moment of a takeover left its file.
  const who =
    holder === undefined
      ? `another process (if none runs, remove pglite.lock.takeover)`
      : `process ${holder}`;
  return new RelayError(
    'data_dir_in_use',
    503,
    `The embedded database in ${folder} is in use by ${who}. ` +
      'Stop that process, set DATA_DIR to another folder, or set DATABASE_URL to share a PostgreSQL server.',
  );
}
