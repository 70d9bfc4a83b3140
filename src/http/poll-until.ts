// Waiting for something to become true inside a request: woken by hints, ended by time, by the client's leaving or by
// the daemon's stopping. Owns no state beyond the one wait; whatever it registers is removed when it settles.
import type { Clock } from '../runtime/clock.ts';

export interface Wait<T> {
  /** Undefined: not yet. Runs at least once. */
  attempt(): Promise<T | undefined>;
  /** Registers for hints that another attempt may be worth it; returns how to stop. */
  watch(wake: () => void): () => void;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly signals: readonly AbortSignal[];
}

/** What the attempt gave, or undefined once the time is over or a signal has aborted. Rejects only as the attempt does. */
export async function pollUntil<T>(wait: Wait<T>): Promise<T | undefined> {
  let over = wait.waitMs <= 0;
  // The hint that comes while an attempt runs must not be lost: it is remembered until the next one has begun.
  let hinted = false;
  let notify: () => void = () => {};
  const wake = () => {
    hinted = true;
    notify();
  };
  const aborted = () => wait.signals.some((signal) => signal.aborted);
  for (const signal of wait.signals) signal.addEventListener('abort', wake);
  const unwatch = over ? () => {} : wait.watch(wake);
  // One timer and no look at the time: a clock that is set back does not prolong the wait.
  const timeOver = () => {
    over = true;
    wake();
  };
  const cancel = over ? () => {} : wait.clock.after(wait.waitMs, timeOver);
  try {
    for (;;) {
      hinted = false;
      const result = await wait.attempt();
      if (result !== undefined || aborted() || over) return result;
      if (!hinted) await new Promise<void>((resolve) => (notify = resolve));
      if (aborted()) return undefined;
    }
  } finally {
    cancel();
    unwatch();
    for (const signal of wait.signals) signal.removeEventListener('abort', wake);
  }
}
