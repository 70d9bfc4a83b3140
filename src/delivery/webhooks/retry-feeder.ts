// Takes what is due from the retry set of one endpoint and loads the events from the log: a bounded number of each run at a
// time, the runs in turn, so that none waits for another. It loses nothing to a database that is away, and sends nothing.
import { backOffMs } from '../../domain/back-off.ts';
import { matches } from '../../domain/filter.ts';
import type { Taken, WebhookContext } from './context.ts';
import type { DeliveryBook } from './delivery-book.ts';
import type { DueRun } from './ports.ts';
import { liveRun, RetryRun } from './retry-run.ts';

const retryShape = { firstMs: 500, maxMs: 10_000 };
/** While writes fail, what they did is not known, and a claim could take what they are about to change. */
const writesFailingMs = 500;
/** Of all replays together, some megabytes: only hundreds of them at once wait for one another. */
const maxReplayed = 2_048;

export interface RetryFeederDeps {
  readonly context: Pick<WebhookContext, 'rows' | 'feed' | 'clock' | 'observer'> &
    Record<'parks' | 'settlements', { readonly isFailing: boolean }>;
  readonly endpointId: string;
  readonly serviceAccountId: string;
  readonly book: Pick<DeliveryBook, 'owed' | 'addOwed' | 'missing' | 'notWanted'>;
  /** Something arrived, or there may be more to claim. */
  ask(): void;
}

export class RetryFeeder {
  readonly #deps: RetryFeederDeps;
  /** In the order of their turns. What is live is always there, a replay while something of it is owed. */
  readonly #runs = new Map<string, RetryRun>();
  /** Claimed of replays, and neither gone nor owed again. */
  #replayed = 0;
  /** There may be runs that are not known. */
  #isUnsure = false;
  /** The next that is loaded is a probe, and goes into no lane; the one that was. */
  #wantsProbe = false;
  #probe: Taken | undefined;
  #isBusy = false;
  #failures = 0;
  #waitUntil = 0;
  #ended = false;
  #idle: (() => void)[] = [];

