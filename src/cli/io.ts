// What the command line needs of the process, as one bag that tests replace. Only main.ts fills it from the process.
import type { Clock } from '../runtime/clock.ts';
import type { ConsoleDeps } from './console-port.ts';

export interface Output {
  readonly isTTY: boolean;
  /** Cells of a line; undefined when nobody can tell (a file, a pipe). */
  readonly columns: number | undefined;
  /** Resolves when the text has been taken, also if whoever read it has gone; never rejects. */
  write(text: string): Promise<void>;
  /** For the library of prompts, which draws by itself. */
  readonly stream: NodeJS.WritableStream;
}

export interface Input {
  readonly isTTY: boolean;
  /** Everything up to the end of the input. */
  text(): Promise<string>;
  /** For the library of prompts. */
  readonly stream: NodeJS.ReadableStream;
}

/** Alone, beside one that is active, or in its place. */
export type ServeRole = 'alone' | 'stand-by' | 'take-over';

/** Runs the relay itself until it is told to stop; answers the exit code. Not part of this room: main.ts passes it in. */
export type Serve = (role: ServeRole) => Promise<number>;

export interface CliIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Aborted by Ctrl-C (reason: an `Interrupt`), or when the reader of stdout has gone. */
  readonly signal: AbortSignal;
  readonly version: string;
  readonly serve: Serve;
  /** The interactive menu; loaded when it is asked for. */
  readonly console: (deps: ConsoleDeps) => Promise<number>;
}
