// One bot account's upstream: compares wishes with what Twitch has and makes them agree, pass after pass, woken by named
// reasons and unconditionally every half minute. Decides how many sockets there are and what is on them.
import { backOffMs } from '../../domain/back-off.ts';
import { RelayError } from '../../domain/errors.ts';
import { planUpstream, type Plan, type PlanTopic } from '../../domain/plan.ts';
import { createBell } from '../../runtime/signal-bell.ts';
import type { UpstreamBot, UpstreamTopic } from '../store-port.ts';
import { BotRemoval } from './bot-removal.ts';
import type { BotUpstreamDeps } from './deps.ts';
import { SlotEvents } from './slot-events.ts';
import { Slots } from './slots.ts';
import type { Slot } from './slot.ts';
import { Subscriber, type CreateOutcome, type CreatePass, type ListResult } from './subscriber.ts';
import { Succession } from './succession.ts';
import { TopicLedger } from './topic-ledger.ts';
import { maxResetMs } from './verdict.ts';

export type WakeReason =
  'start' | 'interests' | 'bot' | 'session_ready' | 'session_lost' | 'handed_over' | 'revocation' | 'more';

/** Creates per pass, so that a wish made meanwhile does not wait behind 300 others. */
const createsPerPass = 20;
/**
 * Creates under way at a time. Each takes as long as Twitch takes to answer, and until the last one events of some topic are
 * missing. Far below what its rate limiter allows: 800 calls a minute for each user.
 */
const createsAtOnce = 4;
/** While another relay is active, which may take our subscriptions for ones that were left behind. */
const relistStandByMs = 60_000;
/** A pass that failed (the database is away) is repeated soon: what is lost meanwhile cannot be had again. */
const failedPassBackOff = { firstMs: 1_000, maxMs: 5_000 };

export interface UpstreamStatus {
  readonly state: 'none' | 'connecting' | 'live';
  readonly sockets: number;
  readonly connectedAt: number | null;
  readonly lastFrameAt: number | null;
  readonly reconnects: number;
  /** Subscriptions confirmed on live sessions. */
  readonly confirmed: number;
  /** What they cost, as Twitch has told. */
  readonly cost: number;
  /** Every wish that is not refused is confirmed on a live session; an open socket proves nothing. */
  readonly healthy: boolean;
  /** What is missing, or why nothing is done, for people; '' when there is nothing to say. */
  readonly detail: string;
}

/** What a pass goes by: the rows as they were when it began. */
interface Rows {
  readonly bot: UpstreamBot;
  readonly topics: ReadonlyMap<string, UpstreamTopic>;
}

