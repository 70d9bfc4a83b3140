// What the interactive console gets from the command line. The console draws and asks; who it talks to is decided here.
import type { Connection } from './connection.ts';
import type { CliIo } from './io.ts';

export interface ConsoleDeps {
  readonly io: CliIo;
  /** The address, and which secrets were given. Its secrets are never to be shown. */
  readonly connection: Connection;
}

/** `src/cli/console/index.ts` exports it as `runConsole`. Answers the exit code; ended by `io.signal`. */
export type RunConsole = (deps: ConsoleDeps) => Promise<number>;