  constructor(deps: RetryFeederDeps, runs: readonly DueRun[]) {
    this.#deps = deps;
    this.#run(liveRun);
    this.#note(runs);
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** How many runs are known that something is owed of, what is live among them. */
  get runs(): number {
    return this.#runs.size;
  }

  /** The first moment after `now` that brings something to do; Infinity if none does. */
  nextAfter(now: number): number {
    let first = this.#isUnsure && this.#waitUntil > now ? this.#waitUntil : Infinity;
    for (const run of this.#runs.values()) {
      const at = Math.max(run.nextAt, this.#waitUntil);
      if (at > now && at < first) first = at;
    }
    return first;
  }

  /** Something live is owed and due then. */
  parked(nextAt: number): void {
    this.#run(liveRun).note(nextAt);
  }

  /** A claimed delivery is gone (null), or due again. */
  released(run: string, nextAt: number | null): void {
    if (run !== liveRun) this.#replayed--;
    this.#run(run).released(nextAt);
  }

  /** Something may have been added, in whatever run: the rows are asked at the next `fill`. */
  due(): void {
    this.#isUnsure = true;
  }

  /** Claims what is due while fewer than `limit` of a run are held. What it gets is in the book at the next `ask`. */
  fill(now: number, limit: number): void {
    this.#wantsProbe = false;
    const probe = this.takeProbe();
    if (probe) this.#deps.book.addOwed(probe);
    this.#advance(now, this.#runs.values(), ({ id, held }) =>
      Math.min(limit - held, id === liveRun ? Infinity : maxReplayed - this.#replayed),
    );
  }

  /**
   * Claims one, to be taken as a probe at the next `ask`, whatever else is held: what is live comes first, then whatever is
   * due the longest.
   */
  fillProbe(now: number): void {
    this.#wantsProbe = true;
    const rank = ({ id, nextAt }: RetryRun): number => (id === liveRun ? -1 : nextAt);
    const inOrder = [...this.#runs.values()].toSorted((a, b) => rank(a) - rank(b));
    this.#advance(now, inOrder, () => 1);
  }

  takeProbe(): Taken | undefined {
    const probe = this.#probe;
    this.#probe = undefined;
    return probe;
  }

  /** Claims nothing any more; resolves when no claim is under way. */
  end(): Promise<void> {
    this.#ended = true;
    if (!this.#isBusy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #run(id: string): RetryRun {
    const known = this.#runs.get(id);
    if (known) return known;
    const run = new RetryRun(id);
    this.#runs.set(id, run);
    return run;
  }

  #note(runs: readonly DueRun[]): void {
    for (const { run, nextAt } of runs) this.#run(run).note(nextAt);
  }

  /** One step at a time: whoever claims holds the endpoint's lock, and more of them would only wait for it. */
  #advance(now: number, runs: Iterable<RetryRun>, roomOf: (run: RetryRun) => number): void {
    if (this.#isBusy || this.#ended || this.#isWaiting(now)) return;
    if (this.#isUnsure) {
      this.#work(() => this.#askRuns());
      return;
    }
    for (const run of runs) {
      if (run.id !== liveRun && run.isOver) this.#runs.delete(run.id);
      const room = roomOf(run);
      if (!run.hasWork(now, room)) continue;
      this.#step(run, now, room);
      return;
    }
  }

  /** A clock that went back makes nobody wait longer than was meant. */
  #isWaiting(now: number): boolean {
    return now < this.#waitUntil && this.#waitUntil - now <= retryShape.maxMs;
  }

  #step(run: RetryRun, now: number, room: number): void {
    const { parks, settlements } = this.#deps.context;
    if (run.unloaded.length > 0) this.#work(() => this.#load(run));
    else if (parks.isFailing || settlements.isFailing) this.#waitUntil = now + writesFailingMs;
    else {
      // Its next turn is behind everybody else's.
      this.#runs.delete(run.id);
      this.#runs.set(run.id, run);
      this.#work(() => this.#claim(run, now, room));
    }
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

  async #askRuns(): Promise<void> {
    this.#isUnsure = false;
    try {
      this.#note(await this.#deps.context.rows.runs(this.#deps.endpointId));
    } catch (error) {
      this.#isUnsure = true;
      throw error;
    }
  }

  async #claim(run: RetryRun, now: number, limit: number): Promise<void> {
    const { rows } = this.#deps.context;
    const { endpointId } = this.#deps;
    if (run.isDoubtful) await rows.takeBack(endpointId, run.id);
    run.isDoubtful = true;
    const claimed = await rows.claim(endpointId, run.id, now, limit);
    run.claimed(claimed);
    if (run.id !== liveRun) this.#replayed += claimed.length;
    // With a full answer there may be more that is due.
    if (claimed.length < limit) await run.askNextDue(() => rows.nextDue(endpointId, run.id));
    if (claimed.length > 0) await this.#load(run);
  }

  async #load(run: RetryRun): Promise<void> {
    const { book, context, endpointId, serviceAccountId } = this.#deps;
    const owed = run.unloaded;
    const seqs = [...new Set(owed.map(({ seq }) => seq))].toSorted((a, b) => a - b);
    const records = await context.feed.at(seqs);
    run.unloaded = [];
    if (this.#ended) return;
    const bySeq = new Map(records.map((record) => [record.seq, record]));
    const filter = context.feed.filter(serviceAccountId, null, { endpointId });
    for (const delivery of owed) {
      const record = bySeq.get(delivery.seq);
      if (!record) book.missing(delivery);
      else if (!matches(filter, record)) book.notWanted(delivery);
      else if (this.#wantsProbe && !this.#probe) this.#probe = book.owed(delivery, record);
      else book.addOwed(book.owed(delivery, record));
    }
  }
}
