// Owns "something happened": every state change touches it and every waiter looks again. It must never sleep for a
// fixed time in the hope that something is done by then.

/** Catches what no touch announces, such as a condition on the caller's own state. */
const POLL_MS = 20;
const DEFAULT_TIMEOUT_MS = 5_000;

export interface WaitOptions {
  timeoutMs?: number;
  what?: string;
}

export class Activity {
  readonly #listeners = new Set<() => void>();

  touch(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Resolves with the first value that is neither undefined nor false; rejects naming `what` on timeout. */
  waitFor<T>(predicate: () => T | undefined | false, options: WaitOptions = {}): Promise<T> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return new Promise<T>((resolve, reject) => {
      let scheduled = false;
      const settle = (finish: () => void): void => {
        this.#listeners.delete(onTouch);
        clearInterval(poll);
        clearTimeout(deadline);
        finish();
      };
      const check = (): void => {
        scheduled = false;
        if (!this.#listeners.has(onTouch)) return;
        let value: T | undefined | false;
        try {
          value = predicate();
        } catch (error) {
          settle(() => reject(error instanceof Error ? error : new Error(String(error))));
          return;
        }
        if (value !== undefined && value !== false) {
          const found = value;
          settle(() => resolve(found));
        }
      };
      // Coalesced: a burst of ten thousand frames must not run the predicate ten thousand times.
      const onTouch = (): void => {
        if (scheduled) return;
        scheduled = true;
        setImmediate(check);
      };
      const poll = setInterval(check, POLL_MS);
      const deadline = setTimeout(() => {
        settle(() =>
          reject(new Error(`waited ${timeoutMs} ms in vain for ${options.what ?? 'a condition'}`)),
        );
      }, timeoutMs);
      this.#listeners.add(onTouch);
      check();
    });
  }
}
