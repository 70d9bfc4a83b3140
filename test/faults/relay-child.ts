// The relay in a process of its own, for the fault programme: the real daemon under quick timings and a clock that its
// parent can move. It is told what to do over IPC, logs JSON lines to stderr, and never outlives its parent.
import type { Worker } from 'node:worker_threads';
import { loadConfig } from '../../src/config/config.ts';
import { startDaemon, type Daemon } from '../../src/daemon.ts';
import { defaultTimings, type Timings } from '../../src/upstream/twitch/timings.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import type { FromChild, Measured, ToChild } from './relay-messages.ts';

/** Short enough that a fault is over within seconds, long enough that a busy machine is not taken for a dead one. */
const quick: Timings = {
  ...defaultTimings,
  handshakeMs: 2_000,
  welcomeMs: 2_000,
  keepaliveGraceMs: 1_000,
  handoverMs: 3_000,
  handoverRetryMs: 50,
  retireMs: 500,
  helixMs: 2_000,
  stableMs: 1_000,
  backOff: { firstMs: 50, maxMs: 400 },
  reconcileMs: 1_000,
  relistMs: 3_000,
  listLagMs: 1_000,
  coverageMs: 250,
  joinWindowMs: 1_000,
};

const clock = new ShiftClock();
let daemon: Daemon | undefined;
let armed: { point: string; left: number } | undefined;

/** The relay has one thread beside its own: the embedded database's. */
const workers = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
});

const tell = (message: FromChild) => void process.send?.(message);

/** As if the power went: nothing is flushed, nobody is told. */
function crash(point: string): void {
  if (armed?.point !== point) return;
  armed.left -= 1;
  if (armed.left <= 0) process.kill(process.pid, 'SIGKILL');
}

async function start(message: Extract<ToChild, { do: 'start' }>): Promise<void> {
  const mockPort = message.env['TWURPLE_MOCK_API_PORT'];
  if (mockPort !== undefined) process.env['TWURPLE_MOCK_API_PORT'] = mockPort;
  if (message.crashAt) armed = { point: message.crashAt.point, left: message.crashAt.hits };
  clock.jump(message.offsetMs);
  const loaded = loadConfig(message.env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  daemon = await startDaemon(loaded.config, {
    clock,
    timings: quick,
    logFormat: 'json',
    crash,
    ...(message.dedupeWindowMs === undefined ? {} : { dedupe: { windowMs: message.dedupeWindowMs } }),
  });
  tell({ is: 'started' });
}

async function stop(): Promise<void> {
  // What does not end in time is ended: the parent reads the code.
  setTimeout(() => process.exit(1), 20_000).unref();
  await daemon?.stop();
  process.exit(0);
}

async function killDatabase(): Promise<void> {
  const dying = [...workers];
  await Promise.all(dying.map((worker) => worker.terminate()));
  tell({ is: 'database_killed', count: dying.length });
}

function measure(): Measured {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const count = (is: (type: string) => boolean) => resources.filter(is).length;
  return {
    collected: globalThis.gc !== undefined,
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    handles: resources.length,
    sockets: count((type) => type === 'TCPSocketWrap' || type === 'PipeWrap'),
    timers: count((type) => type === 'Timeout' || type === 'Immediate'),
  };
}

process.on('message', (message: ToChild) => {
  switch (message.do) {
    case 'start':
      start(message).catch((error: unknown) => {
        tell({ is: 'failed', why: error instanceof Error ? error.message : String(error) });
        process.exit(1);
      });
      return;
    case 'shift':
      clock.jump(message.ms);
      return tell({ is: 'shifted' });
    case 'arm':
      armed = { point: message.point, left: message.hits };
      return tell({ is: 'armed' });
    case 'kill_database':
      return void killDatabase();
    case 'measure':
      return tell({ is: 'measured', measured: measure() });
  }
});
process.once('SIGTERM', () => void stop());
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
tell({ is: 'loaded' });
