// Owns the terminal's keyboard from start to end: raw mode, so that no key is echoed or ends the process, and who gets
// the keys. At most one reader at a time; what is typed while nobody reads is dropped, never kept for the next question.
import { StringDecoder } from 'node:string_decoder';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { readKeys } from './keys.ts';
import type { BackKey } from './leave.ts';

export interface KeyReader {
  text(text: string): void;
  back(key: BackKey): void;
}

/** The rest of a sequence follows its escape at once, also over a slow line. */
const escapeAloneMs = 50;

export class Keyboard implements Disposable {
  readonly #stream: NodeJS.ReadableStream;
  readonly #clock: Clock;
  readonly #decoder = new StringDecoder('utf8');
  readonly #gone = new AbortController();
  readonly #onData = (chunk: Buffer | string) => this.#read(chunk);
  readonly #onGone = () => this.#gone.abort();
  #reader: KeyReader | undefined;
  #held = '';
  #cancel: Cancel = () => undefined;

  constructor(stream: NodeJS.ReadableStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    setRawMode(stream, true);
    stream.on('data', this.#onData);
    for (const event of ['end', 'close', 'error']) stream.on(event, this.#onGone);
    stream.resume();
  }

  /** Aborted when no key can come any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** From now on the keys are for this reader, until the answer is called. */
  give(reader: KeyReader): () => void {
    this.#reader = reader;
    return () => {
      if (this.#reader === reader) this.#reader = undefined;
    };
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#reader = undefined;
    this.#stream.off('data', this.#onData);
    for (const event of ['end', 'close', 'error']) this.#stream.off(event, this.#onGone);
    setRawMode(this.#stream, false);
    this.#stream.pause();
  }

  #read(chunk: Buffer | string): void {
    this.#cancel();
    const text = typeof chunk === 'string' ? chunk : this.#decoder.write(chunk);
    const keys = readKeys(this.#held, text);
    this.#held = keys.held;
    this.#pass(keys.text, keys.back);
    if (this.#held === '') return;
    this.#cancel = this.#clock.after(escapeAloneMs, () => {
      this.#held = '';
      this.#pass('', 'escape');
    });
  }

  #pass(text: string, back: BackKey | undefined): void {
    const reader = this.#reader;
    if (text !== '') reader?.text(text);
    if (back) reader?.back(back);
  }
}

/** A terminal that has gone cannot be set back; there is nothing to restore then. */
function setRawMode(stream: NodeJS.ReadableStream, on: boolean): void {
  if (!isTerminal(stream)) return;
  try {
    stream.setRawMode(on);
  } catch (error) {
    if (on) throw error;
  }
}

const isTerminal = (stream: object): stream is { setRawMode(on: boolean): unknown } =>
  'setRawMode' in stream && typeof stream.setRawMode === 'function';
