import { expect, it } from 'vitest';
import { stopShares } from '../../src/wiring/stop-shares.ts';

it('whoever does not read, answer or finish leaves a fifth of the time for the last writes', () => {
  for (const totalMs of [1_000, 2_000, 10_000, 60_000, 600_000]) {
    const { drainMs, cutMs, requestsMs, webhooksMs } = stopShares(totalMs);
    for (const share of [drainMs, cutMs, requestsMs, webhooksMs]) expect(share).toBeGreaterThan(0);
    expect(drainMs + cutMs + requestsMs + webhooksMs).toBeLessThanOrEqual(totalMs * 0.8 + 1e-6);
  }
});