export class BotUpstream {
  readonly succession: Succession;
  readonly #deps: BotUpstreamDeps;
  readonly #botId: string;
  readonly #bell = createBell<WakeReason>();
  readonly #slots: Slots;
  readonly #events: SlotEvents;
  readonly #ledger: TopicLedger;
  readonly #subscriber: Subscriber;
  readonly #removal: BotRemoval;
  #listedAt: number | null = null;
  #listFailures = 0;
  #removeFailures = 0;
  #removalFailures = 0;
  #passFailures = 0;
  /** When the rows were last read: what they said then held until then. */
  #lookedAt: number;
  #relist = false;
  /** The rate limiter's word: no call before this. */
  #notBefore = 0;
  /** When the next pass is due at the latest, if earlier than the regular one. */
  #nextAt = Number.POSITIVE_INFINITY;
  #trouble = 'starting';
  /** Why nothing is done for it although nothing is wrong. */
  #resting = '';
  #unconfirmed = 0;
  /** The grant was gone at the last look: with a new one everything is due at once. */
  #lackedGrant = false;
  constructor(deps: BotUpstreamDeps, botId: string) {
    this.#deps = deps;
    this.#botId = botId;
    this.#lookedAt = deps.clock.now();
    this.#ledger = new TopicLedger(deps, botId);
    this.#subscriber = new Subscriber({ ...deps, botId });
    this.#events = new SlotEvents({
      ...deps,
      botId,
      ledger: this.#ledger,
      wake: (reason) => this.wake(reason),
      onLoss: () => (this.#unconfirmed = Math.max(this.#unconfirmed, 1)),
    });
    this.#slots = new Slots(deps, this.#events);
    this.succession = new Succession({
      ledger: this.#ledger,
      remove: (subscriptionId) => this.#subscriber.remove(subscriptionId),
      onInherited: () => {
        this.#relist = true;
        this.#lookedAt = deps.clock.now();
      },
      wake: () => this.wake('more'),
    });
    this.#removal = new BotRemoval({
      ...deps,
      botId,
      remove: (subscriptionId) => this.#subscriber.remove(subscriptionId),
      closeSockets: () => this.#suspend(),
    });
  }

  wake(reason: WakeReason): void {
    this.#bell.ring(reason);
  }

  /** Runs until the signal, or until the bot's row is gone; resolves when every socket is closed. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, timings, observer } = this.#deps;
    this.wake('start');
    while (!signal.aborted) {
      const waitMs = Math.min(timings.reconcileMs, Math.max(0, this.#nextAt - clock.now()));
      const reasons = await this.#bell.wait(clock, waitMs, signal);
      if (signal.aborted) break;
      this.#nextAt = Number.POSITIVE_INFINITY;
      if (reasons.has('handed_over')) this.#relist = true;
      try {
        if ((await this.succession.run(signal, (turn) => this.#pass(turn))) === 'bot_gone') break;
        this.#passFailures = 0;
      } catch (error) {
        observer.passFailed({ botId: this.#botId, error });
        this.#trouble = passTrouble(error);
        this.#retryAt(clock.now() + backOffMs(++this.#passFailures, failedPassBackOff, random()));
        // Nothing can be put on them: kept, they would be closed for it again and again, and back off ever longer.
        await this.#slots.closeIdle(0, this.#used());
      }
    }
    this.#events.flush();
    await this.#slots.closeAll();
    this.#ledger.coverage.flush();
  }

  status(): UpstreamStatus {
    const live = this.#slots.all.filter((slot) => slot.live);
    const times = live.map((slot) => slot.lastFrameAt()).filter((at) => at !== null);
    const missing = this.#unconfirmed > 0 ? `${this.#unconfirmed} topics are not confirmed` : '';
    return {
      state: live.length > 0 ? 'live' : this.#slots.all.length > 0 ? 'connecting' : 'none',
      sockets: live.length,
      connectedAt: live[0]?.connectedAt ?? null,
      lastFrameAt: times.length > 0 ? Math.max(...times) : null,
      reconnects: this.#slots.reconnects,
      confirmed: this.#ledger.confirmed.size,
      cost: this.#ledger.cost(),
      healthy: this.#trouble === '' && missing === '',
      detail: this.#trouble || missing || this.#resting,
    };
  }

  /**
   * Up to when everything for the confirmed topics is durable, once every open gap is written down; undefined when
   * there is nothing to say.
   */
  async covered(): Promise<number | undefined> {
    this.#events.flush();
    const used = this.#used();
    const times = this.#slots.all.filter((slot) => used.has(slot.index)).map((slot) => slot.coveredTo());
    if (!this.#ledger.gapsLoaded || !(await this.#ledger.coverage.persist())) return undefined;
    const known = times.filter((at) => at !== null);
    if (known.length === 0) return undefined;
    return this.#deps.sink.durableUntil(this.#botId, Math.min(...known));
  }

  async #pass(signal: AbortSignal): Promise<'bot_gone' | void> {
    const { clock, store, timings } = this.#deps;
    this.#events.flush();
    const lookingAt = clock.now();
    const bot = await store.bot(this.#botId);
    if (!bot) return 'bot_gone';
    if (bot.removedAt !== null) return this.#remove(bot, signal);
    if (!bot.enabled) {
      await this.#suspend();
      return this.#rest('disabled');
    }
    let topics = await store.topics(this.#botId);
    if (topics.length === 0) return this.#rest('');
    this.#resting = '';
    if (this.#deps.standingBy?.()) this.#ledger.standBy(topics);
    else this.#ledger.loadGaps(bot, topics);
    if (await this.succession.settle(topics)) topics = await store.topics(this.#botId);
    if (await this.#ledger.takeRevocations(bot, topics)) topics = await store.topics(this.#botId);
    this.#ledger.wantedAgain(topics);
    if (bot.state === 'reauth_required') {
      this.#lackedGrant = true;
      this.#note(topics, 'the bot must be authorised again');
      return topics.some((topic) => topic.wanted)
        ? this.#slots.closeIdle(0, this.#used())
        : this.#slots.closeAll();
    }
    if (this.#lackedGrant) topics = await this.#dueAtOnce(topics);
    // A clock that went back makes nobody wait longer than was meant.
    const throttledMs = this.#notBefore - clock.now();
    if (throttledMs > 0 && throttledMs <= maxResetMs) return this.#retryAt(this.#notBefore);
    this.#notBefore = 0;
    const listing = await this.#listIfDue(signal);
    if (this.#listedAt === null || signal.aborted) return;
    const actual = listing?.ok ? this.#subscriber.toActual(listing.subscriptions) : 'unknown';
    if (actual !== 'unknown') this.#ledger.listed(actual, this.#listedAt);
    if (listing?.ok) await this.succession.removeReplaced(listing.subscriptions);
    const startedAt = clock.now();
    const plan = planUpstream({
      now: startedAt,
      topics: topics.map(planTopic),
      sessions: this.#slots.all.map((slot) => ({ slot: slot.index, live: slot.live, ids: slot.ids })),
      confirmed: this.#ledger.confirmed,
      listing: actual,
      listLagMs: timings.listLagMs,
      longestRetryMs: timings.backOff.maxMs,
    });
    await this.#carryOut(plan, { bot, topics: new Map(topics.map((topic) => [topic.id, topic])) }, signal);
    this.#lookedAt = lookingAt;
    const after = await store.topics(this.#botId);
    this.#note(after, '');
    // What was due before this pass and is still not done has no socket to be done on; a session will wake us.
    for (const { wanted, retryAt } of after) {
      if (wanted && retryAt !== null && retryAt > startedAt) this.#retryAt(retryAt);
    }
  }

  async #carryOut(plan: Plan, rows: Rows, signal: AbortSignal): Promise<void> {
    const { topics } = rows;
    for (const { topicId, status } of plan.lost) await this.#missed(topicId, status, rows);
    for (const found of plan.adopt) {
      const topic = topics.get(found.topicId);
      const still = this.#slots.at(found.slot)?.ids.has(found.sessionId);
      if (topic && still)
        await this.#ledger.confirm(topic, found.slot, { subscriptionId: found.subscriptionId });
    }
    await this.#slots.fit(plan.sockets, this.#used());
    await this.#createMissing(plan, rows, signal);
    this.#ledger.coverage.flush();
    await this.#removeUnwanted(plan, signal);
    // What was removed may have been the last on its socket.
    if (plan.remove.length > 0) await this.#slots.closeIdle(plan.sockets, this.#used());
    for (const topicId of plan.forget) await this.#forget(topicId);
  }

  async #missed(topicId: string, status: string | null, { bot, topics }: Rows): Promise<void> {
    this.#ledger.missed(topicId);
    const topic = topics.get(topicId);
    if (topic && status !== null) await this.#ledger.ended(topic, status, bot);
    this.wake('more');
  }

  async #createMissing(plan: Plan, { bot, topics }: Rows, signal: AbortSignal): Promise<void> {
    const left = plan.create.slice(0, createsPerPass);
    const stop = new AbortController();
    const enough = AbortSignal.any([signal, stop.signal]);
    const pass: CreatePass = { ours: () => this.#slots.ids(), signal, enough };
    /** False when there was nothing to try. */
    const next = async (): Promise<boolean> => {
      const wish = left.shift();
      const topic = wish && topics.get(wish.topicId);
      const slot = wish && this.#slots.at(wish.slot);
      if (!topic || !slot?.live) return false;
      const outcome = await this.#subscriber.create(topic, slot, pass);
      if (endsPass(outcome)) stop.abort();
      await this.#settle(topic, slot, outcome, bot);
      return true;
    };
    const lane = async (): Promise<void> => {
      while (left.length > 0 && !enough.aborted) await next();
    };
    const stopAll = (error: unknown): never => {
      stop.abort();
      throw error;
    };
    // The first one goes alone: while nothing gets through, nothing else is tried.
    let isTried = false;
    while (!isTried && left.length > 0 && !enough.aborted) isTried = await next();
    const lanes = Array.from({ length: createsAtOnce }, () => lane().catch(stopAll));
    // Nothing of this pass is under way when it ends.
    const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    if (!enough.aborted && plan.create.length > createsPerPass) this.wake('more');
  }

  /** Records what became of a create. */
  async #settle(topic: UpstreamTopic, slot: Slot, outcome: CreateOutcome, bot: UpstreamBot): Promise<void> {
    switch (outcome.kind) {
      case 'confirmed': {
        const { subscriptionId, cost, createdAt } = outcome;
        return this.#ledger.confirm(topic, slot.index, { subscriptionId, cost, createdAt });
      }
      case 'rejected':
        await this.#ledger.reject(topic, outcome, bot);
        return this.wake('more');
      case 'retry_later':
        return this.#ledger.degrade(topic, outcome);
      case 'wait':
        // Of several answers of one pass the longest counts.
        this.#notBefore = Math.max(this.#notBefore, outcome.until);
        return this.#retryAt(outcome.until);
      case 'session_gone':
      case 'put_off':
      case 'reauth':
    }
  }

  async #removeUnwanted(plan: Plan, signal: AbortSignal): Promise<void> {
    const { clock, observer, random, timings } = this.#deps;
    let failed = false;
    for (const { subscriptionId, topicId } of plan.remove) {
      if (signal.aborted) return;
      // An interest of a disabled service, or one made at this moment, misses what comes from here on: nothing is kept
      // for it since the rows last said that somebody wants it.
      if (topicId !== null) this.#ledger.lose(topicId, this.#lookedAt, 'revoked');
      const outcome = await this.#subscriber.remove(subscriptionId);
      if (outcome === 'gone') {
        observer.subscriptionRemoved({ botId: this.#botId, subscriptionId });
        if (topicId !== null) {
          this.#deps.crash?.('unsubscribe.before');
          await this.#forget(topicId);
          this.#deps.crash?.('unsubscribe.after');
        }
        continue;
      }
      failed = true;
      if (outcome === 'no_use') break;
    }
    this.#removeFailures = failed ? this.#removeFailures + 1 : 0;
    if (failed) this.#retryAt(clock.now() + backOffMs(this.#removeFailures, timings.backOff, random()));
  }

  async #forget(topicId: string): Promise<void> {
    if (!(await this.#ledger.forget(topicId))) this.wake('interests');
  }

  async #listIfDue(signal: AbortSignal): Promise<ListResult | undefined> {
    const { clock, timings, observer, random } = this.#deps;
    const now = clock.now();
    const standingBy = this.#deps.standingBy?.() ?? false;
    const everyMs = standingBy ? Math.min(timings.relistMs, relistStandByMs) : timings.relistMs;
    const ageMs = this.#listedAt === null ? Infinity : now - this.#listedAt;
    if (!this.#relist && ageMs >= 0 && ageMs < everyMs) return undefined;
    const answer = await this.#subscriber.list();
    if (signal.aborted) return undefined;
    const result = standingBy ? this.#oursOf(answer) : answer;
    if (result.ok) {
      this.#listedAt = now;
      this.#relist = false;
      this.#listFailures = 0;
      return result;
    }
    this.#listFailures++;
    observer.listFailed({ botId: this.#botId, status: result.status, reason: result.reason });
    this.#trouble = `Twitch's list of subscriptions could not be fetched (${result.status || 'no answer'})`;
    this.#retryAt(now + backOffMs(this.#listFailures, timings.backOff, random()));
    return result;
  }

  /** What is on another relay's sessions is no business of one that stands by. */
  #oursOf(result: ListResult): ListResult {
    if (!result.ok) return result;
    const ours = this.#slots.ids();
    const subscriptions = result.subscriptions.filter((each) => ours.has(each.sessionId ?? ''));
    return { ok: true, subscriptions };
  }

  /** The slots that carry something. */
  #used(): Set<number> {
    return new Set([...this.#ledger.confirmed.values()].map((each) => each.slot));
  }

  async #remove(bot: UpstreamBot, signal: AbortSignal): Promise<'bot_gone' | void> {
    const { clock, random, timings } = this.#deps;
    this.#unconfirmed = 0;
    this.#trouble = '';
    this.#resting = 'being removed';
    const outcome = await this.#removal.pass(bot, signal);
    if (outcome === 'gone') return 'bot_gone';
    if (outcome === 'kept') {
      this.#removalFailures = 0;
      this.#relist = true;
      return this.wake('bot');
    }
    this.#trouble = 'being removed; Twitch has not confirmed it yet';
    this.#retryAt(clock.now() + backOffMs(++this.#removalFailures, timings.backOff, random()));
  }

  /** What is confirmed is not covered from here on, until it is confirmed again. */
  #suspend(): Promise<void> {
    const now = this.#deps.clock.now();
    for (const topicId of this.#ledger.confirmed.keys()) this.#ledger.lose(topicId, now, 'revoked');
    return this.#slots.closeAll();
  }

  /** Nothing is to be done for it: no socket. */
  #rest(why: string): Promise<void> {
    this.#unconfirmed = 0;
    this.#trouble = '';
    this.#resting = why;
    return this.#slots.closeAll();
  }

  /** What had to wait because of the old grant need not wait with the new one. */
  async #dueAtOnce(topics: readonly UpstreamTopic[]): Promise<readonly UpstreamTopic[]> {
    const { store } = this.#deps;
    for (const { id, retryAt } of topics)
      if (retryAt !== null) await store.updateTopic(id, { retryAt: null });
    this.#lackedGrant = false;
    return store.topics(this.#botId);
  }

  #note(topics: readonly UpstreamTopic[], trouble: string): void {
    const wanted = topics.filter((topic) => topic.wanted && !planTopic(topic).blocked);
    this.#unconfirmed = wanted.filter((topic) => !this.#ledger.confirmed.has(topic.id)).length;
    this.#trouble = trouble;
  }

  #retryAt(at: number): void {
    this.#nextAt = Math.min(this.#nextAt, at);
  }
}

/** Whether no further create makes sense in this pass. */
function endsPass(outcome: CreateOutcome): boolean {
  if (outcome.kind === 'confirmed' || outcome.kind === 'rejected') return false;
  if (outcome.kind !== 'retry_later') return true;
  // Each further call would wait for its deadline too, while revocations and new wishes wait behind it.
  return outcome.code === 'unreachable' || outcome.code === 'token_unavailable';
}

/** Only words of our own are for everybody who asks how it is. */
const passTrouble = (error: unknown): string =>
  `the last look at its wishes failed: ${error instanceof RelayError ? error.message : 'the log says why'}`;

function planTopic(topic: UpstreamTopic): PlanTopic {
  return {
    id: topic.id,
    wanted: topic.wanted,
    disposable: topic.interestCount === 0,
    blocked: topic.state === 'rejected' || topic.state === 'revoked',
    retryAt: topic.retryAt,
    subscriptionId: topic.subscriptionId,
  };
}
