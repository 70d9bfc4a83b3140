// One reader's way along the log: reads the next piece, waits and tries again while the database is away, and tells when
// retention has overtaken the reader. It keeps no records and decides nothing about the reader.
import { backOffMs } from '../domain/back-off.ts';
import type { Filter } from '../domain/filter.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import type { EventFeed, ReadResult } from './port.ts';

const retryShape = { firstMs: 250, maxMs: 5_000 };

export interface WalkDeps {
  readonly feed: EventFeed;
  readonly clock: Clock;
  /** A floor up to here does not end the walk. */
  readonly lossKnownTo?: number;
  /** Look again. */
  ask(): void;
  failed(error: unknown): void;
}

export class LogWalk<R extends ReadResult> {
  readonly #deps: WalkDeps;
  readonly #apply: (after: number, result: R) => void;
  readonly #expired: (floor: number) => void;
  #reading = false;
  #ended = false;
  #failures = 0;
  #cancelRetry: Cancel | undefined;

  /** `apply` gets what lies after the position asked for; `expired` the floor, when something there is already gone. */
  constructor(deps: WalkDeps, apply: (after: number, result: R) => void, expired: (floor: number) => void) {
    this.#deps = deps;
    this.#apply = apply;
    this.#expired = expired;
  }

  /** A read is under way or waits for its next try. */
  get isBusy(): boolean {
    return this.#reading || this.#cancelRetry !== undefined;
  }

  /** One read. With what is in memory everything happens within this call. */
  read(after: number, filter: Filter, read: () => R | Promise<R>): void {
    if (this.isBusy || this.#ended) return;
    let answer: R | Promise<R>;
    try {
      answer = read();
    } catch (error) {
      this.#retry(error);
      return;
    }
    if (!(answer instanceof Promise)) {
      this.#arrived(after, filter, answer);
      return;
    }
    this.#reading = true;
    answer.then(
      (result) => {
        this.#reading = false;
        if (!this.#ended) this.#arrived(after, filter, result);
      },
      (error: unknown) => {
        this.#reading = false;
        this.#retry(error);
      },
    );
  }

  end(): void {
    this.#ended = true;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #arrived(after: number, filter: Filter, result: R): void {
    this.#failures = 0;
    // Asked after the read: what was removed while it ran is missing from its answer.
    const floor = this.#deps.feed.floorFor(filter);
    if (floor > Math.max(after, this.#deps.lossKnownTo ?? 0)) {
      this.#expired(floor);
      return;
    }
    this.#apply(after, result);
    if (this.#ended || result.through >= this.#deps.feed.head() || result.through <= after) return;
    this.#deps.ask();
  }

  #retry(error: unknown): void {
    if (this.#ended) return;
    this.#deps.failed(error);
    const delayMs = backOffMs(++this.#failures, retryShape, 1);
    this.#cancelRetry = this.#deps.clock.after(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#deps.ask();
    });
  }
}
