// The only source of time for everything that waits, expires or stamps. Production uses the system clock;
// tests pass one that can be moved forward. Nothing else in src may call Date.now or setTimeout to decide.

/** Stops a pending timer. Calling it after the timer fired, or twice, does nothing. */
export type Cancel = () => void;

/** Time as a parameter. All durations are milliseconds, all instants are milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
  /** Runs `fn` once, not before `delayMs` have passed on this clock. Whoever arms it cancels it when stopping: it keeps a process alive. */
  after(delayMs: number, fn: () => void): Cancel;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, Math.min(delayMs, 0x7fffffff));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs` on the clock, or as soon as the signal aborts; never rejects. Tells which it was. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<'elapsed' | 'aborted'> {
  if (signal?.aborted) return Promise.resolve('aborted');
  return new Promise((resolve) => {
    const onAbort = () => {
      cancel();
      resolve('aborted');
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve('elapsed');
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** An instant of the clock as RFC 3339 text in UTC, milliseconds kept. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();
