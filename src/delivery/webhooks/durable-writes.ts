// Writes that have to happen before somebody may go on: gathered, one statement at a time, tried until they succeed. It
// never reports a write as done that was not, and never gives one up while it runs.
import { backOffMs } from '../../domain/back-off.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';

const retryShape = { firstMs: 250, maxMs: 5_000 };
/** Rows in one statement: a few hundred kilobytes. */
const maxPerStatement = 1_000;

export interface DurableWritesDeps<Item> {
  readonly clock: Clock;
  /** All in one statement; repeating it is safe. */
  write(items: readonly Item[]): Promise<void>;
  failed(error: unknown): void;
}

interface Entry<Item> {
  /** Without one it marks how far the queue has come. */
  readonly item?: Item;
  readonly done: () => void;
}

export class DurableWrites<Item> {
  readonly #deps: DurableWritesDeps<Item>;
  #waiting: Entry<Item>[] = [];
  #writing: Entry<Item>[] = [];
  /** In a row. */
  #failures = 0;
  #busy = false;
  #stopped = false;
  #cancelRetry: Cancel | undefined;

  constructor(deps: DurableWritesDeps<Item>) {
    this.#deps = deps;
  }

  /** The last try failed. What it wrote, if anything, is not known until one succeeds. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Written soon, together with what else comes in this turn of the event loop. `done` is called once it is durable. */
  add(item: Item, done: () => void): void {
    this.#push({ item, done });
  }

  /** Resolves when everything that was added before is durable, or at `stop`. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) resolve();
      else this.#push({ done: resolve });
    });
  }

  /** Nothing more is written, and nothing told to be durable; no timer is left. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
    const markers = [...this.#writing, ...this.#waiting].filter((entry) => !('item' in entry));
    this.#writing = [];
    this.#waiting = [];
    for (const { done } of markers) done();
  }

  #push(entry: Entry<Item>): void {
    if (this.#stopped) return;
    this.#waiting.push(entry);
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#writing = this.#waiting.slice(0, maxPerStatement);
      this.#waiting = this.#waiting.slice(maxPerStatement);
      if (!(await this.#write())) return;
      const written = this.#writing;
      this.#writing = [];
      for (const { done } of written) done();
    }
    this.#busy = false;
  }

  /** False when it is to be tried again later, or never. */
  async #write(): Promise<boolean> {
    const items = this.#writing.flatMap((entry) => (entry.item === undefined ? [] : [entry.item]));
    try {
      if (items.length > 0) await this.#deps.write(items);
    } catch (error) {
      if (!this.#stopped) this.#retry(error);
      return false;
    }
    this.#failures = 0;
    return !this.#stopped;
  }

  #retry(error: unknown): void {
    this.#failures++;
    this.#deps.failed(error);
    this.#waiting = [...this.#writing, ...this.#waiting];
    this.#writing = [];
    const delayMs = backOffMs(this.#failures, retryShape, 1);
    this.#cancelRetry = this.#deps.clock.after(delayMs, () => void this.#run());
  }
}
