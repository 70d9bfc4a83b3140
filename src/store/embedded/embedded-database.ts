// The database for those who bring none: PGlite in a worker thread behind a local socket, so that everything above
// speaks `pg`. It owns the worker, the socket and the lock on the data folder, and gives all of them back.
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RelayError } from '../../domain/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { lockDataFolder } from './data-lock.ts';
import { supervise } from './supervise.ts';
import type { Report, Supervised } from './supervise.ts';
import type { WorkerPaths } from './worker.ts';

/** Socket paths end at 107 bytes on Linux and 103 elsewhere. */
const maxSocketPathBytes = 100;
const socketName = '.s.PGSQL.5432';

export interface EmbeddedDatabase {
  /** The folder that `pg` takes as `host`; the port is 5432. */
  readonly host: string;
  /** Settles when worker, socket and lock are gone. */
  close(): Promise<void>;
}

/**
 * Opens the database under `${dataDir}/pglite`, creating it if need be (a few seconds, once). What was acknowledged
 * survives the death of the process. The socket asks for no password, so its folder is for the owner alone.
 * A worker that dies is started again: until then connections are refused, as by any other server that is down.
 * Throws RelayError `data_dir_in_use`, `data_dir_unusable` or `embedded_broken`, whose messages say what to do.
 */
export async function openEmbedded(dataDir: string, report: Report): Promise<EmbeddedDatabase> {
  const folder = resolve(dataDir);
  return open(folder, report).catch((error: unknown) => {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const message = `The folder ${folder} cannot be used: ${error.message}. Set DATA_DIR to one that the relay may write to.`;
    throw new RelayError('data_dir_unusable', 500, message, { cause: error });
  });
}

async function open(folder: string, report: Report): Promise<EmbeddedDatabase> {
  await mkdir(folder, { recursive: true });
  const own = join(folder, 'pglite-run');
  const fits = Buffer.byteLength(join(own, socketName)) <= maxSocketPathBytes;
  const host = fits ? own : await mkdtemp(join(tmpdir(), 'relay-db-'));
  const socketPath = join(host, socketName);
  const dropHost = () => rm(host, { recursive: true, force: true });
  const lock = await lockDataFolder(folder, socketPath).catch(async (error: unknown) => {
    if (!fits) await dropHost();
    throw error;
  });
  try {
    await mkdir(host, { recursive: true, mode: 0o700 });
    await chmod(host, 0o700);
    const dataPath = join(folder, 'pglite');
    // Tokens and events lie in there; the engine by itself would make it readable to everybody.
    await mkdir(dataPath, { recursive: true, mode: 0o700 });
    await chmod(dataPath, 0o700);
    const start = () => startWorker({ dataPath, socketPath });
    const stop = await supervise(start, { clock: systemClock, report });
    return {
      host,
      close: async () => {
        await stop();
        await dropHost();
        await lock.release();
      },
    };
  } catch (error) {
    await dropHost();
    await lock.release();
    throw error;
  }
}

/** Resolves when the worker accepts connections; rejects with the reason when it cannot. */
async function startWorker(paths: WorkerPaths): Promise<Supervised> {
  // A socket file that a dead process left behind would make listening fail; the lock says that nobody listens there.
  await rm(paths.socketPath, { force: true });
  const worker = spawn(paths);
  let fault: unknown;
  worker.once('error', (error) => {
    fault = error;
  });
  const ended = new Promise<unknown>((settle) => worker.once('exit', () => settle(fault)));
  const ready = new Promise<'ready'>((settle) => worker.once('message', () => settle('ready')));
  if ((await Promise.race([ready, ended])) !== 'ready') {
    const reason = fault instanceof Error ? fault.message : 'its thread ended';
    const message =
      `The embedded database in ${paths.dataPath} does not start: ${reason}. ` +
      'If the folder is damaged, put a copy of it back, or move it away to begin with an empty one.';
    throw new RelayError('embedded_broken', 500, message, { cause: fault });
  }
  await chmod(paths.socketPath, 0o600);
  return { ended, stop: () => stopWorker(worker, ended) };
}

function spawn(paths: WorkerPaths): Worker {
  const file = import.meta.url.endsWith('.ts') ? './worker-from-sources.mjs' : './worker.js';
  // Neither the daemon's flags nor its environment, which holds secrets, are the thread's business.
  return new Worker(new URL(file, import.meta.url), { workerData: paths, env: {}, execArgv: [] });
}

/** Lets the running statement end and the database write what it holds; then nothing keeps the thread. */
async function stopWorker(worker: Worker, ended: Promise<unknown>): Promise<void> {
  const stopped = new Promise<void>((settle) => worker.once('message', () => settle()));
  worker.postMessage('stop');
  await Promise.race([stopped, ended]);
  await worker.terminate();
}
