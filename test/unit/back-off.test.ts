// Back-off: grows, is spread, and never leaves its bounds.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backOffMs } from '../../src/domain/back-off.ts';

const shape = { firstMs: 1_000, maxMs: 120_000 };

it('doubles up to its maximum', () => {
  expect([1, 2, 3, 7, 8, 9, 1_000].map((attempt) => backOffMs(attempt, shape, 1))).toEqual([
    1_000, 2_000, 4_000, 64_000, 120_000, 120_000, 120_000,
  ]);
  expect(backOffMs(1, shape, 0)).toBe(500);
});

it('is never zero, never above the maximum, never smaller for a later attempt', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.integer(), random, (attempt, chance) => {
      const waitMs = backOffMs(attempt, shape, chance);
      expect(waitMs).toBeGreaterThanOrEqual(shape.firstMs / 2);
      expect(waitMs).toBeLessThanOrEqual(shape.maxMs);
      expect(backOffMs(attempt + 1, shape, chance)).toBeGreaterThanOrEqual(waitMs);
    }),
  );
});
