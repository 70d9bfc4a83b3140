// The window's promise for any clock: an id is remembered for at least the window of time that really passed, unless the
// bound on memory or a jump of the clock ahead takes it, and then only the oldest go.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DedupeWindow, watchedDedupe } from '../../src/ingest/dedupe.ts';

const windowMs = 900_000;

describe('dedupe window', () => {
  it('remembers for the window whenever the clock only goes forward, and forgets in time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 200 }),
        (pauses) => {
          const window = new DedupeWindow({ windowMs });
          const added: { id: string; at: number }[] = [];
          let now = 1_000_000;
          for (const [n, pauseMs] of pauses.entries()) {
            now += pauseMs;
            for (const { id, at } of added) if (now - at <= windowMs) expect(window.has(id)).toBe(true);
            window.add(String(n), now);
            added.push({ id: String(n), at: now });
          }
          // Four generations of a third each; a pause between two ids may lengthen every one of them.
          const kept = added.filter(({ at }) => now - at <= 4 * (windowMs / 3 + 200_000));
          expect(window.size).toBeLessThanOrEqual(kept.length);
        },
      ),
    );
  });

  it('loses nothing young to a clock that jumps, in either direction', () => {
    const window = new DedupeWindow({ windowMs });
    window.add('before', 1_000_000);
    window.add('far ahead', 1_000_000 + 10 * windowMs);
    expect(window.has('before')).toBe(true);
    window.add('back', 1_000_000);
    window.add('back again', 1_000_000 + windowMs / 6);
    for (const id of ['before', 'far ahead', 'back', 'back again']) expect(window.has(id)).toBe(true);
  });

  it('stays within its bound and keeps the newest', () => {
    const window = new DedupeWindow({ windowMs, maxIds: 400 });
    let most = 0;
    for (let n = 0; n < 10_000; n++) {
      window.add(String(n), 1_000_000);
      most = Math.max(most, window.size);
    }
    expect(most).toBe(400);
    for (let n = 9_700; n < 10_000; n++) expect(window.has(String(n))).toBe(true);
    expect(window.has('9000')).toBe(false);
  });

  // Twitch resends for up to ten minutes: a default that is shorter logs repetitions as new whenever the index is all
  // that is left; one that never ends is a leak.
  it('by itself remembers a quarter of an hour, and no more than a third of that longer', () => {
    const window = new DedupeWindow();
    for (let minute = 0; minute < 20; minute++) {
      window.add(`at ${minute}`, minute * 60_000);
      expect(window.has('at 0')).toBe(true);
      expect(window.size).toBe(minute + 1);
    }
    window.add('at 20', 20 * 60_000);
    expect(window.has('at 4')).toBe(false);
    expect(window.has('at 5')).toBe(true);
    expect(window.size).toBe(16);
  });

  it('goes on forgetting after a clock that was ahead', () => {
    const window = new DedupeWindow({ windowMs });
    window.add('from the future', 100 * windowMs);
    for (let step = 0; step < 4; step++) window.add(`at ${step}`, step * (windowMs / 3));
    expect(window.has('from the future')).toBe(true);
    window.add('at 4', 4 * (windowMs / 3));
    expect(window.has('from the future')).toBe(false);
  });

  // A crash between the two must find the message not remembered, or its repetition would be lost with it.
  it('is watched before it is asked and after it remembers', () => {
    const window = new DedupeWindow();
    const points: string[] = [];
    const watched = watchedDedupe(window, (point) => void points.push(`${point} ${window.has('a')}`));
    expect(watched.has('a')).toBe(false);
    watched.add('a', 1);
    expect(watched.has('a')).toBe(true);
    expect(points).toEqual(['dedupe.before false', 'dedupe.after true', 'dedupe.before true']);
  });
});
