// What receivers write into Retry-After: both forms, the three spellings of a date, and everything that is neither.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capRetryAfter, parseRetryAfter } from '../../src/delivery/webhooks/retry-after.ts';

const now = Date.UTC(2026, 1, 27, 12, 0, 0);
const dayMs = 86_400_000;

const table: readonly (readonly [header: string | undefined, ms: number | null])[] = [
  [undefined, null],
  ['', null],
  ['   ', null],
  ['0', 0],
  ['1', 1000],
  ['120', 120_000],
  [' 30 ', 30_000],
  ['007', 7000],
  ['1.5', 1500],
  ['0.0001', 1],
  ['-5', null],
  ['+5', null],
  ['1e3', null],
  ['0x10', null],
  ['٣', null],
  ['5 seconds', null],
  ['5, 10', null],
  ['.5', null],
  ['Infinity', null],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  // IMF-fixdate
  ['Fri, 27 Feb 2026 12:00:30 GMT', 30_000],
  ['fri, 27 feb 2026 12:00:30 gmt', 30_000],
  ['Fri, 27 Feb 2026 12:00:00 GMT', 0],
  ['Fri, 27 Feb 2026 11:59:59 GMT', 0],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
  ['Sat, 28 Feb 2026 12:00:00 GMT', dayMs],
  ['Fri, 27 Feb 2026 12:00:60 GMT', 60_000],
  ['Tue, 29 Feb 2028 12:00:00 GMT', Date.UTC(2028, 1, 29, 12) - now],
  ['Mon, 01 Jan 0001 00:00:00 GMT', 0],
  // rfc850
  ['Friday, 27-Feb-26 12:01:00 GMT', 60_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ['Wednesday, 01-Jan-75 00:00:00 GMT', Date.UTC(2075, 0, 1) - now],
  ['Saturday, 01-Jan-77 00:00:00 GMT', 0],
  // asctime
  ['Fri Feb 27 12:00:05 2026', 5000],
  ['Sun Nov  6 08:49:37 1994', 0],
  ['Sun Mar  1 12:00:00 2026', 2 * dayMs],
  // No date of any calendar, or not spelt as one
  ['Sun, 29 Feb 2026 12:00:00 GMT', null],
  ['Fri, 31 Jun 2026 12:00:00 GMT', null],
  ['Fri, 00 Mar 2026 12:00:00 GMT', null],
  ['Fri, 27 Foo 2026 12:00:00 GMT', null],
  ['Fri, 27 Feb 2026 24:00:00 GMT', null],
  ['Fri, 27 Feb 2026 12:60:00 GMT', null],
  ['Fri, 27 Feb 2026 12:00:61 GMT', null],
  ['Fri, 27 Feb 2026 12:00:30 CET', null],
  ['Fri, 27 Feb 2026 12:00:30 +0000', null],
  ['Fri, 27 Feb 26 12:00:30 GMT', null],
  ['Fri, 27 Feb 2026 12:00:30', null],
  ['27 Feb 2026 12:00:30 GMT', null],
  ['2026-02-27T12:00:30Z', null],
  ['soon', null],
];

describe('Retry-After', () => {
  it.each(table)('%j is %j ms', (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });

  it('reads every date that a clock can write, in all three spellings', () => {
    const aDate = fc
      .integer({ min: -20 * 365 * 86_400, max: 20 * 365 * 86_400 })
      .map((seconds) => now + seconds * 1000);
    fc.assert(
      fc.property(aDate, (at) => {
        const imf = new Date(at).toUTCString();
        const [weekday, day, month, year, time] = imf.replace(',', '').split(' ');
        const long = new Date(at).toLocaleDateString('en-US', { weekday: 'long', timeZone: 'UTC' });
        const rfc850 = `${long}, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
        const asctime = `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
        for (const spelling of [imf, rfc850, asctime]) {
          expect(parseRetryAfter(spelling, now)).toBe(Math.max(0, at - now));
        }
      }),
    );
  });

  it('is null or a finite number of at least 0, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.float().map(String)), (text) => {
        const ms = parseRetryAfter(text, now);
        expect(ms === null || (Number.isFinite(ms) && ms >= 0)).toBe(true);
      }),
    );
  });

  it('holds nobody back for longer than the longest step of the profile', () => {
    expect(capRetryAfter(30_000, 'realtime')).toBe(30_000);
    expect(capRetryAfter(3_600_000, 'realtime')).toBe(60_000);
    expect(capRetryAfter(3_600_000, 'durable')).toBe(3_600_000);
    expect(capRetryAfter(Number.MAX_SAFE_INTEGER, 'durable')).toBe(dayMs);
  });
});
