// The schedule that is promised, step by step, and the bounds of its jitter.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestStepMs, nextDelayMs, retryDelaysMs } from '../../src/delivery/webhooks/retry-schedule.ts';
import { retryProfiles, type RetryProfile } from '../../src/domain/endpoint.ts';

const hourMs = 3_600_000;
const promised: Record<RetryProfile, readonly number[]> = {
  durable: [5000, 300_000, 1_800_000, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * hourMs)],
  realtime: [1000, 3000, 10_000, 30_000, 60_000],
};

describe('retry schedule', () => {
  it.each(retryProfiles)('%s: every step as promised, then nothing more', (profile) => {
    expect(retryDelaysMs[profile]).toEqual([0, ...promised[profile]]);
    for (const [index, stepMs] of promised[profile].entries()) {
      expect(nextDelayMs(profile, index + 1, 0.5)).toBe(stepMs);
    }
    expect(nextDelayMs(profile, promised[profile].length + 1, 0.5)).toBeNull();
    expect(nextDelayMs(profile, 1000, 0.5)).toBeNull();
  });

  it('allows ten tries, or six', () => {
    expect(retryDelaysMs.durable).toHaveLength(10);
    expect(retryDelaysMs.realtime).toHaveLength(6);
    expect(longestStepMs('durable')).toBe(24 * hourMs);
    expect(longestStepMs('realtime')).toBe(60_000);
  });

  it('spreads each step over ±20 %, to its ends and no further', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...retryProfiles),
        fc.nat(5),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (profile, spent, random) => {
          const stepMs = retryDelaysMs[profile][spent] ?? Number.NaN;
          const delayMs = nextDelayMs(profile, spent, random) ?? Number.NaN;
          expect(Number.isInteger(delayMs)).toBe(true);
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(stepMs * 0.8));
          expect(delayMs).toBeLessThanOrEqual(Math.ceil(stepMs * 1.2));
        },
      ),
    );
    expect(nextDelayMs('durable', 2, 0)).toBe(240_000);
    expect(nextDelayMs('durable', 2, 1)).toBe(360_000);
  });
});
