// How long to wait before trying again. Pure: the random number is passed in.

export interface BackOffShape {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Exponential with full jitter over the upper half: attempt 1 waits about `firstMs`, each later one about twice that. */
export function backOffMs(attempt: number, shape: BackOffShape, random: number): number {
  const ceiling = Math.min(shape.maxMs, shape.firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 30));
  return Math.round(ceiling * (0.5 + 0.5 * random));
}
