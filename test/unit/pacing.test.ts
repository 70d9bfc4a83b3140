// The join limit: never more than 20 in any window, whatever the rhythm.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPacer, isJoin } from '../../src/upstream/twitch/pacing.ts';

const limit = { perWindow: 20, windowMs: 10_500 };

it('lets 20 go at once, and the next when the first is out of the window', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) {
    expect(pacer.waitMs(1_000 + n)).toBe(0);
    pacer.joined(1_000 + n);
  }
  expect(pacer.waitMs(2_000)).toBe(9_500);
  expect(pacer.waitMs(11_499)).toBe(1);
  expect(pacer.waitMs(11_500)).toBe(0);
});

it('never lets more than 20 into any window', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { maxLength: 120 }), (pauses) => {
      const pacer = createPacer(limit);
      const joins: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        now += pacer.waitMs(now);
        expect(pacer.waitMs(now)).toBe(0);
        pacer.joined(now);
        joins.push(now);
      }
      for (const [n, at] of joins.entries())
        expect(at - (joins[n - limit.perWindow] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(
          limit.windowMs,
        );
    }),
  );
});

it('does not wait for a clock that jumped back to catch up', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) pacer.joined(5_000_000);
  expect(pacer.waitMs(1_000)).toBe(0);
});

it('counts only what joins a channel', () => {
  expect(['channel.chat.message', 'channel.chat.clear', 'stream.online'].map(isJoin)).toEqual([
    true,
    false,
    false,
  ]);
});
