// One timer for everything its owner waits for, set to whatever is due first. Moving the date later costs nothing: it rings early, finds
// nothing due, and is set again.
import type { Cancel, Clock } from '../runtime/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #at = Infinity;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings not after `at` (ms since the epoch) by more than the clock's own delay; Infinity asks for nothing. */
  setFor(at: number): void {
    if (at >= this.#at || at === Infinity) return;
    this.#cancel?.();
    this.#at = at;
    this.#cancel = this.#clock.after(Math.max(1, at - this.#clock.now()), () => {
      this.#at = Infinity;
      this.#cancel = undefined;
      this.#ring();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = Infinity;
  }
}
