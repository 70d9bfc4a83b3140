// Everything that a menu may do to the terminal: say, ask, wait, show a secret. It knows nothing of the relay.
import type { CliIo } from '../io.ts';
import { withProgress } from '../progress.ts';
import { printable, styleFor, type Style } from '../style.ts';
import { renderTable, type Column } from '../table.ts';
import type { Keyboard, KeyReader } from './keyboard.ts';
import { Back } from './leave.ts';
import { createPrompts, type Prompts } from './prompts.ts';
import { secretScreen, type Secret } from './secret-screen.ts';
import { wrap } from './wrap.ts';

export type UiIo = Pick<CliIo, 'stdout' | 'env' | 'clock'>;

export class Ui {
  readonly ask: Prompts;
  readonly style: Style;
  readonly clock: CliIo['clock'];
  readonly #io: UiIo;
  readonly #keyboard: Keyboard;
  readonly #leaving: AbortSignal;

  constructor(io: UiIo, keyboard: Keyboard, leaving: AbortSignal) {
    this.#io = io;
    this.#keyboard = keyboard;
    this.#leaving = leaving;
    this.clock = io.clock;
    this.style = styleFor(io.stdout, io.env);
    this.ask = createPrompts(io, keyboard, leaving);
  }

  get width(): number {
    return this.#io.stdout.columns ?? 80;
  }

  /** Text of our own, already safe; wrapped at words. */
  async say(text = ''): Promise<void> {
    await this.#io.stdout.write(`${wrap(text, this.width).join('\n')}\n`);
  }

  /** As it is: whatever must stay in one piece to be copied. */
  async raw(text: string): Promise<void> {
    await this.#io.stdout.write(`${text}\n`);
  }

  async done(text: string): Promise<void> {
    await this.#marked(this.style.green('✔'), text);
  }

  async warn(text: string): Promise<void> {
    await this.#marked(this.style.yellow('!'), text);
  }

  async fail(message: string, fix?: string | null): Promise<void> {
    await this.#marked(this.style.red('✗'), message);
    if (fix) await this.#io.stdout.write(`${wrap(printable(fix), this.width, '  ').join('\n')}\n`);
  }

  async table<T>(columns: readonly Column<T>[], rows: readonly T[]): Promise<void> {
    await this.#io.stdout.write(renderTable(columns, rows, { width: this.width, style: this.style }));
  }

  /**
   * Looks or waits. A line of progress after a second; Esc and Ctrl-C abort the signal and reject with Back, whatever the
   * work makes of it.
   */
  async look<T>(text: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const back = new AbortController();
    return this.#wait(`${text} · Esc: back`, work, back.signal, {
      text: () => undefined,
      back: (key) => back.abort(new Back(key)),
    });
  }

  /** The same for what changes something: no key leaves it, since what becomes of it has to be told. */
  change<T>(text: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deaf = { text: () => undefined, back: () => undefined };
    return this.#wait(text, work, undefined, deaf);
  }

  /** Runs until the work ends or a key is pressed, any key; rejects only for the work's own reasons. */
  async untilKey(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const pressed = new AbortController();
    const end = () => pressed.abort();
    const release = this.#keyboard.give({ text: end, back: end });
    try {
      await work(AbortSignal.any([pressed.signal, this.#leaving]));
    } catch (error) {
      if (!pressed.signal.aborted) throw error;
    } finally {
      release();
    }
    this.#leaving.throwIfAborted();
  }

  /** Shown until Enter, then off the screen and out of its history. */
  async secret(secret: Secret): Promise<void> {
    await secretScreen(this.#io, this.#keyboard, this.#leaving, secret, this.style);
  }

  async #marked(mark: string, text: string): Promise<void> {
    const [first = '', ...rest] = wrap(printable(text), this.width - 2);
    await this.#io.stdout.write(`${[`${mark} ${first}`, ...rest.map((each) => `  ${each}`)].join('\n')}\n`);
  }

  async #wait<T>(
    text: string,
    work: (signal: AbortSignal) => Promise<T>,
    back: AbortSignal | undefined,
    reader: KeyReader,
  ): Promise<T> {
    this.#leaving.throwIfAborted();
    const signal = back ? AbortSignal.any([back, this.#leaving]) : this.#leaving;
    const release = this.#keyboard.give(reader);
    const { promise: left, leave } = aborted(signal);
    try {
      const io = { ...this.#io, stderr: this.#io.stdout };
      return await withProgress(io, text, () => Promise.race([work(signal), left]));
    } finally {
      leave();
      release();
    }
  }
}

/** Rejects with the signal's reason; `leave` takes the listener off again. */
function aborted(signal: AbortSignal): { promise: Promise<never>; leave: () => void } {
  let onAbort: () => void = () => undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
  });
  promise.catch(() => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  return { promise, leave: () => signal.removeEventListener('abort', onAbort) };
}
