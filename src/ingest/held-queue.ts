// What waits for its commit, in order. A deque with its size known; it decides nothing.
import type { EventDraft } from '../domain/event.ts';

export interface Held {
  readonly draft: EventDraft;
  /** A notification may be turned into a gap; the relay's own events may not. */
  readonly kind: 'notification' | 'relay';
  /** Until this is durable, the bot's events from here on are not covered. Milliseconds since the epoch. */
  readonly coverFrom: number;
  readonly settle?: { readonly resolve: () => void; readonly reject: (error: Error) => void };
}

/** Envelope members and object headers, so that many tiny events count too. */
const overheadBytes = 512;
const weigh = (held: Held): number => held.draft.body.length + overheadBytes;

export class HeldQueue {
  #items: Held[] = [];
  #first = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(held: Held): void {
    this.#items.push(held);
    this.#bytes += weigh(held);
  }

  /** The first ones, at most so many events and bytes, but at least one if there is any. */
  peek(maxEvents: number, maxBytes: number): Held[] {
    const batch: Held[] = [];
    let bytes = 0;
    for (let index = this.#first; index < this.#items.length && batch.length < maxEvents; index++) {
      const held = this.#items[index];
      if (!held) break;
      bytes += weigh(held);
      if (batch.length > 0 && bytes > maxBytes) break;
      batch.push(held);
    }
    return batch;
  }

  /** Takes the first `count` away. */
  shift(count: number): void {
    for (const held of this.#items.slice(this.#first, this.#first + count)) this.#bytes -= weigh(held);
    this.#first += count;
    if (this.#first >= this.#items.length || this.#first > 1000) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Puts something in the first one's place, or takes it away. */
  replaceFirst(held: Held | undefined): void {
    const first = this.#items[this.#first];
    if (!first) return;
    if (!held) return this.shift(1);
    this.#bytes += weigh(held) - weigh(first);
    this.#items[this.#first] = held;
  }

  *[Symbol.iterator](): Generator<Held> {
    for (let index = this.#first; index < this.#items.length; index++) {
      const held = this.#items[index];
      if (held) yield held;
    }
  }
}
