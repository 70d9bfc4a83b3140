// The window's promise for any clock: an id is remembered for at least the window of time that really passed, unless the
// bound on memory or a jump of the clock ahead takes it, and then only the oldest go.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DedupeWindow } from '../../src/ingest/dedupe.ts';

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
    for (let n = 0; n < 10_000; n++) window.add(String(n), 1_000_000);
    expect(window.size).toBeLessThanOrEqual(400);
    for (let n = 9_700; n < 10_000; n++) expect(window.has(String(n))).toBe(true);
    expect(window.has('9000')).toBe(false);
  });
});
