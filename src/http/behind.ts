// How many events a reader has still to get. Reads the log for it, a bounded stretch per request.
import type { EventFeed } from '../delivery/port.ts';
import type { Filter } from '../domain/filter.ts';

/** Lag is counted event by event up to this many reads; what lies beyond is counted by position, an upper bound. */
const countReads = 10;
const countPage = 1000;

export async function behind(feed: EventFeed, filter: Filter, ackedSeq: number): Promise<number> {
  let position = ackedSeq;
  let count = 0;
  for (let reads = 0; reads < countReads && position < feed.head(); reads += 1) {
    const { records, through } = await feed.read(position, filter, countPage);
    count += records.length;
    if (through <= position) return count;
    position = through;
  }
  return count + Math.max(0, feed.head() - position);
}
