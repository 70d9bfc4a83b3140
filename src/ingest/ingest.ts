// From what a platform sent to what is in the log: drop what nobody wants, drop repetitions, hold the rest in order and
// commit it in groups. It owns the wait for a database that is away, and turns whatever it must drop into a gap.
import type { EventDraft } from '../domain/event.ts';
import type { BackOffShape } from '../domain/back-off.ts';
import { backOffMs } from '../domain/back-off.ts';
import { RelayError } from '../domain/errors.ts';
import type { GapWindow } from '../domain/relay-event.ts';
import { gapEvent } from '../domain/relay-event.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/clock.ts';
import type { Crash } from '../runtime/crash-points.ts';
import type { Notification, UpstreamSink } from '../upstream/port.ts';
import { appendFault, faultName } from './append-fault.ts';
import { DedupeWindow, watchedDedupe } from './dedupe.ts';
import type { DedupeOptions, Dedupe } from './dedupe.ts';
import { DropWindows } from './drop-windows.ts';
import type { Held } from './held-queue.ts';
import { HeldQueue } from './held-queue.ts';
import type { EventAppender } from './port.ts';
import { TopicIds } from './topic-ids.ts';

export interface IngestLimits {
  /** Notifications held at most while the database is away. */
  readonly maxHeldEvents: number;
  readonly maxHeldBytes: number;
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
  readonly backOff: BackOffShape;
}

export const ingestDefaults: IngestLimits = {
  maxHeldEvents: 50_000,
  maxHeldBytes: 64 * 1024 * 1024,
  /** Larger ones gain nothing more per event, and make the first in the batch wait for the last. */
  maxBatchEvents: 500,
  maxBatchBytes: 1024 * 1024,
  backOff: { firstMs: 100, maxMs: 5_000 },
};

/** A drop window that stays open for so long is declared although the queue is still nearly full. */
const declareDropsAfterMs = 5_000;
/** How long a stop waits for what is held, if the database answers. */
const defaultStopGraceMs = 5_000;

/** For counters' log lines. All optional, none may throw. */
export interface IngestObserver {
  committed?(batch: { readonly size: number; readonly tookMs: number }): void;
  /** The first failure after a success; repetitions are not told. */
  failing?(fault: string, error: unknown): void;
  recovered?(afterMs: number): void;
  /** The database will never take this one. */
  refused?(draft: EventDraft, fault: string): void;
  /** Dropped for want of room; the gap is on its way. */
  overflowed?(window: GapWindow & { readonly count: number }): void;
}

export interface IngestDeps {
  readonly log: EventAppender;
  readonly clock: Clock;
  /** Whether any interest in the topic exists; what nobody wants is not kept. */
  readonly isWanted: (topicId: string) => boolean;
  readonly limits?: Partial<IngestLimits>;
  readonly dedupe?: DedupeOptions;
  readonly observer?: IngestObserver;
  /** From 0 to 1, for the back-off. */
  readonly random?: () => number;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}

export interface IngestStats {
  readonly pending: number;
  readonly pendingBytes: number;
  /** How long the oldest one has waited; 0 when nothing waits. */
  readonly oldestPendingMs: number;
  readonly committedTotal: number;
  readonly batchesTotal: number;
  readonly droppedTotal: number;
  readonly duplicatesTotal: number;
  readonly unwantedTotal: number;
  readonly refusedTotal: number;
  /** Milliseconds since the epoch; null before the first. */
  readonly lastCommitAt: number | null;
  /** Why nothing is committed at the moment (an SQLSTATE or system error code), or null. */
  readonly failing: string | null;
}

export function createIngest(deps: IngestDeps): Ingest {
  return new Ingest(deps);
}

export class Ingest implements UpstreamSink {
  readonly #deps: IngestDeps;
  readonly #limits: IngestLimits;
  readonly #topicIds = new TopicIds();
  readonly #dedupe: Dedupe;
  readonly #held = new HeldQueue();
  readonly #drops = new DropWindows();
  readonly #abort = new AbortController();
  readonly #total = { committed: 0, batches: 0, dropped: 0, duplicates: 0, unwanted: 0, refused: 0 };
  #draining: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #lastCommitAt: number | null = null;
  #failure: { readonly name: string; readonly since: number } | null = null;
  #failures = 0;
  /** Halved after a refusal until the refused one stands alone, then doubled again. */
  #batchEvents: number;

