// The join limit: never more than 20 in any window, whatever the rhythm.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPacer, isJoin } from '../../src/upstream/twitch/pacing.ts';

const limit = { perWindow: 20, windowMs: 10_500 };

it('lets 20 go at once, and the next when the first is out of the window', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) expect(pacer.reserve(1_000 + n)).toBe(0);
  expect(pacer.reserve(2_000)).toBe(9_500);
  // That one has the place of the first, and this one waits for the second.
  expect(pacer.reserve(11_500)).toBe(1);
});

it('never lets more than 20 into any window', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { maxLength: 120 }), (pauses) => {
      const pacer = createPacer(limit);
      const joins: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        now += pacer.reserve(now);
        joins.push(now);
      }
      expect(tooDense(joins)).toEqual([]);
    }),
  );
});

it('nor when several wait at the same time', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2_000), { maxLength: 60 }), (pauses) => {
      const pacer = createPacer(limit);
      let now = 0;
      const joins = pauses.map((pause) => {
        now += pause;
        return now + pacer.reserve(now);
      });
      expect(tooDense(joins)).toEqual([]);
    }),
  );
});

it('nor when some of them give their place back', () => {
  const turn = fc.record({ pause: fc.nat(2_000), isUsed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 120 }), (turns) => {
      const pacer = createPacer(limit);
      const waiting: { at: number; isUsed: boolean }[] = [];
      const joins: number[] = [];
      let now = 0;
      for (const { pause, isUsed } of turns) {
        now += pause;
        waiting.push({ at: now + pacer.reserve(now), isUsed });
        // Some give theirs back long before it is their turn.
        for (const each of waiting.splice(0, isUsed ? 0 : 2))
          if (each.isUsed) joins.push(each.at);
          else pacer.free(each.at);
      }
      joins.push(...waiting.map(({ at }) => at));
      expect(tooDense(joins.toSorted((a, b) => a - b))).toEqual([]);
    }),
  );
});

it('has a place that was given back for the next one', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) pacer.reserve(1_000);
  expect([pacer.reserve(1_000), pacer.reserve(1_000)]).toEqual([10_500, 10_500]);
  pacer.free(1_000);
  pacer.free(99_999);
  for (let n = 0; n < 18; n++) pacer.reserve(1_000);
  pacer.free(11_500);
  expect(pacer.reserve(1_000)).toBe(10_500);
});

it('counts what somebody else has let through', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) pacer.joined(1_000);
  expect(pacer.reserve(1_500)).toBe(10_000);
});

it('does not wait for a clock that jumped back to catch up', () => {
  const pacer = createPacer(limit);
  for (let n = 0; n < 20; n++) pacer.joined(5_000_000);
  expect(pacer.reserve(1_000)).toBe(0);
});

/** Those that come too soon after the twentieth before them. */
const tooDense = (joins: readonly number[]): number[] =>
  joins.filter((at, n) => at - (joins[n - limit.perWindow] ?? Number.NEGATIVE_INFINITY) < limit.windowMs);

it('counts only what joins a channel', () => {
  expect(['channel.chat.message', 'channel.chat.clear', 'stream.online'].map(isJoin)).toEqual([
    true,
    false,
    false,
  ]);
});
