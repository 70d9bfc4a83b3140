#!/usr/bin/env node
// The process entry: arguments, environment, signals, exit code. The only file that touches the process.
import { setMaxListeners } from 'node:events';
import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Interrupt, ReaderGone } from './cli/failure.ts';
import type { Output, ServeRole } from './cli/io.ts';
import { createProgram } from './cli/program.ts';
import { loadConfig, type Config } from './config/config.ts';
import { readEnvironment, renderProblems } from './config/environment.ts';
import type { Daemon } from './daemon.ts';
import { systemClock } from './runtime/clock.ts';
import { letObjectsDieYoung } from './runtime/young-objects.ts';
import { packageVersion } from './wiring/version.ts';

const stopping = new AbortController();

/** The configuration, or undefined after everything that is wrong with it has been told. */
function configuration(): Config | undefined {
  const environment = readEnvironment({ cwd: process.cwd(), env: process.env });
  if (!environment.ok) {
    process.stderr.write(`${environment.message}\n`);
    return undefined;
  }
  for (const warning of environment.warnings) process.stderr.write(`${warning}\n`);
  const loaded = loadConfig(environment.env);
  if (loaded.ok) {
    const { mockApiPort } = loaded.config;
    // The library that calls Twitch looks for this in the process, and nowhere else.
    if (mockApiPort !== undefined) process.env['TWURPLE_MOCK_API_PORT'] = String(mockApiPort);
    return loaded.config;
  }
  process.stderr.write(`${renderProblems(loaded.problems)}\n`);
  return undefined;
}

async function serve(role: ServeRole): Promise<number> {
  const config = configuration();
  if (!config) return 1;
  letObjectsDieYoung();
  let daemon: Daemon | undefined;
  // The daemon's own two signals, instead of the interrupt of the other commands.
  for (const signal of [...signals, 'SIGHUP']) process.removeListener(signal, interrupt);
  const asked = untilSignal();
  const ending = new AbortController();
  // From the signal on, also while still starting: a database that never answers must not make the process deaf.
  const end = (signal: string) => {
    daemon?.log.info({ signal }, 'stopping');
    ending.abort();
    const late = setTimeout(() => {
      process.stderr.write('The stop took too long; leaving.\n');
      process.exit(1);
    }, config.shutdownTimeoutSeconds * 1_000);
    // Does not keep a process that is done, and ends one that something else keeps.
    late.unref();
  };
  void asked.then(end);
  try {
    // Loaded here, so that the other commands do not wait for what they do not need.
    const { startDaemon } = await import('./daemon.ts');
    const logFormat = process.stderr.isTTY ? 'human' : 'json';
    daemon = await startDaemon(config, { logFormat }, { role, signal: ending.signal });
  } catch (error) {
    // It stood by, and was told to stop: the active relay goes on as if nothing had been.
    if (isStopped(error)) return 0;
    process.stderr.write(`The relay could not start: ${reasonOf(error)}\n`);
    return 1;
  }
  const superseded = daemon.superseded.then((why) => {
    end(why === 'asked' ? 'another relay takes over' : 'another relay has the database');
    return why;
  });
  const why = await Promise.race([asked, superseded]);
  await daemon.stop();
  daemon.log.info('stopped');
  // Everything is closed, but the engine that applied the migrations leaves a timer of ten seconds behind.
  process.exit(why === 'lost' ? 1 : 0);
}

const isStopped = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'stopping';

const signals = ['SIGINT', 'SIGTERM'] as const;

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      // A second one, of either kind, ends the process at once: whoever sends it has waited long enough.
      for (const each of signals) process.removeListener(each, heard);
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, heard);
  });
}

const adviceOn: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Set PORT to a free one.',
  EACCES: 'Set PORT to one above 1023, or DATA_DIR to a folder that the relay may write to.',
  EADDRNOTAVAIL: 'Set HOST to an address of this machine.',
  ENOTFOUND: 'Set HOST to an address of this machine.',
  ENOTDIR: 'Set DATA_DIR to a folder.',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const advice = 'code' in error && typeof error.code === 'string' ? adviceOn[error.code] : undefined;
  return advice ? `${error.message}. ${advice}` : error.message;
}

/** Once: the command ends in its own way. Twice: now. */
function interrupt(): void {
  if (stopping.signal.aborted) process.exit(130);
  stopping.abort(new Interrupt('interrupted'));
}

/** A reader that has gone (`… | head`) is the end of a command and no fault of it. */
function output(stream: NodeJS.WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // EIO: the terminal was closed.
    if (error.code === 'EPIPE' || error.code === 'EIO') {
      stopping.abort(new ReaderGone('nobody reads any more'));
      return;
    }
    // A full disk, mostly.
    writeSync(
      2,
      `The output could not be written (${error.message}). What was done is done; a secret that it should have shown is lost.\n`,
    );
    process.exit(1);
  });
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    write: (chunk) =>
      new Promise((resolve) => {
        // The error is told by the event; here it only means that nobody has to wait any more.
        stream.write(chunk, () => setImmediate(resolve));
      }),
    stream,
  };
}

/** Everything up to the end of the input; Ctrl-C ends it too. */
function input(): Promise<string> {
  stopping.signal.addEventListener('abort', () => process.stdin.destroy(), { once: true });
  return text(process.stdin);
}

// Every call and every prompt listens to it.
setMaxListeners(0, stopping.signal);
for (const signal of signals) process.on(signal, interrupt);
// A terminal that closes, or is told to, must be left as it was. Without one it stays as `nohup` has set it.
if (process.stdin.isTTY) process.on('SIGHUP', interrupt);
process.exitCode = await createProgram({
  stdout: output(process.stdout),
  stderr: output(process.stderr),
  stdin: { isTTY: process.stdin.isTTY === true, text: input, stream: process.stdin },
  env: process.env,
  cwd: process.cwd(),
  fetch: (...args) => fetch(...args),
  clock: systemClock,
  signal: stopping.signal,
  version: packageVersion(),
  serve,
  console: async (deps) => (await import('./cli/console/index.ts')).runConsole(deps),
}).run(process.argv.slice(2));
