// How far behind a reader is: exact up to a point, an upper bound beyond, and never many reads for one answer.
import { expect, it } from 'vitest';
import type { EventFeed, ReadResult } from '../../src/delivery/port.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { behind } from '../../src/http/behind.ts';

const filter: Filter = { key: '', serviceAccountId: '', topics: new Map(), types: null };

/** A log of a thousand positions without a match; the last hundred are in memory. Each read covers ten. */
function sparseLog() {
  let reads = 0;
  const read = (after: number): ReadResult | Promise<ReadResult> => {
    const result = { records: [], through: Math.min(1_000, after + 10) };
    if (after >= 900) return result;
    reads += 1;
    return Promise.resolve(result);
  };
  const feed = { head: () => 1_000, read } as Pick<EventFeed, 'head' | 'read'> as EventFeed;
  return { feed, reads: () => reads };
}

it('is counted by position beyond ten reads', async () => {
  const { feed } = sparseLog();
  expect(await behind(feed, filter, 0)).toBe(900);
  expect(await behind(feed, filter, 900)).toBe(0);
});

it('takes no more reads of the database than are left, and none of them for what is in memory', async () => {
  const { feed, reads } = sparseLog();
  const budget = { reads: 15 };
  expect(await behind(feed, filter, 0, budget)).toBe(900);
  for (let times = 0; times < 50; times++) expect(await behind(feed, filter, 900, budget)).toBe(0);
  expect(await behind(feed, filter, 0, budget)).toBe(950);
  expect(await behind(feed, filter, 0, budget)).toBe(1_000);
  expect(reads()).toBe(15);
});
