// One endpoint at work: when it may be sent to, and its begin and end. It owns its place in the log, its alarm and its
// requests; when `ended` settles, none is left, and what can be saved is saved. What an outcome means is decided elsewhere.
import type { EndpointHealth, EndpointSettings } from '../../domain/endpoint.ts';
import { Alarm } from '../alarm.ts';
import type { Turn } from '../turns.ts';
import type { ServiceBudget } from './budget.ts';
import type { Taken, WebhookContext } from './context.ts';
import type { DeliveryBook, Rest } from './delivery-book.ts';
import { EndpointHealthKeeper } from './endpoint-health.ts';
import { openEndpoint } from './endpoint-start.ts';
import type { EndpointStart } from './endpoint-start.ts';
import { createWork } from './endpoint-work.ts';
import type { EndpointWork } from './endpoint-work.ts';
import { Flights } from './flights.ts';
import { mayTry, nextTryAt } from './health.ts';
import type { Outcome } from './outcome.ts';
import type { EndpointPosition, EndpointRow } from './ports.ts';
import { ServiceEvents } from './service-events.ts';
import { SigningSecrets } from './live-secrets.ts';
import { isExpired, judge, maxPauseMs } from './verdict.ts';

/** Requests begun in one turn of the event loop: some milliseconds of work, then the others have theirs. */
const perTurn = 64;
/** Owed deliveries of one run in hand: enough to keep every request busy while the next are claimed. */
const minHeld = 16;

export class EndpointRunner implements Turn {
  readonly id: string;
  readonly serviceAccountId: string;
  /** Settles once everything is over: the requests, the writes, the position. Never rejects. */
  readonly ended: Promise<void>;
  readonly #context: WebhookContext;
  readonly #budget: ServiceBudget;
  readonly #events: ServiceEvents;
  readonly #health: EndpointHealthKeeper;
  readonly #flights: Flights;
  readonly #alarm: Alarm;
  readonly #secrets: SigningSecrets;
  readonly #ask = (): void => this.#context.turns.ask(this);
  readonly #secretsNow = () => this.#secrets.at(this.#context.clock.now());
  readonly #ending = new AbortController();
  #row: EndpointRow;
  #work: EndpointWork | undefined;
  #restUntil = 0;
  /** The highest position that was sent from the log. */
  #sentSeq = 0;

