// Questions to whoever sits at the terminal, asked on stderr so that stdout stays an answer. Where nobody sits nothing
// is asked.
import { usageError } from './failure.ts';
import type { CliIo } from './io.ts';
import { printable } from './style.ts';

/** The streams that a prompt draws on and reads from. */
export const promptContext = (io: CliIo) => ({
  input: io.stdin.stream,
  output: io.stderr.stream,
  signal: io.signal,
});

export const yesFlag = ['-y, --yes', 'do not ask'] as const;

/** Resolves when it may be done. Throws when there is nobody to ask and --yes was not given; false: no was said. */
export async function confirmed(io: CliIo, question: string, yes: boolean | undefined): Promise<boolean> {
  if (yes === true) return true;
  if (!io.stdin.isTTY || !io.stderr.isTTY) {
    throw usageError(`${printable(question)} There is nobody to ask.`, 'Say --yes to do it.');
  }
  const { confirm } = await import('@inquirer/prompts');
  const said = await confirm({ message: printable(question), default: false }, promptContext(io));
  if (!said) await io.stderr.write('Nothing was changed.\n');
  return said;
}

/** Asks for a secret without showing it. Only for a terminal. */
export async function askSecret(io: CliIo, message: string): Promise<string> {
  const { password } = await import('@inquirer/prompts');
  return password({ message, mask: '•' }, promptContext(io));
}
