// A bench as a program: its flags, its signals, what it prints and its exit code. The only part that touches the process.
import { cleaningUp, type BenchDeps, type Closing } from './clean-up.ts';
import { parseFlags, usageOf, type FlagTable, type NumberFlags, type Options } from './flags.ts';

export interface BenchProgram<Flags extends NumberFlags, Result> {
  readonly flags: FlagTable<Flags>;
  /** What it opens, it adds to `closing`, which is closed however it ends. */
  readonly measure: (options: Options<Flags>, deps: BenchDeps, closing: Closing) => Promise<Result>;
  /** For `--json`: one object, flat. */
  readonly line: (result: Result) => object;
  /** For a person. */
  readonly render: (result: Result) => string;
  /** Events that were owed and did not come. */
  readonly lost: (result: Result) => number;
}

const lostCode = 1;
const notRunCode = 2;
const interruptedCode = 130;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs it with the process's arguments and sets the exit code. Nothing is left behind, whatever happens. */
export async function runProgram<Flags extends NumberFlags, Result>(
  program: BenchProgram<Flags, Result>,
): Promise<void> {
  process.exitCode = await exitCodeOf(program).catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    return notRunCode;
  });
}

async function exitCodeOf<Flags extends NumberFlags, Result>(
  program: BenchProgram<Flags, Result>,
): Promise<number> {
  const parsed = parseFlags(program.flags, process.argv.slice(2), process.env['DATABASE_URL']);
  if (parsed.kind === 'help') {
    console.log(usageOf(program.flags));
    return 0;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.message}\n\n${usageOf(program.flags)}`);
    return notRunCode;
  }
  const stopping = new AbortController();
  // Further signals change nothing: cleaning up is bounded, and a database would be left behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  const deps: BenchDeps = { say, signal: stopping.signal };
  const { options } = parsed;
  const result = await cleaningUp(deps, (closing) => program.measure(options, deps, closing));
  if (!result) return interruptedCode;
  console.log(options.json ? JSON.stringify(program.line(result)) : program.render(result));
  const lost = program.lost(result);
  if (lost > 0) say(`${lost} deliveries were lost`);
  return lost > 0 ? lostCode : 0;
}
