#!/usr/bin/env node
// The process entry: arguments, environment, signals, exit code. The only file that touches the process.
import { readFileSync } from 'node:fs';
import { loadConfig, type Config } from './config/config.ts';
import { readEnvironment, renderProblems } from './config/environment.ts';
import { renderEnvExample } from './config/render.ts';
import { startDaemon, type Daemon } from './daemon.ts';

const usage = `eventsub-relay <command>

  serve   run the relay (reads .env and the environment)
  env     print an example .env with every setting
  check   read the configuration and say what is wrong with it
  version
`;

type Command = () => Promise<number> | number;

const commands: Readonly<Record<string, Command>> = {
  serve,
  env: () => {
    process.stdout.write(renderEnvExample());
    return 0;
  },
  check: () => {
    if (!configuration()) return 1;
    process.stdout.write('The configuration is complete.\n');
    return 0;
  },
  version: () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    process.stdout.write(`${version}\n`);
    return 0;
  },
  help: () => {
    process.stdout.write(usage);
    return 0;
  },
};

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

async function serve(): Promise<number> {
  const config = configuration();
  if (!config) return 1;
  let daemon: Daemon | undefined;
  const asked = untilSignal();
  // From the signal on, also while still starting: a database that never answers must not make the process deaf.
  void asked.then((signal) => {
    daemon?.log.info({ signal }, 'stopping');
    const late = setTimeout(() => {
      process.stderr.write('The stop took too long; leaving.\n');
      process.exit(1);
    }, config.shutdownTimeoutSeconds * 1_000);
    // Does not keep a process that is done, and ends one that something else keeps.
    late.unref();
  });
  try {
    daemon = await startDaemon(config, { logFormat: process.stderr.isTTY ? 'human' : 'json' });
  } catch (error) {
    process.stderr.write(`The relay could not start: ${reasonOf(error)}\n`);
    return 1;
  }
  await asked;
  await daemon.stop();
  daemon.log.info('stopped');
  // Everything is closed, but the engine that applied the migrations leaves a timer of ten seconds behind.
  process.exit(0);
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
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

const [name = 'help', ...rest] = process.argv.slice(2);
const command = commands[name.replace(/^--?/, '').replace(/^h$/, 'help')];
if (!command || rest.length > 0) {
  process.stderr.write(
    command ? `"${name}" takes no arguments.\n\n${usage}` : `There is no command "${name}".\n\n${usage}`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = await command();
}
