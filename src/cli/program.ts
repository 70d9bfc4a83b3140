// The command line from arguments to exit code. It knows the parser and the order of things; what a command does is in
// commands/, and the process is known to main.ts alone.
import { Command, CommanderError } from 'commander';
import { z } from 'zod';
import { seeHelp, type Start } from './command.ts';
import { resolveConnection, type Connection } from './connection.ts';
import { CliFailure, describeFailure, exitCodes, Interrupt, ReaderGone } from './failure.ts';
import { groups, plainCommands } from './groups.ts';
import type { CliIo } from './io.ts';
import { createOut, tellFailure } from './output.ts';
import { explainParserError } from './parser-errors.ts';
import { createSession } from './session.ts';

export interface Program {
  /** Never rejects. `argv` without the interpreter and the script. */
  run(argv: readonly string[]): Promise<number>;
}

const globalOptions = z.object({
  url: z.string().optional(),
  adminKey: z.string().optional(),
  adminKeyFile: z.string().optional(),
  clientId: z.string().optional(),
  clientSecret: z.string().optional(),
  clientSecretFile: z.string().optional(),
  json: z.boolean().default(false),
});

/** A line of help is not longer than this, however wide the terminal is. */
const maxHelpCells = 110;
const helpCellsWithoutTerminal = 100;

export function createProgram(io: CliIo): Program {
  return { run: (argv) => run(io, argv) };
}

interface State {
  exitCode: number;
  /** For the advice when it cannot be reached. */
  url: string | undefined;
  /** What the parser says by itself: held back until it is clear that it is meant. */
  readonly said: { readonly to: 'stdout' | 'stderr'; readonly text: string }[];
}

async function run(io: CliIo, argv: readonly string[]): Promise<number> {
  const state: State = { exitCode: exitCodes.ok.code, url: undefined, said: [] };
  const program = buildProgram(io, state);
  try {
    await program.parseAsync(wordsOf(argv), { from: 'user' });
    return ended(io, state.exitCode);
  } catch (error) {
    return failed(io, error, state, program);
  }
}

/** Without words the help; and `help bots list` is `bots list --help`, which the parser does for one word alone. */
function wordsOf(argv: readonly string[]): string[] {
  if (argv.length === 0) return ['--help'];
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
}

/** What was done before Ctrl-C counts, but the code says that it was cut short. */
function ended(io: CliIo, exitCode: number): number {
  return io.signal.aborted && io.signal.reason instanceof Interrupt ? exitCodes.interrupted.code : exitCode;
}

async function failed(io: CliIo, error: unknown, state: State, program: Command): Promise<number> {
  if (error instanceof CommanderError) {
    const failure = explainParserError(error, program);
    // The help or the version; a group without a command tells its help, and has failed.
    if (!failure || failure.message === '') for (const { to, text } of state.said) await io[to].write(text);
    else await tellFailure(io, failure);
    return failure ? exitCodes.usage.code : exitCodes.ok.code;
  }
  if (io.signal.aborted && io.signal.reason instanceof ReaderGone) return exitCodes.ok.code;
  if (io.signal.aborted || isPromptLeft(error)) return exitCodes.interrupted.code;
  const failure = describeFailure(error, state.url);
  await tellFailure(io, failure);
  return exitCodes[failure.exit].code;
}

/** Ctrl-C while a question is asked does not reach the process as a signal. */
const isPromptLeft = (error: unknown) => error instanceof Error && error.name === 'ExitPromptError';

/** The tree without anything behind it: for the help, and for the test of the docs. */
export function buildProgram(io: CliIo, state: State = { exitCode: 0, url: undefined, said: [] }): Command {
  const program = new Command('eventsub-relay');
  const width = Math.min(io.stdout.columns ?? helpCellsWithoutTerminal, maxHelpCells);
  program
    .description(
      'Runs and looks after a relay for Twitch EventSub. Every command but "serve" speaks to it over HTTP.',
    )
    .version(io.version, '-V, --version', 'print the version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, sortOptions: false })
    .configureOutput({
      writeOut: (text) => void state.said.push({ to: 'stdout', text }),
      writeErr: (text) => void state.said.push({ to: 'stderr', text }),
      // Told in our own words, when all is over.
      outputError: () => undefined,
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  addGlobalOptions(program);
  const start = starter(io, state);
  for (const add of plainCommands) add(program, start);
  for (const { name, summary, commands } of groups) {
    const group = program.command(name).summary(summary).description(`${summary}.`);
    for (const add of commands) add(group, start);
  }
  program.addHelpText('after', closingWords);
  return program;
}

function addGlobalOptions(program: Command): void {
  program
    .option('--url <url>', 'the relay; RELAY_URL, else http://127.0.0.1:PORT')
    .option(
      '--admin-key <key>',
      'the admin key; ADMIN_API_KEY or a file are better, others can see arguments',
    )
    .option('--admin-key-file <file>', 'a file that holds the admin key, - for the standard input')
    .option('--client-id <id>', 'a service account; RELAY_CLIENT_ID')
    .option('--client-secret <secret>', 'its secret; RELAY_CLIENT_SECRET or a file are better')
    .option('--client-secret-file <file>', 'a file that holds its secret, - for the standard input')
    .option('--json', 'answer with JSON on stdout and nothing else');
}

const closingWords = `
Settings are read from the environment and from .env in this folder.

Exit codes:
${Object.values(exitCodes)
  .map(({ code, meaning }) => `  ${String(code).padEnd(3)} ${meaning}`)
  .join('\n')}

Example:
  eventsub-relay bots authorize --types channel.follow,stream.online
`;

const nowhere: Connection = { url: 'http://127.0.0.1', adminKey: undefined, service: undefined };

function starter(io: CliIo, state: State): Start {
  return async ({ command, local }, work) => {
    const options = globalOptions.safeParse(command.optsWithGlobals());
    if (!options.success) throw new CliFailure('usage', 'The options are not valid.', seeHelp(command));
    const connection = local ? nowhere : await resolveConnection(io, options.data);
    state.url = connection.url;
    const session = createSession(io, connection, createOut(io, options.data.json));
    state.exitCode = (await work(session)) ?? exitCodes.ok.code;
  };
}
