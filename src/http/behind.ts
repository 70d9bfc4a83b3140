// How many events a reader has still to get. Reads the log for it, a bounded stretch per request.
import type { EventFeed } from '../delivery/port.ts';
import type { Filter } from '../domain/filter.ts';

/** Lag is counted event by event up to this many reads; what lies beyond is counted by position, an upper bound. */
const countReads = 10;
const countPage = 1000;

/** How many reads of the database are left for all that one answer shows; an endpoint that is not far behind needs none. */
export interface ReadBudget {
  reads: number;
}

/** A second or two of reading. */
export const readBudget = (): ReadBudget => ({ reads: 50 });

export async function behind(
  feed: EventFeed,
  filter: Filter,
  ackedSeq: number,
  budget: ReadBudget = readBudget(),
): Promise<number> {
  let position = ackedSeq;
  let count = 0;
  for (let reads = 0; reads < countReads && budget.reads > 0 && position < feed.head(); reads += 1) {
    const page = feed.read(position, filter, countPage);
    if (page instanceof Promise) budget.reads -= 1;
    const { records, through } = await page;
    count += records.length;
    if (through <= position) return count;
    position = through;
  }
  return count + Math.max(0, feed.head() - position);
}
