// The soak's verdict over a series: it can say yes, no, and that it does not know.
import { describe, expect, it } from 'vitest';
import { flatness, lineThrough } from '../faults/slope.ts';

const minuteMs = 60_000;
const series = (count: number, value: (n: number) => number) =>
  Array.from({ length: count }, (_, n) => ({ at: 1_000_000 + n * minuteMs, value: value(n) }));

describe('a line through samples', () => {
  it('finds the slope of an exact line, and is sure of it', () => {
    const line = lineThrough(series(10, (n) => 5 + n));
    expect(line).toMatchObject({ samples: 10, first: 5, last: 14 });
    expect(line.perHour).toBeCloseTo(60);
    expect(line.plusMinus).toBeCloseTo(0);
  });

  it('is unsure by what scatters', () => {
    const line = lineThrough(series(10, (n) => (n % 2 === 0 ? 0 : 4)));
    expect(line.plusMinus).toBeGreaterThan(Math.abs(line.perHour));
  });

  it('knows nothing from two samples', () => {
    expect(lineThrough(series(2, (n) => n)).plusMinus).toBe(Infinity);
    expect(lineThrough([])).toMatchObject({ perHour: 0, plusMinus: Infinity });
  });
});

it('a series is flat, is not, or is too short to say', () => {
  expect(flatness(lineThrough(series(30, () => 7)), 1)).toBe('flat');
  expect(flatness(lineThrough(series(30, (n) => 7 - n)), 1)).toBe('flat');
  expect(flatness(lineThrough(series(30, (n) => n + (n % 2))), 12)).toBe('not flat');
  expect(flatness(lineThrough(series(4, (n) => [0, 9, 1, 8][n] ?? 0)), 12)).toBe('too short to say');
  expect(flatness(lineThrough(series(2, (n) => n * 1_000)), 12)).toBe('too short to say');
});
