// The message ids of the last quarter of an hour: platforms repeat a message they are not sure about. Pure and bounded;
// what falls out early is still caught by the log's unique index, so this only has to be cheap and mostly right.

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
  /** Youngest first. */
  #sets: Set<string>[] = [new Set()];
  #openedAt: number | undefined;

  constructor(options: DedupeOptions = {}) {
    this.#generationMs = (options.windowMs ?? defaultWindowMs) / (generations - 1);
    this.#maxPerGeneration = Math.max(1, Math.floor((options.maxIds ?? defaultMaxIds) / generations));
  }

  get size(): number {
    return this.#sets.reduce((sum, set) => sum + set.size, 0);
  }

  has(id: string): boolean {
    return this.#sets.some((set) => set.has(id));
  }

  add(id: string, now: number): void {
    this.#openedAt ??= now;
    const youngest = this.#sets[0];
    if (now - this.#openedAt >= this.#generationMs || (youngest?.size ?? 0) >= this.#maxPerGeneration) {
      this.#sets = [new Set<string>(), ...this.#sets].slice(0, generations);
      this.#openedAt = now;
    } else if (now < this.#openedAt) {
      this.#openedAt = now;
    }
    this.#sets[0]?.add(id);
  }
}
