// When to tell the relay what is done: few frames, and never so late that its window runs dry. Knows cursors as text.
import type { ClientClock } from './clock.ts';

/**
 * At most one acknowledgement in this time, unless half of the window waits for it. Milliseconds. What was done and not told yet comes
 * again if the connection breaks off; about as much does when the relay ends, which writes positions as often. More of them cost
 * more than they save: each takes more of both sides than an event does.
 */
export const ackEveryMs = 200;
/**
 * Up to so much later: the consumers of a topic are given its events at the same moment, and would else all be heard by the relay
 * at the same moment.
 */
export const ackSpreadMs = 50;

export interface AckQueueDeps {
  readonly clock: ClientClock;
  readonly maxInFlight: number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** False: there is no connection now; what is done is told on the next one. */
  send(cursor: string): boolean;
}

export class AckQueue {
  readonly #deps: AckQueueDeps;
  readonly #eager: number;
  #latest: string | undefined;
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(deps: AckQueueDeps) {
    this.#deps = deps;
    this.#eager = Math.max(1, Math.floor(deps.maxInFlight / 2));
  }

  /** Everything up to this cursor is done. */
  done(cursor: string): void {
    this.#latest = cursor;
    this.#untold += 1;
    if (this.#untold >= this.#eager) {
      this.flush();
      return;
    }
    // At least one turn of the event loop: a body that does not wait is then acknowledged in one frame for many events.
    this.#cancel ??= this.#deps.clock.after(this.#waitMs(), () => this.flush());
  }

  #waitMs(): number {
    const { clock, random } = this.#deps;
    return Math.max(0, this.#toldAt + ackEveryMs + random() * ackSpreadMs - clock.now());
  }

  /** Tells now what was not told yet. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#untold === 0 || this.#latest === undefined) return;
    if (!this.#deps.send(this.#latest)) return;
    this.#untold = 0;
    this.#toldAt = this.#deps.clock.now();
  }

  /** The connection is new, and what was told on the last one may not have arrived: acks are idempotent. */
  retell(): void {
    if (this.#latest === undefined) return;
    this.#untold = Math.max(1, this.#untold);
    this.flush();
  }

  /** The relay no longer knows of what was done before. */
  forget(): void {
    this.stop();
    this.#latest = undefined;
    this.#untold = 0;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
