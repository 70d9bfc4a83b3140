// The newest records of the log in memory, once for all readers, bounded by count and by bytes. What its readers have mostly
// read is put away where the collector does not see it. Pure data structure: it is told what was committed and never asks
// anybody.
import type { Filter } from '../domain/filter.ts';
import { matches } from '../domain/filter.ts';
import { TextSlab } from '../runtime/text-slab.ts';
import type { ReadPage } from './port.ts';
import type { EncodedRecord } from './record-encode.ts';

export interface WindowBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/**
 * An addition is put away when so many more have come as it has records, within these bounds. Who keeps up has read a small one at
 * once, and it dies before the young generation is collected; when commits are large, readers are behind, webhooks above all.
 */
export const readyFor = { atLeast: 2, atMost: 50 } as const;

interface Addition {
  /** Its records are those in (after, through] that the window still has. */
  readonly after: number;
  readonly through: number;
  readonly size: number;
}

/** Removed slots that may stay at the front of the array before it is moved together. */
const slack = 1000;

/** Holds every record of the log in (from, to] and nothing else. */
export class RecentWindow {
  readonly #bounds: WindowBounds;
  readonly #records: (EncodedRecord | undefined)[] = [];
  readonly #slab = new TextSlab();
  /** The newest additions, whose records are ready to be sent. */
  #ready: Addition[] = [];
  #first = 0;
  #bytes = 0;
  #from: number;
  #to: number;

  constructor(at: number, bounds: WindowBounds) {
    this.#from = at;
    this.#to = at;
    this.#bounds = bounds;
  }

  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#to;
  }

  get size(): number {
    return this.#records.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes the records of (to, `to`'s new value], in order and complete. Those it has already are passed over; the
   * answer is what was new.
   */
  extend(records: readonly EncodedRecord[], to: number): EncodedRecord[] {
    const before = this.#to;
    const fresh = records.filter((record) => record.seq > before);
    for (const record of fresh) {
      if (record.seq <= this.#to)
        throw new Error(`seq ${record.seq} after ${this.#to}: the log is out of order`);
      this.#records.push(record);
      this.#bytes += record.weight;
      this.#to = record.seq;
    }
    this.#to = Math.max(this.#to, to);
    this.#trim();
    this.#putAway({ after: before, through: this.#to, size: fresh.length });
    return fresh;
  }

  /** Forgets everything and goes on from `at`. */
  restart(at: number): void {
    this.#records.length = 0;
    this.#ready = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#from = at;
    this.#to = at;
  }

  /** What matches in (after, through]. The caller has made sure that `after` is not before `from`. */
  read(after: number, filter: Filter, limit: number): ReadPage {
    const records: EncodedRecord[] = [];
    for (let index = this.#indexAfter(after); index < this.#records.length; index++) {
      const record = this.#records[index];
      if (!record || !matches(filter, record)) continue;
      if (records.length >= limit) return { records, through: records.at(-1)?.seq ?? after };
      records.push(record);
    }
    return { records, through: Math.max(after, this.#to) };
  }

  #putAway(added: Addition): void {
    // Of repeated events only, which moves nobody out.
    if (added.size === 0) return;
    this.#ready.push(added);
    for (let [oldest] = this.#ready; oldest && this.#isDue(oldest); [oldest] = this.#ready) {
      this.#ready.shift();
      for (let index = this.#indexAfter(oldest.after); index < this.#records.length; index++) {
        const record = this.#records[index];
        if (!record || record.seq > oldest.through) break;
        record.putAway(this.#slab);
      }
    }
  }

  #isDue({ size }: Addition): boolean {
    return this.#ready.length > Math.min(Math.max(size, readyFor.atLeast), readyFor.atMost);
  }

  #indexAfter(after: number): number {
    let low = this.#first;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#records[middle]?.seq ?? 0) <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #trim(): void {
    while (this.size > this.#bounds.maxRecords || this.#bytes > this.#bounds.maxBytes) {
      const oldest = this.#records[this.#first];
      if (!oldest) break;
      this.#from = oldest.seq;
      this.#bytes -= oldest.weight;
      this.#records[this.#first++] = undefined;
    }
    if (this.#first > slack) {
      this.#records.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
