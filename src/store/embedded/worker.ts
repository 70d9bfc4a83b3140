// The thread that PGlite lives on: it computes where it runs, and would stall the event loop of the daemon. Started by
// embedded-database.ts with a data folder and a socket path; it answers 'ready', and 'stopped' when asked to stop.
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { WireServer } from './wire-server.ts';

/** What the thread is started with. */
export interface WorkerPaths {
  readonly dataPath: string;
  readonly socketPath: string;
}

const port = parentPort;
if (!port) throw new Error('This file is a worker thread.');

// Our own words to ourselves: embedded-database.ts starts the thread with exactly this.
const { dataPath, socketPath } = workerData as WorkerPaths;

const database = await PGlite.create({ dataDir: dataPath });
const server = new WireServer(database);
await server.listen(socketPath);
port.once('message', () => {
  void (async () => {
    await server.close();
    await database.close();
    port.postMessage('stopped');
  })();
});
port.postMessage('ready');
