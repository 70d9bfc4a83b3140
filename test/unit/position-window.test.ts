// How far the cursor may go: never past anything that is not settled, and always up to it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PositionWindow } from '../../src/delivery/webhooks/position-window.ts';

describe('position window', () => {
  it('starts where it is told', () => {
    const window = new PositionWindow(7);
    expect([window.low(), window.high(), window.size]).toEqual([7, 7, 0]);
  });

  it('waits for the lowest that is not settled, and then goes as far as it can', () => {
    const window = new PositionWindow(0);
    for (const seq of [3, 5, 9]) window.begin(seq);
    window.through(20);
    expect([window.low(), window.high(), window.size]).toEqual([2, 9, 3]);
    window.settle(9);
    window.settle(5);
    expect([window.low(), window.size]).toEqual([2, 1]);
    window.settle(3);
    expect([window.low(), window.high(), window.size]).toEqual([20, 9, 0]);
  });

  it('is not moved by what it does not know, nor by a second time', () => {
    const window = new PositionWindow(0);
    window.begin(1);
    window.begin(2);
    for (const seq of [4, 0, -1, 2, 2]) window.settle(seq);
    expect([window.low(), window.size]).toEqual([0, 1]);
    window.through(1);
    window.settle(1);
    expect([window.low(), window.size]).toEqual([2, 0]);
  });

  it('does not take up what it had passed: the cursor would have gone over it', () => {
    const window = new PositionWindow(4);
    expect(() => window.begin(4)).toThrow(RangeError);
    window.begin(6);
    expect(() => window.begin(6)).toThrow(RangeError);
    window.through(10);
    expect(() => window.begin(10)).toThrow(RangeError);
    expect([window.low(), window.high(), window.size]).toEqual([5, 6, 1]);
  });

  it('agrees with a plain list for any order of settling', () => {
    const op = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('begin' as const), by: fc.integer({ min: 1, max: 4 }) }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), pick: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('through' as const), by: fc.nat(4) }) },
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
        const window = new PositionWindow(100);
        const open: number[] = [];
        let [edge, high, low] = [100, 100, 100];
        for (const step of ops) {
          if (step.do === 'begin') {
            high = edge += step.by;
            open.push(edge);
            window.begin(edge);
          } else if (step.do === 'through') window.through((edge += step.by));
          else {
            // At times one that was never begun, or was settled long ago.
            const seq = open[step.pick] ?? 100 + step.pick;
            if (open.includes(seq)) open.splice(open.indexOf(seq), 1);
            window.settle(seq);
          }
          expect(window.low()).toBe(open.length > 0 ? Math.min(...open) - 1 : edge);
          expect(window.high()).toBe(high);
          expect(window.size).toBe(open.length);
          expect(window.low()).toBeGreaterThanOrEqual(low);
          low = window.low();
        }
      }),
    );
  });

  it('settles a hundred thousand in the worst order without a pause', () => {
    const window = new PositionWindow(0);
    for (let seq = 1; seq <= 100_000; seq++) window.begin(seq);
    for (let seq = 100_000; seq > 1; seq--) window.settle(seq);
    expect([window.low(), window.size]).toEqual([0, 1]);
    window.settle(1);
    expect([window.low(), window.size]).toEqual([100_000, 0]);
  });
});
