// Tells waiting readers to look, at most once per turn of the event loop however much happened in it. A reader that
// throws does no harm to the others.
import type { Crash } from '../runtime/crash-points.ts';

type Wake = () => void;

export class WakeUps {
  readonly #watchers = new Map<string, Set<Wake>>();
  #due = new Set<string>();
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #crash: Crash | undefined;
  #scheduled = false;

  constructor(onError?: (error: unknown) => void, crash?: Crash) {
    this.#onError = onError;
    this.#crash = crash;
  }

  /** The same function may wait several times; each unwatch takes one away. */
  add(serviceAccountId: string, wake: Wake): () => void {
    const entry: Wake = () => wake();
    const watchers = this.#watchers.get(serviceAccountId) ?? new Set();
    this.#watchers.set(serviceAccountId, watchers.add(entry));
    return () => {
      watchers.delete(entry);
      if (watchers.size === 0 && this.#watchers.get(serviceAccountId) === watchers) {
        this.#watchers.delete(serviceAccountId);
      }
    };
  }

  services(serviceAccountIds: Iterable<string>): void {
    for (const id of serviceAccountIds) if (this.#watchers.has(id)) this.#due.add(id);
    if (this.#due.size > 0) this.#schedule();
  }

  everybody(): void {
    this.services(this.#watchers.keys());
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const due = this.#due;
    this.#due = new Set();
    this.#crash?.('wake.before');
    for (const id of due) {
      // A copy: a wake-up may end its own watch or begin another one.
      for (const wake of Array.from(this.#watchers.get(id) ?? [])) {
        try {
          wake();
        } catch (error) {
          this.#onError?.(error);
        }
      }
    }
    this.#crash?.('wake.after');
  }
}
