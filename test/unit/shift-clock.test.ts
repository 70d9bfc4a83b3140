// The tests' own clock: what it adds is exact, whatever time passes while it moves.
import { expect, it } from 'vitest';
import { ShiftClock } from '../support/shift-clock.ts';

it('is moved by exactly what was asked for, on top of the time that its timers take', async () => {
  const clock = new ShiftClock();
  const from = Date.now();
  clock.after(1_000, () => {
    const until = Date.now() + 20;
    while (Date.now() < until);
  });
  await clock.advance(5_000);
  expect(clock.pending).toBe(0);
  expect(clock.now()).toBeGreaterThanOrEqual(from + 20 + 5_000);
});
