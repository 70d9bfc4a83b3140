// A process of the bench's own: started with Node, and with tsx if it is not built, ended by its id and within bounds.
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';

const tsx = import.meta.resolve('tsx');
/** More than the relay's own patience with what is under way at a stop. */
const stopWithinMs = 15_000;

export interface ChildOptions {
  readonly program: string;
  readonly args?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdio: StdioOptions;
}

/** Only PATH of the environment goes with it: no setting of the machine's may change what is measured. */
export function startChild({
  program,
  args = [],
  nodeFlags = [],
  cwd,
  env,
  stdio,
}: ChildOptions): ChildProcess {
  const loader = program.endsWith('.ts') ? ['--import', tsx] : [];
  return spawn(process.execPath, [...nodeFlags, ...loader, program, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio,
  });
}

export const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

/** Asks, then insists. Resolves when it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  // Never started, or gone.
  if (child.pid === undefined || hasEnded(child)) return;
  const ended = once(child, 'exit');
  const insist = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(insist);
}
