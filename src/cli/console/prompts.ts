// Questions: the library of prompts, fed by our keyboard, and every one of them left by Esc or Ctrl-C. What is typed into
// a secret's prompt is masked, taken off the screen with the answer, and kept nowhere.
import { PassThrough, Writable } from 'node:stream';
import { checkbox, confirm, input, password, search, select, Separator } from '@inquirer/prompts';
import type { CliIo } from '../io.ts';
import { fit, printable } from '../style.ts';
import type { Keyboard } from './keyboard.ts';
import { Back, Leave } from './leave.ts';

export interface Choice<T> {
  readonly name: string;
  readonly value: T;
  /** Shown under the list while the cursor is on it. */
  readonly description?: string | undefined;
  readonly checked?: boolean | undefined;
}
/** A line between choices. */
export const line = Symbol('line');
export type Choices<T> = readonly (Choice<T> | typeof line)[];

export interface TextOptions {
  readonly default?: string | undefined;
  /** True, or what is wrong with it. */
  readonly validate?: ((text: string) => true | string) | undefined;
}

export interface Prompts {
  select<T>(message: string, choices: Choices<T>, options?: { default?: T }): Promise<T>;
  checkbox<T>(message: string, choices: Choices<T>): Promise<T[]>;
  /** A list that is narrowed by typing. */
  search<T>(message: string, find: (term: string) => readonly Choice<T>[]): Promise<T>;
  text(message: string, options?: TextOptions): Promise<string>;
  secret(message: string, options?: Pick<TextOptions, 'validate'>): Promise<string>;
  confirm(message: string, otherwise?: boolean): Promise<boolean>;
}

/** Lines of a list at once; a terminal has 24. */
const pageSize = 12;
/** The cursor and the mark before a choice, and one cell that stays free so that nothing wraps. */
const besideChoice = 6;

type Context = {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
  readonly clearPromptOnDone: boolean;
};

export function createPrompts(io: Pick<CliIo, 'stdout'>, keyboard: Keyboard, leaving: AbortSignal): Prompts {
  const run = <T>(draw: (context: Context) => Promise<T>, clearPromptOnDone = false) =>
    ask(io, keyboard, leaving, draw, clearPromptOnDone);
  const width = () => (io.stdout.columns ?? 80) - besideChoice;
  const drawn = <T>(choices: Choices<T>) =>
    choices.map((each) => (each === line ? new Separator(' ') : choiceOf(each, width())));
  return {
    select: (asked, choices, options = {}) =>
      run(
        (context) =>
          select(
            { message: printable(asked), choices: drawn(choices), pageSize, loop: false, ...options },
            context,
          ),
        true,
      ),
    checkbox: (asked, choices) =>
      run((context) =>
        checkbox({ message: printable(asked), choices: drawn(choices), pageSize, loop: false }, context),
      ),
    search: (asked, find) =>
      run((context) =>
        search(
          {
            message: printable(asked),
            pageSize,
            source: (term = '') => find(term).map((each) => choiceOf(each, width())),
          },
          context,
        ),
      ),
    text: async (asked, { default: given, validate } = {}) => {
      const more = {
        ...(given === undefined ? {} : { default: given, prefill: 'editable' as const }),
        ...checked(validate),
      };
      return (await run((context) => input({ message: printable(asked), ...more }, context))).trim();
    },
    secret: async (asked, { validate } = {}) =>
      (
        await run(
          (context) => password({ message: printable(asked), mask: '*', ...checked(validate) }, context),
          true,
        )
      ).trim(),
    confirm: (asked, otherwise = false) =>
      run((context) => confirm({ message: printable(asked), default: otherwise }, context)),
  };
}

const checked = (validate: TextOptions['validate']) =>
  validate ? { validate: (text: string) => validate(text.trim()) } : {};

function choiceOf<T>({ name, value, description, checked: on }: Choice<T>, width: number) {
  const text = fit(printable(name), width);
  return {
    name: text,
    value,
    ...(description === undefined ? {} : { description: printable(description) }),
    ...(on === undefined ? {} : { checked: on }),
  };
}

async function ask<T>(
  io: Pick<CliIo, 'stdout'>,
  keyboard: Keyboard,
  leaving: AbortSignal,
  draw: (context: Context) => Promise<T>,
  clearPromptOnDone: boolean,
): Promise<T> {
  leaving.throwIfAborted();
  const back = new AbortController();
  const signal = AbortSignal.any([back.signal, leaving]);
  const typed = new PassThrough();
  const release = keyboard.give({
    text: (text) => void typed.write(text),
    back: (key) => back.abort(new Back(key)),
  });
  try {
    return await draw({ input: typed, output: outputOf(io), signal, clearPromptOnDone });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The library listens to the process's signals by itself and rejects with this.
    if (error instanceof Error && error.name === 'ExitPromptError') throw new Leave();
    throw error;
  } finally {
    release();
    typed.end();
  }
}

/** The library ends the stream that it draws on, and asks it for its width. */
function outputOf({ stdout }: Pick<CliIo, 'stdout'>): NodeJS.WritableStream {
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      void stdout.write(chunk.toString());
      // Not after it was written: what is kept back here would be overtaken by the next one who writes.
      done();
    },
  });
  return Object.defineProperties(output, {
    columns: { get: () => stdout.columns },
    getWindowSize: { value: () => [stdout.columns ?? 80, 24] },
  });
}