  constructor(context: WebhookContext, row: EndpointRow, budget: ServiceBudget) {
    this.id = row.id;
    this.serviceAccountId = row.serviceAccountId;
    this.#context = context;
    this.#row = row;
    this.#budget = budget;
    this.#events = new ServiceEvents(context, row);
    this.#health = new EndpointHealthKeeper(context, row, this.#events);
    this.#flights = new Flights(context.sender, budget);
    this.#alarm = new Alarm(context.clock, this.#ask);
    this.#secrets = new SigningSecrets(row.secrets);
    this.ended = this.#live();
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  get state(): EndpointHealth['state'] {
    return this.#health.current.state;
  }

  get inFlight(): number {
    return this.#flights.count;
  }

  /** Everything up to here is settled; undefined before the row is open. */
  get cursor(): number | undefined {
    return this.#work?.book.window.low();
  }

  behind(): number {
    return Math.max(0, this.#context.feed.head() - (this.cursor ?? this.#row.ackedSeq));
  }

  /** The row as it is now: settings, URL and secrets are in force at once, health is what it is here. */
  update(row: EndpointRow): void {
    this.#row = row;
    this.#secrets.replace(row.secrets);
    this.#work?.book.lanes.setOrder(row.settings.order);
    // Another process may have added it, or this one without hearing that it had.
    if (row.owes) this.#work?.feeder.due();
    this.#ask();
  }

  /** Somebody enabled it while it was at work: the waiting for a probe is over. */
  enabled({ health }: EndpointRow): void {
    const { state, since } = this.#health.current;
    this.#health.reset(health);
    this.#restUntil = 0;
    if (state === 'open') this.#work?.book.lanes.extendBlocks(this.#context.clock.now(), since);
    this.#ask();
  }

  /** Deliveries may have been added to the retry set. */
  due(): void {
    this.#work?.feeder.due();
    this.#ask();
  }

  /** Begins nothing new, waits for what is under way and saves. */
  stop(): Promise<void> {
    this.#ending.abort();
    return this.ended;
  }

  /** Cuts off what is under way. */
  abort(): void {
    this.#flights.abort();
  }

  /** Waits no longer for a database that is away. */
  abandon(): void {
    this.#events.stop();
    this.#health.stop();
  }

  takeTurn(): void {
    const work = this.#work;
    if (!work || this.isEnding) return;
    const now = this.#context.clock.now();
    work.reader.read();
    if (!this.#isResting(now)) this.#sendAsHealthAllows(work, now);
    this.#setAlarm(work, now);
  }

  async #live(): Promise<void> {
    const { signal } = this.#ending;
    const start = await openEndpoint(this.#context, this.#row, signal);
    if (!start) {
      this.#ending.abort();
      this.abandon();
      return;
    }
    const unwatch = this.#context.feed.watch(this.serviceAccountId, this.#ask);
    const work = this.#begin(start);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    unwatch();
    await this.#finish(work);
  }

  #begin(start: EndpointStart): EndpointWork {
    const ask = this.#ask;
    const moved = () => this.#context.positions.mark(this.id, () => this.#position(work, true));
    const work = createWork(this.#context, this.#events, { row: this.#row, start, ask, moved });
    this.#work = work;
    // Takes the place of a clean end that could not be saved yet.
    moved();
    ask();
    return work;
  }

  async #finish(work: EndpointWork): Promise<void> {
    const { turns, parks, settlements, positions } = this.#context;
    work.reader.end();
    turns.withdraw(this);
    this.#alarm.stop();
    this.#budget.withdraw(this.#ask);
    await Promise.all([this.#flights.drained(), work.feeder.end()]);
    await this.#events.settled();
    await Promise.all([parks.flushed(), settlements.flushed(), this.#health.saved()]);
    // A park that ended last may have asked once more.
    turns.withdraw(this);
    this.abandon();
    await positions.saveNow(this.id, this.#position(work, false));
  }

  #position({ book, reader, start }: EndpointWork, open: boolean): EndpointPosition {
    const ackedSeq = book.window.low();
    const sentSeq = Math.max(start.mark, this.#sentSeq, ackedSeq);
    return { endpointId: this.id, ackedSeq, sentSeq, wholeAt: reader.wholeAt(), open };
  }

  /** A clock that went back makes nobody rest longer than was meant. */
  #isResting(now: number): boolean {
    return now < this.#restUntil && this.#restUntil - now <= maxPauseMs;
  }

  #restAt(now: number): Rest {
    const { state, probeAt } = this.#health.current;
    const isCircuitOpen = state === 'open';
    const until = Math.max(this.#isResting(now) ? this.#restUntil : 0, isCircuitOpen ? (probeAt ?? 0) : 0);
    return { until: until > now ? until : null, isCircuitOpen };
  }

  #sendAsHealthAllows(work: EndpointWork, now: number): void {
    const { concurrency } = this.#row.settings;
    switch (mayTry(this.#health.current, now)) {
      case 'no':
        return;
      case 'probe':
        this.#probe(work, now);
        return;
      case 'yes':
        work.feeder.fill(now, Math.max(minHeld, 2 * concurrency));
        this.#sendReady(work, now);
    }
  }

  #sendReady({ book }: EndpointWork, now: number): void {
    for (let left = perTurn; this.#flights.count < this.#row.settings.concurrency; left--) {
      if (left === 0) {
        this.#ask();
        return;
      }
      if (!this.#budget.hasRoom(this.#ask)) return;
      const taken = book.lanes.next(now);
      if (!taken) return;
      if (!this.#expired(book, taken, now)) this.#send(taken, false, now);
    }
  }

  /** One try and no second one beside it. */
  #probe(work: EndpointWork, now: number): void {
    if (this.#flights.count > 0 || !this.#budget.hasRoom(this.#ask)) return;
    for (let taken = this.#nextProbe(work, now); taken; taken = this.#nextProbe(work, now)) {
      if (this.#expired(work.book, taken, now)) continue;
      this.#send(taken, true, now);
      return;
    }
  }

  /**
   * What is owed longest if anything is, past the lanes, since nothing else is under way and their blocks are to hold until
   * the circuit closes; else what comes next. Every second time something that was not tried yet: a few events that a
   * receiver will never take must not speak for all others.
   */
  #nextProbe({ book, feeder }: EndpointWork, now: number): Taken | undefined {
    const fresh = this.#health.current.probes % 2 === 1 ? book.lanes.nextUntroubled() : undefined;
    const probe = fresh ?? feeder.takeProbe();
    if (probe) return probe;
    feeder.fillProbe(now);
    return feeder.isBusy ? undefined : book.lanes.next(now);
  }

  /** What tells of loss is never too old: a gap that expired would have to be declared again. */
  #settingsFor({ item }: Taken): EndpointSettings {
    const { settings } = this.#row;
    return item.record.provider === 'relay' ? { ...settings, maxAgeSeconds: null } : settings;
  }

  #expired(book: DeliveryBook, taken: Taken, now: number): boolean {
    if (!isExpired(this.#settingsFor(taken), taken.item.bornAt, now)) return false;
    book.expire(taken);
    return true;
  }

  #send(taken: Taken, probing: boolean, now: number): void {
    const { attempt, record, isOwed, seq } = taken.item;
    if (!isOwed) this.#sentSeq = Math.max(this.#sentSeq, seq);
    const { url } = this.#row;
    const secrets = this.#secrets.at(now);
    const { id, cursor, eventTimestamp } = record;
    const body = record.json();
    const request = { url, secrets, secretsNow: this.#secretsNow, attempt, id, cursor, eventTimestamp, body };
    this.#flights.send(request, (outcome) => this.#ended(taken, probing, outcome));
  }

  #ended(taken: Taken, probing: boolean, outcome: Outcome): void {
    const book = this.#work?.book;
    if (!book) return;
    const { clock, crash, random } = this.#context;
    crash?.('attempt.before');
    const now = clock.now();
    const openedAt = this.#health.current.since;
    const verdict = judge({
      outcome,
      probing,
      now,
      history: taken.item,
      settings: this.#settingsFor(taken),
      random: random(),
      isReplay: taken.item.key.run !== '',
    });
    const change = this.#health.charge(verdict, outcome, now);
    if (verdict.pauseUntil !== null) this.#restUntil = Math.max(this.#restUntil, verdict.pauseUntil);
    const isCutOff = outcome.kind === 'aborted' && this.isEnding;
    if (isCutOff || verdict.disable) book.left(taken, outcome, verdict);
    else book.ended(taken, outcome, verdict, this.#restAt(now));
    if (change === 'recovered') book.lanes.extendBlocks(now, openedAt);
    if (change === 'disabled') this.#ending.abort();
    this.#ask();
  }

  #setAlarm({ book, feeder }: EndpointWork, now: number): void {
    const health = this.#health.current;
    const dates = [this.#restUntil, nextTryAt(health), book.lanes.nextChangeAt(), feeder.nextAfter(now)];
    this.#alarm.setFor(Math.min(...dates.filter((at) => at > now)));
  }
}
