// The relay as its users run it: a process of its own, configured by the environment alone.
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Simulator } from '../../test/simulator/index.ts';
import { hasEnded, startChild, stopChild } from './child.ts';
import type { Closing } from './clean-up.ts';
import { waitFor } from './wait.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const startWithinMs = 60_000;
/** Of what it logs, for a person who wants to know why it ended. */
const keptOutput = 8_000;

export interface RelayProcess {
  readonly url: string;
  readonly adminKey: string;
  readonly pid: number | undefined;
  readonly hasEnded: () => boolean;
  /** The end of its log. */
  readonly output: () => string;
}

export interface RelayOptions {
  readonly sim: Simulator;
  /** Undefined: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly profileDir?: string | undefined;
  readonly signal: AbortSignal;
}

/** What it opens, it adds to `closing`. Resolves when the relay takes requests. */
export async function startRelay(options: RelayOptions, closing: Closing): Promise<RelayProcess> {
  // Empty, so that no .env of the folder is read.
  const cwd = await mkdtemp(join(tmpdir(), 'eventsub-relay-bench-'));
  closing.push(() => rm(cwd, { recursive: true, force: true }));
  const adminKey = randomBytes(32).toString('base64url');
  const { profileDir } = options;
  const child = startChild({
    program: entry,
    args: ['serve'],
    nodeFlags: profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profileDir)}`],
    cwd,
    env: environment(options, { cwd, adminKey }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  closing.push(() => stopChild(child));
  const output = keepOutput(child);
  const url = await waitFor(
    () => {
      if (hasEnded(child)) throw new Error(`the relay ended while it started:\n${output()}`);
      return /"url":"(http[^"]+)"/u.exec(output())?.[1];
    },
    { what: 'the relay to start', withinMs: startWithinMs, signal: options.signal },
  );
  return { url, adminKey, pid: child.pid, hasEnded: () => hasEnded(child), output };
}

const environment = (
  { sim, databaseUrl }: RelayOptions,
  { cwd, adminKey }: { cwd: string; adminKey: string },
) => ({
  ADMIN_API_KEY: adminKey,
  TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  TWITCH_CLIENT_ID: sim.clientId,
  TWITCH_CLIENT_SECRET: sim.clientSecret,
  TWITCH_EVENTSUB_URL: sim.eventSubUrl,
  TWURPLE_MOCK_API_PORT: String(sim.port),
  DATABASE_URL: databaseUrl ?? '',
  DATA_DIR: cwd,
  HOST: '127.0.0.1',
  PORT: '0',
  WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
});

function keepOutput(child: ChildProcess): () => string {
  let kept = '';
  const keep = (chunk: Buffer) => {
    kept = (kept + chunk.toString('utf8')).slice(-keptOutput);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => kept;
}
