// The bell of a loop, and the pause: remembered while nobody listens, one waking for many rings, no timer left behind.
import { describe, expect, it } from 'vitest';
import { pause } from '../../src/runtime/clock.ts';
import { createBell } from '../../src/runtime/signal-bell.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const never = new AbortController().signal;

describe('a bell', () => {
  it('is heard later when it rings while nobody listens, once for all reasons', async () => {
    const clock = new ShiftClock();
    const bell = createBell<'a' | 'b'>();
    bell.ring('a');
    bell.ring('b');
    bell.ring('a');
    expect(await bell.wait(clock, 60_000, never)).toEqual(new Set(['a', 'b']));
    const again = bell.wait(clock, 60_000, never);
    await clock.advance(60_000);
    expect(await again).toEqual(new Set());
    expect(clock.pending).toBe(0);
  });

  it('wakes who waits, with everything that rang before the waking is over', async () => {
    const clock = new ShiftClock();
    const bell = createBell<'a' | 'b'>();
    const waiting = bell.wait(clock, 60_000, never);
    bell.ring('a');
    bell.ring('b');
    expect(await waiting).toEqual(new Set(['a', 'b']));
    expect(clock.pending).toBe(0);
  });

  it('returns at once when stopped, before or meanwhile, and leaves no timer', async () => {
    const clock = new ShiftClock();
    const bell = createBell<'a'>();
    const stop = new AbortController();
    const waiting = bell.wait(clock, 60_000, stop.signal);
    stop.abort();
    expect(await waiting).toEqual(new Set());
    expect(await bell.wait(clock, 60_000, stop.signal)).toEqual(new Set());
    expect(clock.pending).toBe(0);
  });
});

describe('a pause', () => {
  it('tells whether it elapsed or was cut short, and leaves no timer', async () => {
    const clock = new ShiftClock();
    const stop = new AbortController();
    const elapsed = pause(clock, 5_000, stop.signal);
    await clock.advance(5_000);
    expect(await elapsed).toBe('elapsed');
    const cut = pause(clock, 5_000, stop.signal);
    stop.abort();
    expect(await cut).toBe('aborted');
    expect(await pause(clock, 5_000, stop.signal)).toBe('aborted');
    expect(clock.pending).toBe(0);
  });
});
