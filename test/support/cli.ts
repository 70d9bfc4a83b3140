// The command line in this process, with every part of the world injected: what it wrote, and what it ended with.
import { PassThrough } from 'node:stream';
import type { Serve } from '../../src/cli/io.ts';
import { Interrupt, ReaderGone } from '../../src/cli/failure.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { Output } from '../../src/cli/io.ts';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A folder without .env by default. */
  readonly cwd?: string;
  /** What the standard input holds; a terminal that nobody types at with `tty`. */
  readonly stdin?: string;
  readonly tty?: boolean;
  readonly columns?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly serve?: Serve;
}

export interface CliRun {
  /** So far. */
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<number>;
  /** As Ctrl-C does. */
  interrupt(): void;
  /** As the end of `head` does: nothing that is written from now on arrives. */
  readerGoes(): void;
  /** Keys at the terminal. */
  type(keys: string): void;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function startCli(argv: readonly string[], options: CliOptions = {}): CliRun {
  const { tty = false, columns } = options;
  const stopping = new AbortController();
  const keyboard = new PassThrough();
  const texts = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Output => {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
    return {
      isTTY: tty,
      columns: tty ? (columns ?? 100) : undefined,
      write(text) {
        if (!(stopping.signal.reason instanceof ReaderGone)) texts[name] += text;
        return Promise.resolve();
      },
      stream,
    };
  };
  const program = createProgram({
    stdout: output('stdout'),
    stderr: output('stderr'),
    stdin: { isTTY: tty, text: () => Promise.resolve(options.stdin ?? ''), stream: keyboard },
    env: options.env ?? {},
    cwd: options.cwd ?? import.meta.dirname,
    fetch: options.fetch ?? ((...args) => fetch(...args)),
    clock: options.clock ?? systemClock,
    signal: stopping.signal,
    version: '0.0.0-test',
    serve: options.serve ?? (() => Promise.reject(new Error('serve was not to be called'))),
    console: () => Promise.reject(new Error('the console was not to be opened')),
  });
  const ended = program.run(argv);
  return {
    get stdout() {
      return texts.stdout;
    },
    get stderr() {
      return texts.stderr;
    },
    ended,
    interrupt: () => stopping.abort(new Interrupt('interrupted')),
    readerGoes: () => stopping.abort(new ReaderGone('gone')),
    type: (keys) => void keyboard.write(keys),
  };
}

export async function cli(argv: readonly string[], options?: CliOptions): Promise<CliResult> {
  const run = startCli(argv, options);
  const code = await run.ended;
  return { code, stdout: run.stdout, stderr: run.stderr };
}
