// What is outstanding on a connection: whatever is pushed and acknowledged, from whichever earlier value, every window stays
// what it was, and none drags along what is done.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { acknowledge, emptyWindow, push, windowSize } from '../../src/delivery/gateway/window.ts';
import type { SentWindow } from '../../src/delivery/gateway/window.ts';

const held = ({ seqs, from, to }: SentWindow): number[] => seqs.slice(from, to);

const step = fc.record({
  /** Which of the windows so far it goes on from: mostly the newest. */
  back: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 5 })),
  push: fc.nat({ max: 4 }),
  acknowledge: fc.option(fc.nat({ max: 6 })),
});

it('goes on from any earlier window without changing another', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const known: { window: SentWindow; outstanding: readonly number[] }[] = [
        { window: emptyWindow, outstanding: [] },
      ];
      let next = 1;
      for (const { back, push: count, acknowledge: done } of steps) {
        const from = known[Math.max(0, known.length - 1 - back)];
        if (!from) continue;
        const seqs = Object.freeze(Array.from({ length: count }, () => next++));
        let window = push(from.window, seqs);
        let outstanding = [...from.outstanding, ...seqs];
        const upTo = done === null ? undefined : outstanding[done];
        if (upTo !== undefined) {
          window = acknowledge(window, upTo);
          outstanding = outstanding.filter((seq) => seq > upTo);
        }
        known.push({ window, outstanding });
        for (const each of known) expect(held(each.window)).toEqual(each.outstanding);
        expect(windowSize(window)).toBe(outstanding.length);
      }
    }),
  );
});

it('keeps no more than some hundred that are done, however long there is always one outstanding', () => {
  let window = push(emptyWindow, [0]);
  for (let seq = 1; seq < 10_000; seq++) window = acknowledge(push(window, [seq]), seq - 1);
  expect(held(window)).toEqual([9_999]);
  expect(window.seqs.length).toBeLessThan(300);
});
