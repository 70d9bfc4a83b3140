// A clock that flows like the real one and can be pushed forward: `advance` fires whatever became due, in order.
// With it a scenario meets a 12-second watchdog without waiting for it, and nothing else about time is faked.
import type { Cancel, Clock } from '../../src/runtime/clock.ts';

interface Timer {
  dueAt: number;
  fn: () => void;
  handle: NodeJS.Timeout;
}

export class ShiftClock implements Clock {
  #offsetMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  after(delayMs: number, fn: () => void): Cancel {
    const timer: Timer = {
      dueAt: this.now() + delayMs,
      fn: () => {
        clearTimeout(timer.handle);
        if (this.#timers.delete(timer)) fn();
      },
      handle: setTimeout(() => timer.fn(), Math.min(delayMs, 0x7fffffff)),
    };
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer.handle);
      this.#timers.delete(timer);
    };
  }

  /**
   * Moves the clock forward by exactly `ms`, on top of the time that passes meanwhile, and runs, earliest first, every
   * timer that is due by then, giving I/O a turn after each.
   */
  async advance(ms: number): Promise<void> {
    const target = this.#offsetMs + ms;
    for (;;) {
      const next = [...this.#timers].toSorted((a, b) => a.dueAt - b.dueAt)[0];
      if (!next || next.dueAt > Date.now() + target) break;
      this.#offsetMs = Math.max(this.#offsetMs, Math.min(target, next.dueAt - Date.now()));
      next.fn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#offsetMs = Math.max(this.#offsetMs, target);
  }

  /** As after a long sleep of the machine: it is later at once, and what became due meanwhile fires once. */
  jump(ms: number): void {
    this.#offsetMs += ms;
    const due = [...this.#timers].filter((timer) => timer.dueAt <= this.now());
    for (const timer of due.toSorted((a, b) => a.dueAt - b.dueAt)) timer.fn();
  }

  /** Timers still armed; a test that expects a clean stop asserts it is 0. */
  get pending(): number {
    return this.#timers.size;
  }
}
