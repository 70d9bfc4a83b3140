// A bot's sockets, as many as its wishes need. The sole place where a Slot is made; it knows no topic.
import type { BotUpstreamDeps } from './deps.ts';
import { Slot, type SlotListener } from './slot.ts';

export class Slots {
  readonly #deps: Pick<BotUpstreamDeps, 'clock' | 'timings' | 'random' | 'eventSubUrl'>;
  readonly #listener: SlotListener;
  readonly #slots: Slot[] = [];
  #reconnectsOfClosed = 0;

  constructor(
    deps: Pick<BotUpstreamDeps, 'clock' | 'timings' | 'random' | 'eventSubUrl'>,
    listener: SlotListener,
  ) {
    this.#deps = deps;
    this.#listener = listener;
  }

  get all(): readonly Slot[] {
    return this.#slots;
  }

  /** Hand-overs and fresh connects after a live session, of the present sockets and of those that are gone. */
  get reconnects(): number {
    return this.#reconnectsOfClosed + this.#slots.reduce((sum, slot) => sum + slot.reconnects, 0);
  }

  at(index: number): Slot | undefined {
    return this.#slots.find((slot) => slot.index === index);
  }

  /** Every id that the present sessions have had. */
  ids(): Set<string> {
    return new Set(this.#slots.flatMap((slot) => [...slot.ids]));
  }

  /** Opens what is lacking and closes what is too much and carries nothing; with nothing wanted, everything. */
  async fit(wanted: number, used: ReadonlySet<number>): Promise<void> {
    const { clock, timings, random, eventSubUrl } = this.#deps;
    for (let index = 0; this.#slots.length < wanted; index++) {
      if (this.at(index)) continue;
      const listener = this.#listener;
      this.#slots.push(new Slot({ index, url: eventSubUrl, clock, timings, random, listener }));
    }
    await (wanted === 0 ? this.closeAll() : this.closeIdle(wanted, used));
  }

  /** Closes sockets that carry nothing, while there are more than `wanted`. */
  closeIdle(wanted: number, used: ReadonlySet<number>): Promise<void> {
    const idle = this.#slots.filter((slot) => !used.has(slot.index));
    return this.#close(idle.slice(0, Math.max(0, this.#slots.length - wanted)));
  }

  /** Resolves when they are closed. */
  closeAll(): Promise<void> {
    return this.#close([...this.#slots]);
  }

  async #close(closing: readonly Slot[]): Promise<void> {
    for (const slot of closing) {
      this.#slots.splice(this.#slots.indexOf(slot), 1);
      this.#reconnectsOfClosed += slot.reconnects;
    }
    await Promise.all(closing.map((slot) => slot.stop()));
  }
}
