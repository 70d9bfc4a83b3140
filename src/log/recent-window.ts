// The newest records of the log in memory, once for all readers, bounded by count and by bytes. What its readers have mostly
// read is put away where the collector does not see it. Pure data structure: it is told what was committed and never asks
// anybody.
import type { Filter } from '../domain/filter.ts';
import { matches } from '../domain/filter.ts';
import type { ReadPage } from './port.ts';
import { TextSlab } from '../runtime/text-slab.ts';
import type { EncodedRecord } from './record-encode.ts';

export interface WindowBounds {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/**
 * An addition is put away when so many more have come as it has records, within these bounds. Who keeps up has read a small one at
 * once, and it dies before the young generation is collected; when commits are large, readers are behind, webhooks above all.
 */
export const readyFor = { atLeast: 2, atMost: 50 };
/** Removed slots that may stay at the front of the array before it is moved together. */
const slack = 1000;

/** Holds every record of the log in (from, to] and nothing else. */
export class RecentWindow {
  readonly #bounds: WindowBounds;
  readonly #records: (EncodedRecord | undefined)[] = [];
  readonly #slab = new TextSlab();
  /** The newest additions, each with records in it that the window still has. */
  #ready: (readonly EncodedRecord[])[] = [];
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
    const fresh = records.filter((record) => record.seq > this.#to);
    for (const record of fresh) {
      if (record.seq <= this.#to)
        throw new Error(`seq ${record.seq} after ${this.#to}: the log is out of order`);
      this.#records.push(record);
      this.#bytes += record.weight;
      this.#to = record.seq;
    }
    this.#to = Math.max(this.#to, to);
    this.#putAway(fresh);
    this.#trim();
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

  #putAway(fresh: readonly EncodedRecord[]): void {
    if (fresh.length > 0) this.#ready.push(fresh);
    for (let [oldest] = this.#ready; oldest && this.#isDue(oldest); [oldest] = this.#ready) {
      for (const record of oldest) record.putAway(this.#slab);
      this.#ready.shift();
    }
  }

  #isDue(oldest: readonly EncodedRecord[]): boolean {
    return this.#ready.length > Math.min(Math.max(oldest.length, readyFor.atLeast), readyFor.atMost);
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
      if (this.#ready[0]?.at(-1) === oldest) this.#ready.shift();
    }
    if (this.#first > slack) {
      this.#records.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
