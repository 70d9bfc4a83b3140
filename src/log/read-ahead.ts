// What the database was asked for on behalf of a filter beyond what its reader could take at once, and the next piece asked
// for while this one is being written. A cache bounded by weight: whoever loses its stretch reads again, in smaller pieces.
import type { Filter } from '../domain/filter.ts';
import type { ReadPage } from './port.ts';
import type { EncodedRecord } from './record-encode.ts';

/** Every record for its filter in (from, through]. */
export interface Page {
  readonly records: readonly EncodedRecord[];
  readonly through: number;
}

/** At most `rows` rows after `after`. Rejects while the database is away. */
export type Fetch = (filter: Filter, after: number, rows: number) => Promise<Page>;

export interface ReadAheadBounds {
  /** Rows of a first read. A larger one asks for as many as its reader wants. */
  readonly minRows: number;
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** What is held for one filter: the page that is being read and the one before it. */
interface Stretch {
  from: number;
  through: number;
  records: readonly EncodedRecord[];
  /** Where its newest page begins. */
  newestFrom: number;
  /** How many rows that page was asked for with. */
  rows: number;
  bytes: number;
  /** The next page is on its way. */
  more: Promise<void> | undefined;
}

/** What a stretch weighs beside its records, so that empty ones are forgotten as well: it holds on to its filter. */
export const stretchBytes = 64 * 1024;
const topicBytes = 100;

export class ReadAhead {
  readonly #bounds: ReadAheadBounds;
  readonly #fetch: Fetch;
  /** The one used last stands last. */
  readonly #stretches = new Map<Filter, Stretch>();
  #bytes = 0;

  constructor(bounds: ReadAheadBounds, fetch: Fetch) {
    this.#bounds = bounds;
    this.#fetch = fetch;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * At most `limit` records after `after`, and how far that is; at once if they are here. From `end` on nobody asks here,
   * and nothing is fetched ahead.
   */
  read(filter: Filter, after: number, limit: number, end: number): ReadPage | Promise<ReadPage> {
    const stretch = this.#stretches.get(filter);
    if (!stretch || after < stretch.from || after > stretch.through) return this.#begin(filter, after, limit);
    this.#stretches.delete(filter);
    this.#stretches.set(filter, stretch);
    if (after === stretch.through) {
      stretch.more ??= this.#extend(filter, stretch, limit);
      return stretch.more.then(() => partOf(stretch, after, limit));
    }
    const part = partOf(stretch, after, limit);
    // Somebody who reads on, and has begun the newest page.
    const isReadingOn = stretch.newestFrom > stretch.from && part.through > stretch.newestFrom;
    if (isReadingOn && stretch.through < end && !this.#isCrowded)
      stretch.more ??= this.#extend(filter, stretch, limit);
    return part;
  }

  async #begin(filter: Filter, after: number, limit: number): Promise<ReadPage> {
    const rows = this.#rows(limit, 0);
    const { records, through } = await this.#fetch(filter, after, rows);
    const bytes = weightOf(filter, records);
    const stretch = { from: after, through, records, newestFrom: after, rows, bytes, more: undefined };
    this.#drop(filter);
    this.#stretches.set(filter, stretch);
    this.#grown(bytes);
    return partOf(stretch, after, limit);
  }

  /** Adds the next page, twice as large as the newest one, and lets go of the one before that. */
  #extend(filter: Filter, stretch: Stretch, limit: number): Promise<void> {
    const rows = this.#rows(limit, this.#isCrowded ? 0 : 2 * stretch.rows);
    const more = this.#fetch(filter, stretch.through, rows).then(({ records, through }) => {
      const kept = stretch.records.filter(({ seq }) => seq > stretch.newestFrom);
      const both = [...kept, ...records];
      const bytes = weightOf(filter, both);
      const grownBy = bytes - stretch.bytes;
      const { newestFrom: from, through: newestFrom } = stretch;
      Object.assign(stretch, { from, newestFrom, through, records: both, rows, bytes, more: undefined });
      if (this.#stretches.get(filter) === stretch) this.#grown(grownBy);
    });
    // Whoever comes to the end of what is here asks again, and is told.
    more.catch(() => (stretch.more = undefined));
    return more;
  }

  /** Of so many readers nobody asks for more than he can take: it would be forgotten before it is read. */
  get #isCrowded(): boolean {
    return this.#bytes > this.#bounds.maxBytes / 2;
  }

  #rows(limit: number, onwards: number): number {
    const { minRows, maxRows } = this.#bounds;
    return Math.min(Math.max(limit, minRows, onwards), maxRows);
  }

  #grown(bytes: number): void {
    this.#bytes += bytes;
    for (const oldest of this.#stretches.keys()) {
      if (this.#bytes <= this.#bounds.maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(filter: Filter): void {
    this.#bytes -= this.#stretches.get(filter)?.bytes ?? 0;
    this.#stretches.delete(filter);
  }
}

const weightOf = ({ topics }: Filter, records: readonly EncodedRecord[]): number =>
  records.reduce((bytes, { weight }) => bytes + weight, stretchBytes + topicBytes * topics.size);

function partOf({ records, through }: Stretch, after: number, limit: number): ReadPage {
  const begin = records.findIndex(({ seq }) => seq > after);
  if (begin < 0) return { records: [], through };
  const part = records.slice(begin, begin + limit);
  const isLast = begin + limit >= records.length;
  return { records: part, through: isLast ? through : (part.at(-1)?.seq ?? after) };
}
