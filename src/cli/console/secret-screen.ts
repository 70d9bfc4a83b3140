// The one place where a secret is drawn: the terminal's alternate screen, which has no scroll-back and vanishes when it is
// left. Only Enter leaves it: Ctrl-C is what people press to copy.
import { printable, type Style } from '../style.ts';
import type { Keyboard } from './keyboard.ts';
import type { UiIo } from './ui.ts';
import { wrap } from './wrap.ts';

export interface Secret {
  readonly title: string;
  /** Name and value; each value has a line of its own. */
  readonly fields: readonly (readonly [string, string])[];
  readonly note: string;
}

const enterScreen = '\u001b[?1049h\u001b[H\u001b[2J';
/** Wiped before it is left: a terminal that has no alternate screen has drawn it on the ordinary one. */
const leaveScreen = '\u001b[H\u001b[2J\u001b[?1049l';

const onlyEnter = 'Only Enter leaves this screen.';

export function secretText(secret: Secret, width: number, style: Style): string {
  const fields = secret.fields.flatMap(([name, value]) => [style.dim(name), printable(value), '']);
  return [
    style.bold(printable(secret.title)),
    '',
    ...fields,
    ...wrap(printable(secret.note), width),
    '',
    style.yellow('Enter: I have copied it'),
    '',
  ].join('\n');
}

/** Settles when Enter was pressed, or rejects when the console ends; the secret is off the screen then. */
export async function secretScreen(
  { stdout }: UiIo,
  keyboard: Keyboard,
  leaving: AbortSignal,
  secret: Secret,
  style: Style,
): Promise<void> {
  leaving.throwIfAborted();
  await stdout.write(enterScreen + secretText(secret, stdout.columns ?? 80, style));
  let release: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      leaving.addEventListener('abort', () => reject(leaving.reason), { once: true });
      const text = (keys: string) => {
        if (/[\r\n]/u.test(keys)) resolve();
      };
      const back = () => void stdout.write(`\r${style.yellow(onlyEnter)}`);
      release = keyboard.give({ text, back });
    });
  } finally {
    release();
    await stdout.write(leaveScreen);
  }
}
