// Retry-After as receivers write it.
import fc from 'fast-check';
import { capRetryAfter, parseRetryAfter } from '../../src/delivery/webhooks/retry-after.ts';
import { retryProfiles } from '../../src/domain/endpoint.ts';
import { textAround } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const dates = fc.date({
  min: new Date('1970-01-01'),
  max: new Date('9999-12-31T23:59:59Z'),
  noInvalidDate: true,
});
export const retryAfterText = fc.oneof(
  fc.nat().map(String),
  fc.double({ min: 0, max: 1e6, noNaN: true }).map((seconds) => seconds.toFixed(3)),
  dates.map((date) => date.toUTCString()),
  dates.map((date) => date.toISOString()),
  fc.constantFrom('Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994', '120', '9'.repeat(400)),
);

export const retryAfter = defineTarget({
  name: 'retry-after',
  what: 'when a receiver wants to be asked again',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return {
      input: textAround(retryAfterText),
      run(text) {
        const ms = parseRetryAfter(text, now);
        // The platform's own parser reads the one form that may be sent.
        if (
          /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(text) &&
          new Date(text).toUTCString() === text
        ) {
          const right = Math.max(0, Date.parse(text) - now);
          if (ms !== right) throw new Error(`${ms} ms instead of ${right}`);
        }
        if (ms === null) return takenIf(false);
        if (!Number.isSafeInteger(ms) || ms < 0) throw new Error(`a time that is none: ${ms}`);
        for (const profile of retryProfiles) {
          const capped = capRetryAfter(ms, profile);
          if (!(capped >= 0 && capped <= ms)) throw new Error(`capped to ${capped}`);
        }
        return takenIf(true);
      },
    };
  },
});
