// Waiting for something to become true inside a request: woken by hints, ended by time, by the client's leaving or by
// the daemon's stopping. Owns no state beyond the one wait; whatever it registers is removed when it settles.
import type { Cancel, Clock } from '../runtime/clock.ts';
import { deferred } from '../runtime/deferred.ts';

/** How long an attempt that hangs (a read that waits for the database) may outlast the wait. */
const attemptGraceMs = 10_000;

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
  // What an attempt that hangs is given up for.
  const late = deferred<undefined>();
  const giveUp = () => {
    late.resolve(undefined);
    wake();
  };
  for (const signal of wait.signals) signal.addEventListener('abort', giveUp);
  const unwatch = over ? () => {} : wait.watch(wake);
  // One timer after the other and no look at the time: a clock that is set back does not prolong the wait.
  let cancel: Cancel = () => {};
  const timeOver = () => {
    over = true;
    cancel = wait.clock.after(attemptGraceMs, giveUp);
    wake();
  };
  if (over) timeOver();
  else cancel = wait.clock.after(wait.waitMs, timeOver);
  try {
    for (;;) {
      hinted = false;
      const result = await Promise.race([wait.attempt(), late.promise]);
      if (result !== undefined || aborted() || over) return result;
      if (!hinted) await new Promise<void>((resolve) => (notify = resolve));
      if (aborted()) return undefined;
    }
  } finally {
    cancel();
    unwatch();
    for (const signal of wait.signals) signal.removeEventListener('abort', giveUp);
  }
}
