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
  const deadline = wait.clock.now() + wait.waitMs;
  // The hint that comes while an attempt runs must not be lost: it is remembered until the next one has begun.
  let hinted = false;
  let notify: () => void = () => {};
  const wake = () => {
    hinted = true;
    notify();
  };
  const aborted = () => wait.signals.some((signal) => signal.aborted);
  for (const signal of wait.signals) signal.addEventListener('abort', wake);
  const unwatch = wait.waitMs > 0 ? wait.watch(wake) : () => {};
  try {
    for (;;) {
      hinted = false;
      const result = await wait.attempt();
      const leftMs = deadline - wait.clock.now();
      if (result !== undefined || aborted() || leftMs <= 0) return result;
      if (!hinted) await hint(wait.clock, leftMs, (resolve) => (notify = resolve));
      if (aborted()) return undefined;
    }
  } finally {
    unwatch();
    for (const signal of wait.signals) signal.removeEventListener('abort', wake);
  }
}

function hint(clock: Clock, leftMs: number, onNotify: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(leftMs, resolve);
    onNotify(() => {
      cancel();
      resolve();
    });
  });
}
