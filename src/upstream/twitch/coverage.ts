// When a bot's topics were not covered, and saying so. Loss is never silent: a gap opens in memory at once, is written
// down before anything claims coverage past it, and closes with a relay.gap event that is durable before it is forgotten.
import { gapEvent, type GapCause } from '../../domain/relay-event.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { UpstreamObserver } from '../observer.ts';
import type { UpstreamSink } from '../port.ts';
import type { UpstreamStore } from '../store-port.ts';

interface OpenGap {
  readonly from: number;
  readonly cause: GapCause;
}

interface ClosedGap extends OpenGap {
  readonly topicId: string;
  readonly to: number;
}

export class Coverage {
  readonly #open = new Map<string, OpenGap>();
  /** Over, but not declared yet. */
  readonly #closed: ClosedGap[] = [];
  /** Topics whose row does not say yet what memory says. */
  readonly #dirty = new Set<string>();
  /** Declared, but not durable yet. */
  readonly #declaring = new Set<ClosedGap>();
  /** The last write asked for; they go one after another, or one could overtake the other, or be taken for done. */
  #writing: Promise<unknown> = Promise.resolve();
  readonly #deps: {
    botId: string;
    clock: Clock;
    sink: UpstreamSink;
    store: UpstreamStore;
    observer: UpstreamObserver;
    standingBy?: (() => boolean) | undefined;
  };

  constructor(deps: {
    botId: string;
    clock: Clock;
    sink: UpstreamSink;
    store: UpstreamStore;
    observer: UpstreamObserver;
    standingBy?: (() => boolean) | undefined;
  }) {
    this.#deps = deps;
  }

  /** From `from` on, events of the topic may be missing. An earlier opening stands. */
  open(topicId: string, from: number, cause: GapCause): void {
    const known = this.#open.get(topicId);
    if (known && known.from <= from) return;
    this.#open.set(topicId, { from, cause: known?.cause ?? cause });
    this.#dirty.add(topicId);
  }

  /** The topic is covered again from `to` on. */
  close(topicId: string, to: number): void {
    const gap = this.#open.get(topicId);
    if (!gap) return;
    this.#open.delete(topicId);
    this.#closed.push({ ...gap, topicId, to });
  }

  /** A window that is over, whatever else is open. */
  missed(topicId: string, gap: OpenGap & { readonly to: number }): void {
    this.#closed.push({ ...gap, topicId });
  }

  isOpen(topicId: string): boolean {
    return this.#open.has(topicId);
  }

  /** When the topic was not covered, as far as that is not declared; an open one ends at Infinity. */
  windowsOf(topicId: string): { readonly from: number; readonly to: number }[] {
    const open = this.#open.get(topicId);
    const closed = this.#closed.filter((gap) => gap.topicId === topicId);
    return open ? [...closed, { ...open, to: Number.POSITIVE_INFINITY }] : closed;
  }

  /**
   * Somebody else covered these topics up to `from`: of what is open or closed here only what lies behind that is missing.
   * Of topics that are not named nobody is owed anything.
   */
  coveredByOther(ends: ReadonlyMap<string, OpenGap>): void {
    const behind = <Gap extends OpenGap>(gap: Gap, end: OpenGap): Gap =>
      gap.from <= end.from ? { ...gap, from: end.from, cause: end.cause } : gap;
    for (const gap of this.#closed.splice(0)) {
      const end = ends.get(gap.topicId);
      if (end && gap.to > end.from) this.#closed.push(behind(gap, end));
    }
    for (const [topicId, gap] of this.#open) {
      const end = ends.get(topicId);
      if (end) this.#open.set(topicId, behind(gap, end));
      else this.#open.delete(topicId);
    }
    // The rows say what the other one knew.
    for (const topicId of ends.keys()) this.#dirty.add(topicId);
  }

  /** Nobody wants the topic any more: nobody is owed a word about it. */
  forget(topicId: string): void {
    this.#open.delete(topicId);
    this.#dirty.delete(topicId);
  }

  /** A window that is over already; nothing of it is remembered but the event. */
  declare(topicIds: readonly string[], from: number, to: number, cause: GapCause): Promise<void> {
    if (topicIds.length === 0) return Promise.resolve();
    const { botId, clock, observer, sink } = this.#deps;
    observer.gapDeclared({ botId, cause, topics: topicIds.length, fromMs: from, toMs: to });
    return sink.declare(gapEvent({ cause, botAccountId: botId, topicIds, from, to }, clock.now()));
  }

  /** Declares what has closed: one event per cause and beginning, up to the last of them to be covered again. */
  flush(): void {
    if (this.#deps.standingBy?.()) return;
    const groups = new Map<string, ClosedGap[]>();
    for (const gap of this.#closed.splice(0)) {
      const key = `${gap.cause} ${gap.from}`;
      const group = groups.get(key);
      if (group) group.push(gap);
      else groups.set(key, [gap]);
    }
    for (const group of groups.values()) void this.#declareGroup(group);
  }

  /**
   * Writes open gaps down. True when the rows and the log say all that memory says; until then nobody may record a
   * coverage, since a crash would then forget the gap.
   */
  persist(): Promise<boolean> {
    const written = this.#writing.then(() => this.#write());
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #write(): Promise<boolean> {
    // The row must go on saying it until the log does.
    const due = [...this.#dirty].filter((topicId) => !this.#isOwed(topicId));
    const written = await Promise.allSettled(due.map((topicId) => this.#writeOne(topicId)));
    const failed = written.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return this.#dirty.size === 0 && this.#declaring.size === 0 && this.#closed.length === 0;
  }

  async #writeOne(topicId: string): Promise<void> {
    const gap = this.#open.get(topicId);
    this.#dirty.delete(topicId);
    try {
      await this.#deps.store.updateTopic(topicId, {
        gapFrom: gap?.from ?? null,
        gapCause: gap?.cause ?? null,
      });
    } catch (error) {
      this.#dirty.add(topicId);
      throw error;
    }
  }

  #isOwed(topicId: string): boolean {
    const about = (gap: ClosedGap) => gap.topicId === topicId;
    return this.#closed.some(about) || [...this.#declaring].some(about);
  }

  async #declareGroup(group: readonly ClosedGap[]): Promise<void> {
    const [first] = group;
    if (!first) return;
    for (const gap of group) this.#declaring.add(gap);
    try {
      const to = Math.max(...group.map((gap) => gap.to));
      await this.declare(
        group.map((gap) => gap.topicId),
        first.from,
        to,
        first.cause,
      );
      for (const gap of group) this.#dirty.add(gap.topicId);
    } catch {
      // The relay stopped before it was durable: still owed, so nothing is recorded past it, and the next start declares it.
      this.#closed.push(...group);
    } finally {
      for (const gap of group) this.#declaring.delete(gap);
    }
    await this.persist().catch(() => undefined);
  }
}