  constructor(deps: IngestDeps) {
    this.#deps = deps;
    this.#limits = { ...ingestDefaults, ...deps.limits };
    this.#batchEvents = this.#limits.maxBatchEvents;
    const window = new DedupeWindow(deps.dedupe);
    this.#dedupe = deps.crash ? watchedDedupe(window, deps.crash) : window;
  }

  notification(notification: Notification): 'unwanted' | undefined {
    const topicId = this.#topicIds.of(notification);
    if (!this.#deps.isWanted(topicId)) {
      this.#total.unwanted++;
      return 'unwanted';
    }
    if (this.#dedupe.has(notification.messageId)) {
      this.#total.duplicates++;
      return undefined;
    }
    const draft = draftOf(notification, topicId);
    if (this.#stopping || this.#isFull(draft)) {
      // Not remembered as seen: should the platform repeat it later, it is welcome.
      this.#total.dropped++;
      const window = { from: happenedAt(draft), to: draft.receivedAt };
      this.#drops.add(notification.botAccountId, topicId, window);
      return undefined;
    }
    this.#dedupe.add(notification.messageId, this.#deps.clock.now());
    this.#hold({ draft, kind: 'notification', coverFrom: happenedAt(draft) });
    return undefined;
  }

  declare(draft: EventDraft): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.reject(stopped());
    return new Promise((resolve, reject) => {
      this.#hold({ draft, kind: 'relay', coverFrom: draft.receivedAt, settle: { resolve, reject } });
    });
  }

  /** Whether anything waits for its commit. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  durableUntil(botAccountId: string, at: number): number {
    let until = Math.min(at, this.#drops.fromOf(botAccountId) ?? at);
    for (const held of this.#held) {
      if (held.draft.botAccountId === botAccountId) until = Math.min(until, held.coverFrom);
    }
    return until;
  }

  stats(): IngestStats {
    let oldest = this.#drops.earliest();
    for (const held of this.#held) {
      oldest = Math.min(oldest, held.draft.receivedAt);
      break;
    }
    return {
      pending: this.#held.length,
      pendingBytes: this.#held.bytes,
      oldestPendingMs: oldest === Infinity ? 0 : Math.max(0, this.#deps.clock.now() - oldest),
      committedTotal: this.#total.committed,
      batchesTotal: this.#total.batches,
      droppedTotal: this.#total.dropped,
      duplicatesTotal: this.#total.duplicates,
      unwantedTotal: this.#total.unwanted,
      refusedTotal: this.#total.refused,
      lastCommitAt: this.#lastCommitAt,
      failing: this.#failure?.name ?? null,
    };
  }

  /**
   * Takes no more notifications and commits what is held, for at most `graceMs`. What is left then was never reported as
   * durable, so the next start declares it as a gap; waiting declarations reject.
   */
  stop(graceMs = defaultStopGraceMs): Promise<void> {
    return (this.#stopping ??= this.#finish(graceMs));
  }

  async #finish(graceMs: number): Promise<void> {
    this.#declareDrops();
    const drained = new AbortController();
    const grace = pause(this.#deps.clock, graceMs, drained.signal);
    await Promise.race([this.#draining, grace]);
    drained.abort();
    this.#abort.abort();
    // They stay in the queue: what `durableUntil` says must not move past them.
    for (const held of this.#held) held.settle?.reject(stopped());
  }

  #isFull(draft: EventDraft): boolean {
    return (
      this.#held.length >= this.#limits.maxHeldEvents ||
      (this.#held.length > 0 && this.#held.bytes + draft.body.length > this.#limits.maxHeldBytes)
    );
  }

  #hold(held: Held): void {
    this.#held.push(held);
    this.#draining ??= this.#drain();
  }

  /** Commits until nothing is held. One batch is under way at a time; the next one takes what has gathered meanwhile. */
  async #drain(): Promise<void> {
    // What arrives in the same turn, from however many sockets, goes into the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#held.length > 0 && !this.#abort.signal.aborted) {
      const batch = this.#held.peek(this.#batchEvents, this.#limits.maxBatchBytes);
      const startedAt = this.#deps.clock.now();
      try {
        this.#deps.crash?.('append.before');
        const added = await this.#deps.log.append(batch.map((held) => held.draft));
        this.#deps.crash?.('append.after');
        if (!this.#abort.signal.aborted) this.#landed(batch, added, startedAt);
      } catch (error) {
        if (!this.#abort.signal.aborted) await this.#failed(batch, error);
      }
      if (this.#failures === 0 && this.#dropsAreDue()) this.#declareDrops();
    }
    this.#draining = undefined;
  }

  #landed(batch: readonly Held[], added: readonly (object | null)[], startedAt: number): void {
    const now = this.#deps.clock.now();
    const repeated = this.#failures > 0;
    this.#held.shift(batch.length);
    for (const [index, held] of batch.entries()) {
      // After a failure a null may as well be this very batch, whose first answer was lost.
      if (added[index] || repeated) this.#total.committed++;
      else this.#total.duplicates++;
      held.settle?.resolve();
    }
    this.#total.batches++;
    this.#lastCommitAt = now;
    this.#failures = 0;
    this.#batchEvents = Math.min(this.#limits.maxBatchEvents, this.#batchEvents * 2);
    this.#deps.observer?.committed?.({ size: batch.length, tookMs: now - startedAt });
    if (this.#failure) this.#deps.observer?.recovered?.(now - this.#failure.since);
    this.#failure = null;
  }

  async #failed(batch: readonly Held[], error: unknown): Promise<void> {
    if (appendFault(error) === 'refused') {
      const [only] = batch;
      if (batch.length > 1) this.#batchEvents = Math.ceil(batch.length / 2);
      else if (only) this.#giveUp(only, error);
      return;
    }
    this.#failures++;
    if (!this.#failure) {
      this.#failure = { name: faultName(error), since: this.#deps.clock.now() };
      this.#deps.observer?.failing?.(this.#failure.name, error);
    }
    const random = (this.#deps.random ?? Math.random)();
    await pause(
      this.#deps.clock,
      backOffMs(this.#failures, this.#limits.backOff, random),
      this.#abort.signal,
    );
  }

  /** The one in front can never be written: a gap takes its place, so that its loss is told and the rest goes on. */
  #giveUp(held: Held, error: unknown): void {
    const { draft, settle } = held;
    this.#total.refused++;
    this.#deps.observer?.refused?.(draft, faultName(error));
    settle?.reject(
      new RelayError('event_refused', 500, `The log refused a ${draft.type} event.`, { cause: error }),
    );
    const isNotification = held.kind === 'notification' && draft.audience.kind === 'topic';
    if (!isNotification || draft.botAccountId === null || draft.audience.kind !== 'topic') {
      this.#held.replaceFirst(undefined);
      return;
    }
    const window: GapWindow = {
      cause: 'upstream_malformed',
      botAccountId: draft.botAccountId,
      topicIds: [draft.audience.topicId],
      from: happenedAt(draft),
      to: draft.receivedAt + 1,
    };
    this.#held.replaceFirst(this.#gap(window));
  }

  /** Not before the queue is half empty, since a gap for every few dropped ones would only add to the load. */
  #dropsAreDue(): boolean {
    const { maxHeldEvents, maxHeldBytes } = this.#limits;
    const hasRoom = this.#held.length <= maxHeldEvents / 2 && this.#held.bytes <= maxHeldBytes / 2;
    return hasRoom || this.#deps.clock.now() - this.#drops.earliest() >= declareDropsAfterMs;
  }

  /** Behind everything that was held when they were dropped. */
  #declareDrops(): void {
    for (const window of this.#drops.take()) {
      this.#deps.observer?.overflowed?.(window);
      this.#hold(this.#gap(window));
    }
  }

  #gap(window: GapWindow): Held {
    return { draft: gapEvent(window, this.#deps.clock.now()), kind: 'relay', coverFrom: window.from };
  }
}

/** What is missing is told in the platform's time: when it was sent, if that was before it was read. */
function happenedAt(draft: EventDraft): number {
  const sentAt = Date.parse(draft.eventTimestamp);
  return Number.isNaN(sentAt) ? draft.receivedAt : Math.min(sentAt, draft.receivedAt);
}

const stopped = (): RelayError =>
  new RelayError('stopping', 503, 'The relay stopped before this was written.');

const draftOf = (notification: Notification, topicId: string): EventDraft => ({
  id: notification.messageId,
  provider: notification.provider,
  type: notification.type,
  version: notification.version,
  eventTimestamp: notification.eventTimestamp,
  receivedAt: notification.receivedAt,
  botAccountId: notification.botAccountId,
  audience: { kind: 'topic', topicId },
  body: notification.body,
});
