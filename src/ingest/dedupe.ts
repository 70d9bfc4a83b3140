// The message ids of the last quarter of an hour: platforms repeat a message they are not sure about. Pure and bounded;
// what falls out early is still caught by the log's unique index, so this only has to be cheap and mostly right.
import type { Crash } from '../runtime/crash-points.ts';

export interface DedupeOptions {
  /** How long an id is remembered at least, if the bound allows. Twitch's own advice is to distrust anything older. */
  readonly windowMs?: number;
  /** Ids kept at most; about 100 bytes each. */
  readonly maxIds?: number;
}

/** https://dev.twitch.tv/docs/eventsub/handling-webhook-events#guarding-against-replay-attacks names ten minutes. */
const defaultWindowMs = 15 * 60_000;
/** 40 MB at worst; at 300 notifications a second it holds the whole window. */
const defaultMaxIds = 400_000;
/** An id lives for three to four generations: the more of them, the less is kept beyond the window. */
const generations = 4;

/**
 * Generations of ids: new ones go into the youngest, which is closed after a third of the window, and the oldest is let
 * go then. Time only ever closes one generation per call: a clock that jumps ahead costs the oldest ids, not all; one that
 * jumps back costs nothing but memory, within the bound.
 */
export class DedupeWindow {
  readonly #generationMs: number;
  readonly #maxPerGeneration: number;
  #youngest = new Set<string>();
  /** Closed, the newest first. */
  #closed: Set<string>[] = [];
  #openedAt: number | undefined;

  constructor(options: DedupeOptions = {}) {
    this.#generationMs = (options.windowMs ?? defaultWindowMs) / (generations - 1);
    this.#maxPerGeneration = Math.max(1, Math.floor((options.maxIds ?? defaultMaxIds) / generations));
  }

  get size(): number {
    return this.#closed.reduce((sum, set) => sum + set.size, this.#youngest.size);
  }

  has(id: string): boolean {
    return this.#youngest.has(id) || this.#closed.some((set) => set.has(id));
  }

  add(id: string, now: number): void {
    this.#openedAt ??= now;
    if (now - this.#openedAt >= this.#generationMs || this.#youngest.size >= this.#maxPerGeneration) {
      this.#closed = [this.#youngest, ...this.#closed].slice(0, generations - 1);
      this.#youngest = new Set();
      this.#openedAt = now;
    }
    // A clock that went back must not keep the generation open until it has caught up.
    this.#openedAt = Math.min(this.#openedAt, now);
    this.#youngest.add(id);
  }
}

export type Dedupe = Pick<DedupeWindow, 'has' | 'add'>;

/** The window with its two points; around it, so that the window itself costs nothing more for each notification. */
export const watchedDedupe = (window: Dedupe, crash: Crash): Dedupe => ({
  has(id) {
    crash('dedupe.before');
    return window.has(id);
  },
  add(id, now) {
    window.add(id, now);
    crash('dedupe.after');
  },
});
