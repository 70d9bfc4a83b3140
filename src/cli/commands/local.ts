// Commands that need no relay: running it, its settings, the version; and the way into the console.
import { z } from 'zod';
import { loadConfig } from '../../config/config.ts';
import { readEnvironment, renderProblems } from '../../config/environment.ts';
import { renderEnvExample } from '../../config/render.ts';
import { command, none } from '../command.ts';
import { exitCodes, usageError } from '../failure.ts';

export const serve = command({
  usage: 'serve',
  local: true,
  summary: 'Runs the relay',
  notes: 'Reads .env in this folder and the environment, which wins. Ends well on SIGTERM and Ctrl-C.',
  flags: [
    ['--stand-by', 'hold what comes beside the active relay, and go on where that one ends (PostgreSQL)'],
    ['--take-over', 'the same, and have the active relay stop as soon as nothing can be missed'],
  ],
  options: z.object({ standBy: z.boolean().optional(), takeOver: z.boolean().optional() }),
  examples: ['eventsub-relay serve', 'eventsub-relay serve --take-over'],
  run({ io }, { options: { standBy, takeOver } }) {
    if (standBy && takeOver)
      throw usageError('--stand-by waits and --take-over does not.', 'Give one of them.');
    return io.serve(takeOver ? 'take-over' : standBy ? 'stand-by' : 'alone');
  },
});

export const env = command({
  usage: 'env',
  local: true,
  summary: 'Prints an example .env with every setting',
  options: none,
  examples: ['eventsub-relay env > .env'],
  async run({ io, out }) {
    const text = renderEnvExample();
    await (out.json ? out.document({ env: text }) : io.stdout.write(text));
  },
});

export const check = command({
  usage: 'check',
  local: true,
  summary: 'Reads the configuration and says what is wrong with it',
  options: none,
  examples: ['eventsub-relay check'],
  async run({ io, out }) {
    const environment = readEnvironment(io);
    if (!environment.ok) {
      await (out.json
        ? out.document({ ok: false, problems: [], message: environment.message })
        : io.stderr.write(`${environment.message}\n`));
      return exitCodes.failed.code;
    }
    const loaded = loadConfig(environment.env);
    const problems = loaded.ok ? [] : loaded.problems;
    if (out.json) await out.document({ ok: loaded.ok, problems, warnings: environment.warnings });
    else {
      for (const warning of environment.warnings) await out.warn(warning);
      if (loaded.ok) await out.line('The configuration is complete.');
      else await io.stderr.write(`${renderProblems(problems)}\n`);
    }
    return loaded.ok ? exitCodes.ok.code : exitCodes.failed.code;
  },
});

export const version = command({
  usage: 'version',
  local: true,
  summary: 'Prints the version',
  options: none,
  examples: ['eventsub-relay version'],
  run: ({ io, out }) => (out.json ? out.document({ version: io.version }) : out.line(io.version)),
});

export const console = command({
  usage: 'console',
  summary: 'The interactive menu: bots, services, interests, live events',
  options: none,
  examples: ['eventsub-relay console'],
  async run(session) {
    const { io, out } = session;
    if (out.json) throw usageError('The console is for people.', 'Use the other commands with --json.');
    if (!io.stdin.isTTY || !io.stdout.isTTY) {
      throw usageError('The console needs a terminal.', 'Use the other commands in scripts.');
    }
    return io.console(session);
  },
});

export const localCommands = [serve, console, check, env, version];
