// Wakes one loop by named reasons: ringing while nobody listens is remembered, ringing twice wakes once.
import type { Clock } from './clock.ts';

export interface Bell<Reason extends string> {
  ring(reason: Reason): void;
  /** The reasons since the last call, as soon as there is one; an empty set after `timeoutMs` or on abort. */
  wait(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<ReadonlySet<Reason>>;
}

export function createBell<Reason extends string>(): Bell<Reason> {
  let reasons = new Set<Reason>();
  let wake: (() => void) | undefined;
  const take = () => {
    const taken = reasons;
    reasons = new Set();
    return taken;
  };
  return {
    ring(reason) {
      reasons.add(reason);
      wake?.();
    },
    async wait(clock, timeoutMs, signal) {
      if (reasons.size > 0 || signal.aborted) return take();
      await new Promise<void>((resolve) => {
        const done = () => {
          wake = undefined;
          cancel();
          signal.removeEventListener('abort', done);
          resolve();
        };
        const cancel = clock.after(timeoutMs, done);
        signal.addEventListener('abort', done, { once: true });
        wake = done;
      });
      return take();
    },
  };
}
