// What upstream is given instead of the log and the rows while another relay is active: notifications are held in memory,
// what would be written stays in memory, and nothing that the active relay has is shown, so that nothing of it is touched.
// After the switch both are the real ones.
import { topicId as topicIdOf } from '../domain/topic.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Notification, UpstreamSink } from './port.ts';
import type { TopicPatch, UpstreamBot, UpstreamStore, UpstreamTopic } from './store-port.ts';

export interface StandByLimits {
  readonly maxHeld: number;
  readonly maxHeldBytes: number;
}

/** As much as is held while the database is away. */
export const standByDefaults: StandByLimits = { maxHeld: 50_000, maxHeldBytes: 64 * 1024 * 1024 };

/** Held for so long beyond what the active relay has recorded: their twins in the log are found by these. */
const overlapMs = 10_000;
/** A topic that Twitch would not give a second time is not asked for again before this. */
const refusedForMs = 600_000;
/** Refusals for want of room: the topic waits for its turn after the take-over. */
const refusals = new Set(['conflict', 'limit_exceeded', 'transports_limit']);
/** Envelope members and object headers. */
const overheadBytes = 512;

export interface HeldNotification {
  readonly topicId: string;
  /** Milliseconds since the epoch, by the platform's stamp if it can be read. */
  readonly sentAt: number;
  readonly notification: Notification;
}

/** What had to be given up for want of room. */
export interface Dropped {
  readonly botId: string;
  readonly from: number;
  readonly to: number;
}

/** A topic that the stand-by is to cover. */
export interface StoodBy {
  readonly botId: string;
  readonly topicId: string;
  /** Up to when the active relay has it; null when it has said nothing. */
  readonly coveredUntil: number | null;
  /** Twitch would not give it a second time. */
  readonly refused: boolean;
}

/** What a stand-by remembers of a topic instead of writing it down. */
interface Note {
  readonly row: UpstreamTopic;
  patch: TopicPatch;
  refusedUntil: number;
}

interface Ports {
  readonly sink: UpstreamSink;
  readonly store: UpstreamStore;
}

export interface Switched extends Ports {
  /** Whether a notification that comes now is in the log already; asked until `lateUntil`. */
  readonly isRepeated: (late: HeldNotification) => boolean;
  readonly lateUntil: number;
}

export class StandBy {
  readonly sink: UpstreamSink;
  readonly store: UpstreamStore;
  readonly dropped = new Map<string, Dropped>();
  readonly #deps: { store: UpstreamStore; clock: Clock; limits?: StandByLimits };
  #held: HeldNotification[] = [];
  #bytes = 0;
  readonly #notes = new Map<string, Note>();
  /** By bot, what is to be covered of it as the last look found it. */
  readonly #stoodBy = new Map<string, readonly StoodBy[]>();
  readonly #coveredUntil = new Map<string, number | null>();
  #botIds: readonly string[] | undefined;
  /** Topics do not name their bot; the one that they were read for is it. */
  readonly #botOf = new Map<string, string>();
  #real: Switched | undefined;

