import { describe, expect, it } from 'vitest';
import { lineBudget } from '../../src/observability/line-budget.ts';

describe('the budget of lines that strangers may cause', () => {
  it('gives so many a minute, and then says how many were left out', () => {
    const budget = lineBudget(2);
    expect([0, 1, 2, 3, 59_999].map((now) => budget.take(now))).toEqual([
      0,
      0,
      undefined,
      undefined,
      undefined,
    ]);
    expect(budget.take(60_000)).toBe(3);
    expect(budget.take(60_001)).toBe(0);
    expect(budget.take(60_002)).toBeUndefined();
  });

  it('goes on when the clock is set back', () => {
    const budget = lineBudget(1);
    expect(budget.take(1_000_000)).toBe(0);
    expect(budget.take(1_000_001)).toBeUndefined();
    expect(budget.take(5)).toBe(1);
  });
});
