// What an answer's Retry-After asks for. Pure. Sources: RFC 9110, 10.2.3 (Retry-After) and 5.6.7 (HTTP-date).
import type { RetryProfile } from '../../domain/endpoint.ts';
import { longestStepMs } from './retry-schedule.ts';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** A fraction is no part of the grammar, but receivers do send one; it is rounded up. */
const deltaSeconds = /^\d+(?:\.\d+)?$/;

/** IMF-fixdate, which alone may be sent, and the two obsolete forms, which have to be understood. */
const dateForms = [
  /^(?:mon|tue|wed|thu|fri|sat|sun), (?<day>\d\d) (?<month>[a-z]{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) gmt$/i,
  /^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (?<day>\d\d)-(?<month>[a-z]{3})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) gmt$/i,
  /^(?:mon|tue|wed|thu|fri|sat|sun) (?<month>[a-z]{3}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/i,
];

/**
 * Milliseconds from `now` on, a finite number of at least 0: a date that has passed is 0. Null when there is no header, or
 * it is none of the forms; a date that no calendar has is none.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const value = header.trim();
  if (deltaSeconds.test(value)) return Math.min(Math.ceil(Number(value) * 1000), Number.MAX_SAFE_INTEGER);
  const at = parseHttpDate(value, now);
  return at === null ? null : Math.max(0, at - now);
}

/** Nobody holds a delivery back for longer than its own schedule ever would. */
export const capRetryAfter = (ms: number, profile: RetryProfile): number =>
  Math.min(ms, longestStepMs(profile));

function parseHttpDate(value: string, now: number): number | null {
  for (const form of dateForms) {
    const { day, month, year, time } = form.exec(value)?.groups ?? {};
    if (day === undefined || month === undefined || year === undefined || time === undefined) continue;
    const fields = { day: Number(day), month: months.indexOf(month.toLowerCase()), time };
    return year.length === 2
      ? instantOf({ ...fields, year: fullYear(Number(year), now) })
      : instantOf({ ...fields, year: Number(year) });
  }
  return null;
}

/** RFC 9110: one that seems to lie more than 50 years ahead is the most recent year in the past with those digits. */
function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}

function instantOf(date: { year: number; month: number; day: number; time: string }): number | null {
  const [hour = 0, minute = 0, second = 0] = date.time.split(':').map(Number);
  // 60 is a leap second; it ends in the next minute, as Date.UTC has it.
  if (date.month < 0 || hour > 23 || minute > 59 || second > 60) return null;
  const midnight = new Date(0);
  midnight.setUTCFullYear(date.year, date.month, date.day);
  // A day that the month does not have has rolled over into another one.
  if (midnight.getUTCMonth() !== date.month || midnight.getUTCDate() !== date.day) return null;
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
}
