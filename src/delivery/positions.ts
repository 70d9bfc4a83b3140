// Writes the positions of all readers of a kind, together and not for every event: what moved within a quarter of a second
// is one statement. Never lets an older position overtake a newer one, and never forgets one because the database was away.
import type { Cancel, Clock } from '../runtime/clock.ts';

const saveEveryMs = 250;
/** After a failed save. A position that is late costs repeated deliveries, nothing else. */
const retryMs = 1_000;

export interface PositionsDeps<Row> {
  readonly clock: Clock;
  /** All in one statement. */
  save(rows: readonly Row[]): Promise<void>;
  failed(error: unknown): void;
}

export class Positions<Row> {
  readonly #deps: PositionsDeps<Row>;
  /** A position is asked for when it is written, so that a mark costs nothing. */
  #dirty = new Map<string, () => Row>();
  #saving: Promise<unknown> = Promise.resolve();
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(deps: PositionsDeps<Row>) {
    this.#deps = deps;
  }

  /** The reader moved; it is written soon. */
  mark(key: string, source: () => Row): void {
    this.#dirty.set(key, source);
    this.#schedule(saveEveryMs);
  }

  /** Writes this one, and whatever else waits, now. Resolves when it is written or has failed; it is kept if it failed. */
  async saveNow(key: string, row: Row): Promise<void> {
    this.#dirty.set(key, () => row);
    await this.flush();
  }

  /** Writes everything that waits. One statement at a time, in order. Never rejects. */
  flush(): Promise<void> {
    const run = this.#saving.then(() => this.#save());
    this.#saving = run;
    return run;
  }

  /** The last write; then no timer is left. What cannot be written is lost, and costs raised attempts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.flush();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#deps.clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  async #save(): Promise<void> {
    const batch = this.#dirty;
    if (batch.size === 0) return;
    this.#dirty = new Map();
    try {
      await this.#deps.save([...batch.values()].map((source) => source()));
    } catch (error) {
      this.#deps.failed(error);
      for (const [key, source] of batch) if (!this.#dirty.has(key)) this.#dirty.set(key, source);
      this.#schedule(retryMs);
    }
  }
}
