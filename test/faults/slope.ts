// Whether a measured figure stays where it is: a straight line through the samples, and how sure it is. Pure.

export interface Sample {
  /** Milliseconds on any clock. */
  readonly at: number;
  readonly value: number;
}

export interface Line {
  readonly samples: number;
  readonly first: number;
  readonly last: number;
  readonly perHour: number;
  /** Twice the standard error: the true slope is within so much of it, as far as samples can tell. */
  readonly plusMinus: number;
}

const hourMs = 3_600_000;

/** Least squares. With fewer than three samples nothing is known: the line is flat and endlessly unsure. */
export function lineThrough(samples: readonly Sample[]): Line {
  const first = samples[0]?.value ?? 0;
  const last = samples.at(-1)?.value ?? 0;
  const n = samples.length;
  if (n < 3) return { samples: n, first, last, perHour: 0, plusMinus: Infinity };
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, each) => sum + of(each), 0) / n;
  const meanAt = mean(({ at }) => at);
  const meanValue = mean(({ value }) => value);
  const spread = samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  const slope = samples.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0) / spread;
  const left = samples.reduce(
    (sum, { at, value }) => sum + (value - meanValue - slope * (at - meanAt)) ** 2,
    0,
  );
  const error = Math.sqrt(left / (n - 2) / spread);
  return { samples: n, first, last, perHour: slope * hourMs, plusMinus: 2 * error * hourMs };
}

export type Flatness = 'flat' | 'not flat' | 'too short to say';

/** Not flat: rises by more than the limit at the least. Flat: by no more than it at the most. */
export function flatness({ perHour, plusMinus }: Line, limitPerHour: number): Flatness {
  if (perHour - plusMinus > limitPerHour) return 'not flat';
  return perHour + plusMinus <= limitPerHour ? 'flat' : 'too short to say';
}
