// Takes what is due from the retry set of one endpoint, a bounded number at a time, and loads the events from the log. It
// loses nothing to a database that is away, and sends nothing.
import { backOffMs } from '../../domain/back-off.ts';
import type { Taken, WebhookContext } from './context.ts';
import type { DeliveryBook } from './delivery-book.ts';
import type { OwedDelivery } from './ports.ts';

const retryShape = { firstMs: 500, maxMs: 10_000 };
/** While writes fail, what they did is not known, and a claim could take what they are about to change. */
const writesFailingMs = 500;

export interface RetryFeederDeps {
  readonly context: Pick<WebhookContext, 'rows' | 'feed' | 'clock' | 'observer' | 'parks' | 'settlements'>;
  readonly endpointId: string;
  readonly book: Pick<DeliveryBook, 'owed' | 'addOwed' | 'missing'>;
  /** Something arrived, or there may be more to claim. */
  ask(): void;
}

export class RetryFeeder {
  readonly #deps: RetryFeederDeps;
  #nextDue: number;
  /** The earliest date that was told while the rows were asked. */
  #toldMeanwhile = Infinity;
  /** Claimed, and neither gone nor owed again. */
  #held = 0;
  #unloaded: readonly OwedDelivery[] = [];
  /** The next that is loaded is a probe, and goes into no lane; the one that was. */
  #wantsProbe = false;
  #probe: Taken | undefined;
  #isBusy = false;
  #failures = 0;
  #waitUntil = 0;
  /** A claim failed and may have taken something all the same, which no row counts as due: it has to be taken back. */
  #isDoubtful = false;
  #ended = false;
  #idle: (() => void)[] = [];

  constructor(deps: RetryFeederDeps, nextDue: number | null) {
    this.#deps = deps;
    this.#nextDue = nextDue ?? Infinity;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** When there is something to do that only time brings; Infinity if there is not. */
  get nextAt(): number {
    const hasWork = this.#isDoubtful || this.#unloaded.length > 0;
    return hasWork ? this.#waitUntil : Math.max(this.#nextDue, this.#waitUntil);
  }

  /** A delivery is owed and due then. */
  note(nextAt: number): void {
    this.#nextDue = Math.min(this.#nextDue, nextAt);
    this.#toldMeanwhile = Math.min(this.#toldMeanwhile, nextAt);
  }

  /** A claimed delivery is gone (null), or due again. */
  released(nextAt: number | null): void {
    this.#held--;
    if (nextAt !== null) this.note(nextAt);
  }

  /** Another process may have added something. */
  recheck(): void {
    if (!this.#isBusy && this.#waitUntil <= this.#deps.context.clock.now())
      this.#work(() => this.#askNextDue());
  }

  /** Claims what is due while fewer than `limit` are held. What it gets is in the book at the next `ask`. */
  fill(now: number, limit: number): void {
    this.#wantsProbe = false;
    const probe = this.takeProbe();
    if (probe) this.#deps.book.addOwed(probe);
    this.#advance(now, limit - this.#held);
  }

  /** Claims the one that is due the longest, to be taken as a probe at the next `ask`, whatever else is held. */
  fillProbe(now: number): void {
    this.#wantsProbe = true;
    this.#advance(now, 1);
  }

  takeProbe(): Taken | undefined {
    const probe = this.#probe;
    this.#probe = undefined;
    return probe;
  }

  #advance(now: number, count: number): void {
    if (this.#isBusy || this.#ended || now < this.#waitUntil) return;
    if (this.#unloaded.length > 0) {
      this.#work(() => this.#load());
      return;
    }
    if (count <= 0 || (this.#isDoubtful ? this.#held > 0 : this.#nextDue > now)) return;
    const { parks, settlements } = this.#deps.context;
    if (parks.isFailing || settlements.isFailing) this.#waitUntil = now + writesFailingMs;
    else this.#work(() => this.#claim(now, count));
  }

  /** Claims nothing any more; resolves when no claim is under way. */
  end(): Promise<void> {
    this.#ended = true;
    if (!this.#isBusy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #work(step: () => Promise<void>): void {
    this.#isBusy = true;
    void this.#carryOut(step);
  }

  async #carryOut(step: () => Promise<void>): Promise<void> {
    const { clock, observer } = this.#deps.context;
    try {
      await step();
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      observer.failed?.('claim', error);
      this.#waitUntil = clock.now() + backOffMs(this.#failures, retryShape, 1);
    }
    this.#isBusy = false;
    const waiters = this.#idle;
    this.#idle = [];
    for (const wake of waiters) wake();
    if (!this.#ended) this.#deps.ask();
  }

  async #claim(now: number, limit: number): Promise<void> {
    const { rows, feed } = this.#deps.context;
    const { endpointId } = this.#deps;
    if (this.#isDoubtful) await rows.open(endpointId, feed.head());
    this.#isDoubtful = true;
    const claimed = await rows.claim(endpointId, now, limit);
    this.#isDoubtful = false;
    this.#held += claimed.length;
    this.#unloaded = claimed;
    // With a full answer there may be more that is due.
    if (claimed.length < limit) await this.#askNextDue();
    if (claimed.length > 0) await this.#load();
  }

  async #askNextDue(): Promise<void> {
    this.#toldMeanwhile = Infinity;
    const nextDue = await this.#deps.context.rows.nextDue(this.#deps.endpointId);
    this.#nextDue = Math.min(nextDue ?? Infinity, this.#toldMeanwhile);
  }

  async #load(): Promise<void> {
    const { book, context } = this.#deps;
    const owed = this.#unloaded;
    const seqs = [...new Set(owed.map(({ seq }) => seq))].toSorted((a, b) => a - b);
    const records = await context.feed.at(seqs);
    this.#unloaded = [];
    if (this.#ended) return;
    const bySeq = new Map(records.map((record) => [record.seq, record]));
    for (const delivery of owed) {
      const record = bySeq.get(delivery.seq);
      if (!record) book.missing(delivery);
      else if (this.#wantsProbe && !this.#probe) this.#probe = book.owed(delivery, record);
      else book.addOwed(book.owed(delivery, record));
    }
  }
}
