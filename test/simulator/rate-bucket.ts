// Owns Helix' token bucket: one per client and user, refilled evenly over a minute. It must never answer a request.
// https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits

export interface BucketState {
  readonly allowed: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export class RateBuckets {
  readonly #perMinute: number;
  readonly #levels = new Map<string, { points: number; atMs: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  take(key: string): BucketState {
    const now = Date.now();
    const level = this.#levels.get(key) ?? { points: this.#perMinute, atMs: now };
    const refilled = level.points + ((now - level.atMs) * this.#perMinute) / 60_000;
    const points = Math.min(this.#perMinute, refilled);
    const allowed = points >= 1;
    const left = allowed ? points - 1 : points;
    this.#levels.set(key, { points: left, atMs: now });
    const fullInMs = ((this.#perMinute - left) * 60_000) / this.#perMinute;
    return { allowed, headers: rateHeaders(this.#perMinute, Math.floor(left), now + fullInMs) };
  }

  /** Empties the bucket, as if a burst of calls had just been made. */
  drain(key: string): void {
    this.#levels.set(key, { points: 0, atMs: Date.now() });
  }
}

/** `Ratelimit-Reset` is the Unix second at which the bucket is full again. */
export function rateHeaders(limit: number, remaining: number, resetAtMs: number): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(Math.ceil(resetAtMs / 1_000)),
  };
}
