// The relay as its users run it: a process of its own, configured by the environment alone. It can be started again where it
// was, as after a crash.
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Simulator } from '../../test/simulator/index.ts';
import { hasEnded, startChild, stopChild } from './child.ts';
import type { Closing } from './clean-up.ts';
import { now, waitFor } from './wait.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const startWithinMs = 60_000;
/** Of what it logs, for a person who wants to know why it ended. */
const keptOutput = 8_000;

export interface RelayProcess {
  readonly url: string;
  readonly adminKey: string;
  readonly pid: number | undefined;
  /** When it was started, and when it said that it takes requests. Milliseconds since the epoch, with fractions. */
  readonly spawnedAt: number;
  readonly readyAt: number;
  readonly hasEnded: () => boolean;
  /** The end of its log. */
  readonly output: () => string;
  /** Resolves when it is gone. */
  readonly stop: () => Promise<void>;
  /** As if the machine had failed it: no time for a last word. */
  readonly kill: () => Promise<void>;
}

/** What a relay finds again when it is started again. */
export interface RelayHome {
  readonly folder: string;
  readonly adminKey: string;
  readonly sealKey: string;
}

export interface RelayOptions {
  readonly sim: Pick<Simulator, 'clientId' | 'clientSecret' | 'eventSubUrl' | 'port'>;
  /** Undefined: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly profileDir?: string | undefined;
  readonly signal: AbortSignal;
  /** The program, as `builtRelay` gives it; undefined: its sources, by tsx. */
  readonly program?: string | undefined;
  /** Undefined: one of its own. */
  readonly home?: RelayHome | undefined;
  readonly nodeFlags?: readonly string[] | undefined;
}

/** Adds its own removal to `closing`. */
export async function createHome(closing: Closing): Promise<RelayHome> {
  // Empty, so that no .env of the folder is read.
  const folder = await mkdtemp(join(tmpdir(), 'eventsub-relay-bench-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  return {
    folder,
    adminKey: randomBytes(32).toString('base64url'),
    sealKey: randomBytes(32).toString('base64'),
  };
}

/** What it opens, it adds to `closing`. Resolves when the relay takes requests. */
export async function startRelay(options: RelayOptions, closing: Closing): Promise<RelayProcess> {
  const home = options.home ?? (await createHome(closing));
  const { profileDir, program = entry, nodeFlags = [] } = options;
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profileDir)}`];
  const spawnedAt = now();
  const child = startChild({
    program,
    args: ['serve'],
    nodeFlags: [...profiling, ...nodeFlags],
    cwd: home.folder,
    env: environment(options, home),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  closing.push(() => stopChild(child));
  const { output, ready } = follow(child);
  const { url, at } = await waitFor(
    () => {
      if (hasEnded(child)) throw new Error(`the relay ended while it started:\n${output()}`);
      return ready();
    },
    { what: 'the relay to start', withinMs: startWithinMs, signal: options.signal },
  );
  return {
    url,
    adminKey: home.adminKey,
    pid: child.pid,
    spawnedAt,
    readyAt: at,
    hasEnded: () => hasEnded(child),
    output,
    stop: () => stopChild(child),
    kill: async () => {
      if (hasEnded(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const environment = ({ sim, databaseUrl }: RelayOptions, { folder, adminKey, sealKey }: RelayHome) => ({
  ADMIN_API_KEY: adminKey,
  TOKEN_ENCRYPTION_KEY: sealKey,
  TWITCH_CLIENT_ID: sim.clientId,
  TWITCH_CLIENT_SECRET: sim.clientSecret,
  TWITCH_EVENTSUB_URL: sim.eventSubUrl,
  TWURPLE_MOCK_API_PORT: String(sim.port),
  DATABASE_URL: databaseUrl ?? '',
  DATA_DIR: folder,
  HOST: '127.0.0.1',
  PORT: '0',
  WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
});

interface Ready {
  readonly url: string;
  readonly at: number;
}

/** The end of what it logs, and the line in which it says where it listens. */
function follow(child: ChildProcess): { output: () => string; ready: () => Ready | undefined } {
  let kept = '';
  let ready: Ready | undefined;
  const keep = (chunk: Buffer) => {
    kept = (kept + chunk.toString('utf8')).slice(-keptOutput);
    if (ready) return;
    const url = /"url":"(http[^"]+)"/u.exec(kept)?.[1];
    if (url !== undefined) ready = { url, at: now() };
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return { output: () => kept, ready: () => ready };
}