  constructor(deps: { store: UpstreamStore; clock: Clock; limits?: StandByLimits }) {
    this.#deps = deps;
    this.sink = {
      notification: (notification) => this.#notification(notification),
      // What would be told is the active relay's to tell; what remains untrue is told after the switch.
      declare: (draft) => this.#real?.sink.declare(draft) ?? Promise.resolve(),
      durableUntil: (botId, at) => this.#real?.sink.durableUntil(botId, at) ?? 0,
    };
    const either = () => this.#real?.store;
    const { store } = deps;
    this.store = {
      bot: async (id) => (either() ? store.bot(id) : this.#bot(await store.bot(id))),
      botIds: async () => (this.#botIds = await store.botIds()),
      topics: async (botId) => (either() ? store.topics(botId) : this.#topics(botId)),
      updateTopic: async (id, patch, only) => either()?.updateTopic(id, patch, only) ?? this.#note(id, patch),
      forgetTopic: async (id) => either()?.forgetTopic(id) ?? this.#forget(id),
      interestsOf: async (topicId) => either()?.interestsOf(topicId) ?? [],
      interestsOfBot: async (botId) => either()?.interestsOfBot(botId) ?? [],
      removeInterests: async (botId, ids) => either()?.removeInterests(botId, ids),
      forgetBot: async (botId) => either()?.forgetBot(botId) ?? false,
      saveCoverage: async (rows) => either()?.saveCoverage(rows),
    };
  }

  readonly isStandingBy = (): boolean => this.#real === undefined;

  get held(): readonly HeldNotification[] {
    return this.#held;
  }

  /** Every topic that is to be covered, of the bots that were looked at. */
  topics(): readonly StoodBy[] {
    return [...this.#stoodBy.values()].flat();
  }

  /** Whether the rows of every bot have been read. */
  hasLooked(): boolean {
    return this.#botIds?.every((botId) => this.#stoodBy.has(botId)) ?? false;
  }

  /** Lets go of what the active relay has recorded as covered, and of what is remembered about it. */
  prune(): void {
    const bounds = new Map(this.topics().map(({ topicId, coveredUntil }) => [topicId, coveredUntil]));
    const keep = ({ topicId, sentAt, notification }: HeldNotification) => {
      const bound = bounds.get(topicId) ?? this.#coveredUntil.get(notification.botAccountId);
      return sentAt >= (bound ?? 0) - overlapMs;
    };
    this.#held = this.#held.filter(keep);
    this.#bytes = this.#held.reduce((sum, each) => sum + weigh(each), 0);
    for (const [topicId, { to }] of this.dropped) {
      if (to < (bounds.get(topicId) ?? 0)) this.dropped.delete(topicId);
    }
  }

  /** From now on the real ones; what is held is the caller's to hand over first. */
  switchTo(real: Switched): void {
    this.#real = real;
    this.#held = [];
    this.#notes.clear();
  }

  #notification(notification: Notification): 'unwanted' | undefined {
    const real = this.#real;
    if (real && this.#deps.clock.now() >= real.lateUntil) return real.sink.notification(notification);
    const { provider, botAccountId, type, version, condition, receivedAt } = notification;
    const sentAt = Date.parse(notification.eventTimestamp);
    const held = {
      topicId: topicIdOf({ provider, botAccountId, type, version, condition }),
      sentAt: Number.isNaN(sentAt) ? receivedAt : sentAt,
      notification,
    };
    if (real) return real.isRepeated(held) ? undefined : real.sink.notification(notification);
    this.#held.push(held);
    this.#bytes += weigh(held);
    const { maxHeld, maxHeldBytes } = this.#deps.limits ?? standByDefaults;
    if (this.#held.length > maxHeld || this.#bytes > maxHeldBytes) this.#dropOldest();
    return undefined;
  }

  /** A tenth at once, since each time costs a copy of all. */
  #dropOldest(): void {
    const dropped = this.#held.splice(0, Math.ceil(this.#held.length / 10));
    for (const each of dropped) {
      this.#bytes -= weigh(each);
      const known = this.dropped.get(each.topicId);
      this.dropped.set(each.topicId, {
        botId: each.notification.botAccountId,
        from: Math.min(known?.from ?? each.sentAt, each.sentAt),
        to: Math.max(known?.to ?? 0, each.sentAt + 1),
      });
    }
  }

  /** One that is being taken out is the active relay's to take out; here it is as good as switched off. */
  #bot(bot: UpstreamBot | undefined): UpstreamBot | undefined {
    if (!bot) return undefined;
    this.#coveredUntil.set(bot.id, bot.coveredUntil);
    if (bot.removedAt === null && bot.enabled) return bot;
    this.#stoodBy.set(bot.id, []);
    return { ...bot, removedAt: null, enabled: false };
  }

  async #topics(botId: string): Promise<readonly UpstreamTopic[]> {
    const rows = await this.#deps.store.topics(botId);
    const now = this.#deps.clock.now();
    // The active relay lacks room that this one may be taking.
    const noSockets = rows.some(({ code }) => code === 'transports_limit');
    const noCost = rows.some(({ code }) => code === 'limit_exceeded');
    const shown: UpstreamTopic[] = [];
    const stoodBy: StoodBy[] = [];
    for (const row of rows) {
      const note = this.#noteOf(row);
      const isFree = (note.patch.cost ?? row.cost ?? 0) === 0;
      if (row.wanted && row.state === 'active' && !noSockets && (isFree || !noCost)) {
        const refused = note.refusedUntil > now;
        shown.push(this.#shown(note, refused));
        const coveredUntil = row.gapFrom ?? this.#coveredUntil.get(botId) ?? null;
        stoodBy.push({ botId, topicId: row.id, coveredUntil, refused });
      } else if (note.patch.subscriptionId) shown.push(unwanted(note));
    }
    const there = new Set(rows.map(({ id }) => id));
    for (const [id, note] of this.#notes) {
      if (there.has(id) || this.#botOf.get(id) !== botId) continue;
      if (note.patch.subscriptionId) shown.push(unwanted(note));
      else this.#forget(id);
    }
    for (const { id } of rows) this.#botOf.set(id, botId);
    this.#stoodBy.set(botId, stoodBy);
    return shown;
  }

  #noteOf(row: UpstreamTopic): Note {
    const known = this.#notes.get(row.id);
    const note = { row, patch: known?.patch ?? {}, refusedUntil: known?.refusedUntil ?? 0 };
    this.#notes.set(row.id, note);
    return note;
  }

  #shown({ row, patch }: Note, refused: boolean): UpstreamTopic {
    const state = refused ? 'rejected' : 'active';
    const { retryAt = null, subscriptionId = null } = patch;
    return { ...row, state, retryAt, subscriptionId, gapFrom: null, gapCause: null };
  }

  #note(id: string, patch: TopicPatch): boolean {
    const note = this.#notes.get(id);
    if (!note) return false;
    note.patch = { ...note.patch, ...patch };
    const isRefused =
      patch.state === 'rejected' || patch.state === 'revoked' || refusals.has(patch.code ?? '');
    if (isRefused) note.refusedUntil = this.#deps.clock.now() + refusedForMs;
    else if (patch.state === 'active') note.refusedUntil = 0;
    return true;
  }

  #forget(id: string): boolean {
    this.#notes.delete(id);
    this.#botOf.delete(id);
    return true;
  }
}

const weigh = ({ notification }: HeldNotification): number => notification.body.length + overheadBytes;

/** To be removed from our own session; the row is not ours to delete. */
const unwanted = ({ row, patch }: Note): UpstreamTopic => ({
  ...row,
  wanted: false,
  interestCount: 1,
  retryAt: null,
  subscriptionId: patch.subscriptionId ?? null,
  gapFrom: null,
  gapCause: null,
});
