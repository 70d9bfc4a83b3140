// What many figures come to. Pure.

/** Nearest rank: the smallest value that is not below the share. `sorted` rises. */
export function percentile(sorted: readonly number[], share: number, digits = 1): number | null {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return value === undefined ? null : rounded(value, digits);
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
