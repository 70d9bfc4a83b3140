// What is known of one run of an endpoint's retry set: when its next delivery is due, and what of it is in hand. Pure
// bookkeeping; whose turn it is among the runs is decided in retry-feeder.ts.
import type { OwedDelivery } from './ports.ts';

/** The run of what the cursor passed. */
export const liveRun = '';

export class RetryRun {
  readonly id: string;
  /** Claimed and not loaded yet. */
  unloaded: readonly OwedDelivery[] = [];
  /** A claim failed and may have taken something all the same, which no row counts as due: it has to be taken back. */
  isDoubtful = false;
  /** Claimed, and neither gone nor owed again. */
  #held = 0;
  #nextDue = Infinity;
  /** The earliest date that was told while the rows were asked. */
  #toldMeanwhile = Infinity;

  constructor(id: string) {
    this.id = id;
  }

  get held(): number {
    return this.#held;
  }

  /** Nothing of it is owed, as far as is known. */
  get isOver(): boolean {
    return this.#held === 0 && this.#nextDue === Infinity && !this.isDoubtful;
  }

  /** When there is something to do that only time brings; Infinity if there is not. */
  get nextAt(): number {
    return this.isDoubtful || this.unloaded.length > 0 ? 0 : this.#nextDue;
  }

  /** Whether more of it can be got hold of now, if so much may be. */
  hasWork(now: number, room: number): boolean {
    if (this.unloaded.length > 0) return true;
    if (room <= 0) return false;
    // What is taken back must not be in flight.
    return this.isDoubtful ? this.#held === 0 : this.#nextDue <= now;
  }

  /** A delivery is owed and due then. */
  note(nextAt: number): void {
    this.#nextDue = Math.min(this.#nextDue, nextAt);
    this.#toldMeanwhile = Math.min(this.#toldMeanwhile, nextAt);
  }

  claimed(deliveries: readonly OwedDelivery[]): void {
    this.isDoubtful = false;
    this.#held += deliveries.length;
    this.unloaded = deliveries;
  }

  /** A claimed delivery is gone (null), or due again. */
  released(nextAt: number | null): void {
    this.#held--;
    if (nextAt !== null) this.note(nextAt);
  }

  /** Replaces what was known of the next date, but for what is told while the rows are asked. */
  async askNextDue(ask: () => Promise<number | null>): Promise<void> {
    this.#toldMeanwhile = Infinity;
    const nextDue = await ask();
    this.#nextDue = Math.min(nextDue ?? Infinity, this.#toldMeanwhile);
  }
}
