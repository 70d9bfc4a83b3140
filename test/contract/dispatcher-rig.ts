// Webhook delivery over rows, a log and receivers in memory that keep the ports' promises. A process can be dropped as by a
// crash: nothing of it happens any more. Holds no expectations; the tests do.
import { createWebhooks } from '../../src/delivery/webhooks/index.ts';
import type { Webhooks } from '../../src/delivery/webhooks/index.ts';
import type { Outcome, OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import type { Sender, SendRequest, WebhookDeps, WebhookRows } from '../../src/delivery/webhooks/ports.ts';
import type { EventFeed, OutRecord, ReadResult, Selection } from '../../src/delivery/port.ts';
import { encodeCursor } from '../../src/domain/cursor.ts';
import type { EventDraft, LogRecord } from '../../src/domain/event.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { matches } from '../../src/domain/filter.ts';
import type { Cancel, Clock } from '../../src/runtime/clock.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';
import { MemoryRows } from './dispatcher-rows.ts';

const epoch = 'testlog';
const never = (): Promise<never> => new Promise(() => undefined);

/** An in-memory log. A topic per lane; everybody wants everything that is for their service. */
export class MemoryFeed implements EventFeed {
  readonly epoch = epoch;
  readonly records = new Map<number, OutRecord>();
  readonly #clock: Clock;
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #filters = new Map<string, Filter>();
  readonly #topics = new Map<string, number>();
  #head = 0;
  floor = 0;
  /** Where it differs from the floor: one class outlives another. */
  oldest: number | undefined;
  failReads = 0;
  failsFired = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  head(): number {
    return this.#head;
  }

  /** Events of a broadcaster, who is their lane. */
  append(lane: string, count = 1): OutRecord[] {
    this.#topics.set(`topic-${lane}`, 0);
    const added = Array.from({ length: count }, () =>
      this.#add({
        id: `event-${this.#head + 1}`,
        provider: 'twitch',
        type: 'channel.follow',
        version: '2',
        eventTimestamp: '2026-11-21T03:00:00.123456789Z',
        receivedAt: this.#clock.now(),
        botAccountId: 'bot-1',
        audience: { kind: 'topic', topicId: `topic-${lane}` },
        body: `"subscription":{"condition":{"broadcaster_user_id":"${lane}"}},"event":{}`,
      }),
    );
    this.#wake();
    return added;
  }

  appendDraft(draft: EventDraft): void {
    this.#add(draft);
    this.#wake();
  }

  /** As retention does. */
  removeThrough(seq: number): void {
    for (const known of this.records.keys()) if (known <= seq) this.records.delete(known);
    this.floor = Math.max(this.floor, seq);
  }

  floorFor(): number {
    return this.floor;
  }

  oldestFor(): number {
    return this.oldest ?? this.floor;
  }

  retentionMsOf(): number {
    return 24 * 3_600_000;
  }

  filter(serviceAccountId: string): Filter {
    const key = `${serviceAccountId}|${this.#topics.size}`;
    const known = this.#filters.get(key);
    const filter = known ?? { key, serviceAccountId, topics: new Map(this.#topics), types: null };
    this.#filters.set(key, filter);
    return filter;
  }

  read(after: number, filter: Filter, limit: number): ReadResult | Promise<ReadResult> {
    if (this.failReads > 0) {
      this.failReads--;
      this.failsFired++;
      return Promise.reject(new Error('database away: read'));
    }
    const records: OutRecord[] = [];
    for (let seq = after + 1; seq <= this.#head; seq++) {
      const record = this.records.get(seq);
      if (!record || !matches(filter, record)) continue;
      records.push(record);
      if (records.length === limit) return { records, through: seq };
    }
    return { records, through: Math.max(after, this.#head) };
  }

  async at(seqs: readonly number[]): Promise<readonly OutRecord[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return seqs.flatMap((seq) => this.records.get(seq) ?? []);
  }

  async select(filter: Filter, selection: Selection, limit: number): Promise<readonly number[]> {
    await new Promise((resolve) => setImmediate(resolve));
    const { after, through, ids, receivedFrom = 0, receivedBefore = Infinity } = selection;
    return [...this.records.values()]
      .filter((record) => matches(filter, record) && record.seq > after && record.seq <= through)
      .filter(({ receivedAt }) => receivedAt >= receivedFrom && receivedAt < receivedBefore)
      .filter(({ id }) => !ids || ids.includes(id))
      .map(({ seq }) => seq)
      .slice(0, limit);
  }

  batch(): never {
    throw new Error('webhooks send no frames');
  }

  watch(serviceAccountId: string, wake: () => void): () => void {
    const wakes = this.#watchers.get(serviceAccountId) ?? new Set();
    this.#watchers.set(serviceAccountId, wakes.add(wake));
    return () => wakes.delete(wake);
  }

  get watching(): number {
    return [...this.#watchers.values()].reduce((sum, wakes) => sum + wakes.size, 0);
  }

  #add(draft: EventDraft): OutRecord {
    const seq = ++this.#head;
    const record = outRecord({ ...draft, seq });
    this.records.set(seq, record);
    return record;
  }

  #wake(): void {
    for (const wakes of this.#watchers.values()) for (const wake of wakes) wake();
  }
}

function outRecord(record: LogRecord): OutRecord {
  const cursor = encodeCursor(epoch, record.seq);
  const json = () => `{"id":"${record.id}","cursor":"${cursor}",${record.body}}`;
  return {
    ...record,
    cursor,
    json,
    frame: () => {
      throw new Error('webhooks send no frames');
    },
  };
}

export interface Sent extends SendRequest {
  readonly at: number;
  readonly endpointId: string;
  /** Undefined while under way. */
  outcome: OutcomeKind | undefined;
  /** Counts everything that began or ended, of all requests. */
  readonly begun: number;
  ended: number;
}

export type Answer = OutcomeKind | Partial<Outcome> | Promise<OutcomeKind | Partial<Outcome>>;

const statusOf: Partial<Record<OutcomeKind, number>> = {
  success: 204,
  gone: 410,
  rate_limited: 429,
  unavailable: 503,
  server_error: 500,
  client_error: 400,
};

/** What receivers answer, and what they got. An answer that never comes is `hang()`. */
export class ScriptedSender {
  readonly sent: Sent[] = [];
  answer: (request: Sent) => Answer = () => 'success';
  maxInFlight = 0;
  #inFlight = 0;
  #moment = 0;

  async send(request: SendRequest, signal: AbortSignal, clock: Clock): Promise<Outcome> {
    const startedAt = clock.now();
    const endpointId = request.url.split('/').at(-1) ?? '';
    const sent: Sent = {
      ...request,
      at: startedAt,
      endpointId,
      outcome: undefined,
      begun: this.#moment++,
      ended: Infinity,
    };
    this.sent.push(sent);
    this.#inFlight++;
    this.maxInFlight = Math.max(this.maxInFlight, this.#inFlight);
    const cut = deferred<'aborted'>();
    const onAbort = () => cut.resolve('aborted');
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    const given = await Promise.race([this.answer(sent), cut.promise]);
    signal.removeEventListener('abort', onAbort);
    this.#inFlight--;
    const over = typeof given === 'string' ? { kind: given } : given;
    const kind = over.kind ?? 'success';
    sent.outcome = kind;
    sent.ended = this.#moment++;
    const status = statusOf[kind] ?? null;
    const durationMs = Math.max(0, clock.now() - startedAt);
    return { kind, status, response: null, retryAfterMs: null, startedAt, durationMs, ...over };
  }

  /** Ids with their attempt numbers, in the order in which they were sent. */
  log(endpointId?: string): string[] {
    return this.sent
      .filter((sent) => endpointId === undefined || sent.endpointId === endpointId)
      .map(({ id, attempt }) => `${id}#${attempt}`);
  }

  accepted(endpointId?: string): string[] {
    return this.sent
      .filter((sent) => sent.outcome === 'success' && (!endpointId || sent.endpointId === endpointId))
      .map(({ id }) => id);
  }
}

export const hang = (): Promise<never> => never();

/** Everything that outlives a process, and the processes. */
export class World implements AsyncDisposable {
  readonly clock = new ShiftClock();
  readonly feed = new MemoryFeed(this.clock);
  readonly rows = new MemoryRows();
  readonly receivers = new ScriptedSender();
  readonly declared: EventDraft[] = [];
  readonly failures: { what: string; error: unknown }[] = [];
  readonly #processes = new Set<Process>();
  dropped = 0;
  /** Gaps are appended to the log as well, as in the daemon. */
  logsDeclared = false;
  failDeclares = 0;
  random = 0.5;

  /** A process of the relay that has begun to deliver. */
  async start(over: Partial<WebhookDeps> = {}): Promise<Process> {
    const process = this.launch(over);
    await process.webhooks.start();
    return process;
  }

  /** One that has not begun. */
  launch(over: Partial<WebhookDeps> = {}): Process {
    const process = new Process(this, over);
    this.#processes.add(process);
    return process;
  }

  declare(draft: EventDraft): Promise<void> {
    if (this.failDeclares > 0) {
      this.failDeclares--;
      return Promise.reject(new Error('database away: declare'));
    }
    this.declared.push(draft);
    if (this.logsDeclared) this.feed.appendDraft(draft);
    return Promise.resolve();
  }

  /** What the service was told, in order: its type, and for a gap its cause. */
  told(): string[] {
    return this.declared.map((draft) => {
      const { cause } = eventOf(draft);
      return typeof cause === 'string' ? `${draft.type} ${cause}` : draft.type;
    });
  }

  /** Moves the clock by small steps, so that what follows from one date happens before the next. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(stepMs, left));
      await turns(12);
    }
  }

  /** Ends with a proof that nothing is left: no timer, no watch, no listener. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) if (process.isAlive) await process.webhooks.stop({ withinMs: 0 });
    const left = {
      timers: this.clock.pending,
      watches: this.feed.watching,
      listeners: this.rows.listening,
    };
    if (left.timers + left.watches + left.listeners > 0)
      throw new Error(`the dispatcher left something behind: ${JSON.stringify(left)}`);
  }
}

/** Turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await new Promise((resolve) => setImmediate(resolve));
}

export const eventOf = (draft: EventDraft): Record<string, unknown> =>
  (JSON.parse(`{${draft.body}}`) as { event: Record<string, unknown> }).event;

/** One life of the relay. Everything it does goes through gates that a crash closes. */
export class Process {
  readonly webhooks: Webhooks;
  readonly #timers = new Set<Cancel>();
  readonly #subscriptions = new Set<() => void>();
  isAlive = true;

  constructor(world: World, over: Partial<WebhookDeps>) {
    const { clock, feed, rows, receivers } = world;
    const gatedClock: Clock = {
      now: () => clock.now(),
      after: (delayMs, fn) => {
        if (!this.isAlive) return () => undefined;
        const cancel = clock.after(delayMs, () => {
          this.#timers.delete(cancel);
          fn();
        });
        this.#timers.add(cancel);
        return () => {
          this.#timers.delete(cancel);
          cancel();
        };
      },
    };
    const sender: Sender = {
      send: (request, signal) =>
        this.isAlive ? this.#gate(receivers.send(request, signal, clock)) : never(),
      close: () => Promise.resolve(),
    };
    const observer = {
      failed: (what: string, error: unknown) => void world.failures.push({ what, error }),
      recordsDropped: (count: number) => void (world.dropped += count),
    };
    this.webhooks = createWebhooks({
      feed: this.#gateFeed(feed),
      rows: this.#gateRows(rows),
      sender,
      clock: gatedClock,
      random: () => world.random,
      declare: (draft) => (this.isAlive ? this.#gate(world.declare(draft)) : never()),
      onChange: (listener) => this.#subscribe(rows.onChange(listener)),
      longestRetentionMs: 7 * 24 * 3_600_000,
      keepAttemptsMs: 3 * 24 * 3_600_000,
      observer,
      ...over,
    });
  }

  /** From here on nothing of this process happens; what was under way at a receiver stays unknown. */
  crash(): void {
    this.isAlive = false;
    for (const cancel of this.#timers) cancel();
    for (const unsubscribe of this.#subscriptions) unsubscribe();
  }

  async stop(withinMs = 1_000): Promise<void> {
    await this.webhooks.stop({ withinMs });
    this.isAlive = false;
  }

  #subscribe(unsubscribe: () => void): () => void {
    this.#subscriptions.add(unsubscribe);
    return () => {
      this.#subscriptions.delete(unsubscribe);
      unsubscribe();
    };
  }

  /** An answer that comes after the crash does not arrive. */
  #gate<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      answer.then(
        (value) => this.isAlive && resolve(value),
        (error: unknown) => this.isAlive && reject(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }

  #gateRows(rows: MemoryRows): WebhookRows {
    const gate =
      <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.isAlive ? this.#gate(call(...args)) : never();
    return {
      dispatchable: gate((id?: string) => rows.dispatchable(id)),
      endpoint: gate((id: string) => rows.endpoint(id)),
      open: gate((id: string, head: number) => rows.open(id, head)),
      savePositions: gate((all: Parameters<WebhookRows['savePositions']>[0]) => rows.savePositions(all)),
      saveHealth: gate((...args: Parameters<WebhookRows['saveHealth']>) => rows.saveHealth(...args)),
      park: gate((all: Parameters<WebhookRows['park']>[0]) => rows.park(all)),
      parkedAfter: gate((id: string, after: number) => rows.parkedAfter(id, after)),
      blocking: gate((id: string, now: number) => rows.blocking(id, now)),
      runs: gate((id: string) => rows.runs(id)),
      nextDue: gate((id: string, run: string) => rows.nextDue(id, run)),
      countOwed: gate((id: string) => rows.countOwed(id)),
      claim: gate((...args: Parameters<WebhookRows['claim']>) => rows.claim(...args)),
      takeBack: gate((id: string, run: string) => rows.takeBack(id, run)),
      settle: gate((all: Parameters<WebhookRows['settle']>[0]) => rows.settle(all)),
      addRun: gate((run: Parameters<WebhookRows['addRun']>[0]) => rows.addRun(run)),
      record: gate((all: Parameters<WebhookRows['record']>[0]) => rows.record(all)),
      pruneAttempts: gate((before: number, limit: number) => rows.pruneAttempts(before, limit)),
    };
  }

  #gateFeed(feed: MemoryFeed): EventFeed {
    return {
      epoch: feed.epoch,
      head: () => feed.head(),
      floorFor: () => feed.floorFor(),
      oldestFor: () => feed.oldestFor(),
      retentionMsOf: () => feed.retentionMsOf(),
      filter: (serviceAccountId) => feed.filter(serviceAccountId),
      read: (after, filter, limit) => (this.isAlive ? feed.read(after, filter, limit) : never()),
      at: (seqs) => (this.isAlive ? this.#gate(feed.at(seqs)) : never()),
      select: (...args) => (this.isAlive ? this.#gate(feed.select(...args)) : never()),
      batch: () => feed.batch(),
      watch: (serviceAccountId, wake) => this.#subscribe(feed.watch(serviceAccountId, wake)),
    };
  }
}

export { until };
