// What is known of one bot's topics: which are confirmed on which socket, which are not covered since when, and what
// their owners were told. Memory first, then the row, then the event; makes no call to Twitch.
import { backOffMs } from '../../domain/back-off.ts';
import type { ActualSubscription, Confirmation } from '../../domain/plan.ts';
import { interestEvent, type GapCause, type InterestVerdict } from '../../domain/relay-event.ts';
import { topicId as topicIdOf } from '../../domain/topic.ts';
import type { TopicPatch, UpstreamBot, UpstreamTopic } from '../store-port.ts';
import { Coverage } from './coverage.ts';
import type { BotUpstreamDeps } from './deps.ts';
import type { SubscriptionRef } from './frames.ts';
import { statusMeaning } from './verdict.ts';

interface Confirmed extends Confirmation {
  /** When it was certainly there last, by its creation or by a list; later it may have vanished without a word. */
  readonly seenAt: number;
}

interface Revocation {
  readonly topicId: string;
  readonly subscription: SubscriptionRef;
  readonly at: number;
}

const revocationCause = (status: string): GapCause =>
  statusMeaning(status) === 'session_lost' ? 'upstream_reconnect' : 'revoked';

/** Up to when an earlier process covered the topic; undefined when it was never covered. */
function endOf(bot: UpstreamBot, topic: UpstreamTopic): { from: number; cause: GapCause } | undefined {
  if (topic.gapFrom !== null) return { from: topic.gapFrom, cause: topic.gapCause ?? 'restart' };
  if (topic.subscriptionId === null) return undefined;
  return { from: Math.max(bot.coveredUntil ?? 0, topic.createdAt), cause: 'restart' };
}

export class TopicLedger {
  /** What delivers on one of our live sessions, by topic id. */
  readonly confirmed = new Map<string, Confirmed>();
  readonly coverage: Coverage;
  readonly #deps: BotUpstreamDeps;
  readonly #botId: string;
  /** As Twitch told when it created them. */
  readonly #costs = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  readonly #revocations: Revocation[] = [];
  /** Confirmed while another relay was active, whose subscription the row still names. */
  readonly #unwritten = new Set<string>();
  #gapsLoaded = false;

  constructor(deps: BotUpstreamDeps, botId: string) {
    this.#deps = deps;
    this.#botId = botId;
    this.coverage = new Coverage({ ...deps, botId });
  }

  /** Until the rows of an earlier life were read, nothing may be said about coverage. */
  get gapsLoaded(): boolean {
    return this.#gapsLoaded;
  }

  /** Topics that an earlier process held, or knew to be uncovered: not covered until they are confirmed anew. */
  loadGaps(bot: UpstreamBot, topics: readonly UpstreamTopic[]): void {
    if (this.#gapsLoaded) return;
    for (const topic of topics) {
      const end = endOf(bot, topic);
      if (end) this.coverage.open(topic.id, end.from, end.cause);
    }
    this.#gapsLoaded = true;
  }

  /** Another relay covers these: what is not confirmed here is not held, from the beginning on. */
  standBy(topics: readonly UpstreamTopic[]): void {
    for (const { id } of topics)
      if (!this.confirmed.has(id) && !this.coverage.isOpen(id)) this.coverage.open(id, 0, 'restart');
  }

  /** Since when everything of the topic has been held; null when it is not. */
  heldSince(topicId: string): number | null {
    if (!this.confirmed.has(topicId)) return null;
    return Math.max(0, ...this.coverage.windowsOf(topicId).map(({ to }) => to));
  }

  /** The other relay has ended, and the rows say what it covered: only what neither had is missing. */
  takeOver(bot: UpstreamBot, topics: readonly UpstreamTopic[]): void {
    const ends = new Map<string, { from: number; cause: GapCause }>();
    for (const topic of topics) {
      const end = endOf(bot, topic);
      if (end) ends.set(topic.id, end);
    }
    this.coverage.coveredByOther(ends);
    for (const [id, { from, cause }] of ends)
      if (!this.confirmed.has(id)) this.coverage.open(id, from, cause);
    for (const id of this.confirmed.keys()) this.#unwritten.add(id);
    this.#gapsLoaded = true;
  }

  /** Writes down what was confirmed while another relay was active; the subscriptions that the rows named until then. */
  async writeConfirmed(topics: readonly UpstreamTopic[]): Promise<string[]> {
    const replaced: string[] = [];
    for (const topic of topics) {
      const known = this.confirmed.get(topic.id);
      if (!known || !this.#unwritten.has(topic.id)) continue;
      const { subscriptionId } = known;
      const cost = this.#costs.get(topic.id) ?? 0;
      await this.#change(
        topic,
        'active',
        { code: null, reason: null },
        { retryAt: null, subscriptionId, cost },
      );
      this.#unwritten.delete(topic.id);
      if (topic.subscriptionId !== null && topic.subscriptionId !== subscriptionId)
        replaced.push(topic.subscriptionId);
    }
    this.#unwritten.clear();
    return replaced;
  }

  /** What the confirmed subscriptions cost together. */
  cost(): number {
    return [...this.confirmed.keys()].reduce((sum, topicId) => sum + (this.#costs.get(topicId) ?? 0), 0);
  }

  topicsOn(slot: number): string[] {
    return [...this.confirmed].filter(([, each]) => each.slot === slot).map(([topicId]) => topicId);
  }

  async confirm(
    topic: UpstreamTopic,
    slot: number,
    { createdAt, ...created }: { subscriptionId: string; cost?: number; createdAt?: number | undefined },
  ): Promise<void> {
    const at = this.#deps.clock.now();
    this.#costs.set(topic.id, created.cost ?? this.#costs.get(topic.id) ?? 0);
    const { subscriptionId } = created;
    // Memory first: a session that ends while the row is being written must find the topic among what it loses.
    this.confirmed.set(topic.id, { subscriptionId, slot, at, seenAt: at });
    // A hand-over meanwhile takes it along.
    const isStill = () => this.confirmed.get(topic.id)?.subscriptionId === subscriptionId;
    try {
      this.#deps.crash?.('subscription.before');
      await this.#change(topic, 'active', { code: null, reason: null }, { retryAt: null, ...created });
    } catch (error) {
      // What the row does not say is not believed either: the next pass creates it, and adopts what exists.
      if (isStill()) this.confirmed.delete(topic.id);
      throw error;
    }
    if (!isStill()) return;
    this.#attempts.delete(topic.id);
    // Events bear Twitch's stamps: a clock of ours that is behind must not end the gap before what was missed.
    this.coverage.close(topic.id, Math.max(at, createdAt ?? at));
  }

  /** `bot`: as it was before Twitch was asked. */
  async reject(topic: UpstreamTopic, why: { code: string; reason: string }, bot: UpstreamBot): Promise<void> {
    await this.#change(topic, 'rejected', why, { retryAt: null, subscriptionId: null }, bot);
  }

  async degrade(topic: UpstreamTopic, why: { code: string; reason: string }): Promise<void> {
    const { clock, random, timings } = this.#deps;
    const attempt = (this.#attempts.get(topic.id) ?? 0) + 1;
    this.#attempts.set(topic.id, attempt);
    await this.#change(topic, 'degraded', why, {
      retryAt: clock.now() + backOffMs(attempt, timings.backOff, random()),
    });
  }

  /** A list that was asked for at `at` has these; lists lag. */
  listed(subscriptions: readonly ActualSubscription[], at: number): void {
    const certainlyAt = at - this.#deps.timings.listLagMs;
    for (const { id, topicId, enabled } of subscriptions) {
      const known = this.confirmed.get(topicId);
      if (enabled && known?.subscriptionId === id)
        this.confirmed.set(topicId, { ...known, seenAt: Math.max(known.seenAt, certainlyAt) });
    }
  }

  /** A list lacks what was confirmed: nobody knows since when, so the gap begins where it was last known to be there. */
  missed(topicId: string): void {
    const since = this.confirmed.get(topicId)?.seenAt ?? this.#deps.clock.now();
    this.lose(topicId, since, 'upstream_reconnect');
  }

  /** A hand-over took the slot's subscriptions along: a list that lags behind it is not believed against them. */
  carriedOver(slot: number, at: number): void {
    for (const [topicId, each] of this.confirmed)
      if (each.slot === slot) this.confirmed.set(topicId, { ...each, at });
  }

  /** The topic no longer delivers since `from`. */
  lose(topicId: string, from: number, cause: GapCause): void {
    this.confirmed.delete(topicId);
    this.coverage.open(topicId, from, cause);
  }

  /** Twitch ended the subscription with this status; what that means for the wish. `bot`: as it was before that was seen. */
  async ended(topic: UpstreamTopic, status: string, bot: UpstreamBot): Promise<void> {
    const meaning = statusMeaning(status);
    if (meaning === 'session_lost') return;
    const why = { code: status, reason: `Twitch ended the subscription: ${status}` };
    await this.#change(topic, meaning, why, { subscriptionId: null }, bot);
    if (status === 'authorization_revoked') this.#deps.checkToken(this.#botId);
  }

  /**
   * Something came that nobody wanted, and was not kept. Should the wish count after all (its bot was brought in again, or
   * its service enabled, before a pass had seen that it did not), it is missing.
   */
  unwanted(subscription: SubscriptionRef, sentAt: number, receivedAt: number): void {
    const topicId = this.#topicIdOf(subscription);
    if (!this.confirmed.has(topicId)) return;
    this.coverage.open(topicId, Number.isNaN(sentAt) ? receivedAt : Math.min(sentAt, receivedAt), 'revoked');
  }

  /** Ends what `unwanted` has begun for those that are wanted and were confirmed all the time. */
  wantedAgain(topics: readonly UpstreamTopic[]): void {
    const now = this.#deps.clock.now();
    for (const { id, wanted } of topics) if (wanted && this.confirmed.has(id)) this.coverage.close(id, now);
    this.coverage.flush();
  }

  /** Not covered from this moment on; what it means for the wish is worked off by the next pass. */
  revocation(subscription: SubscriptionRef, at: number): void {
    const topicId = this.#topicIdOf(subscription);
    this.#revocations.push({ topicId, subscription, at });
    if (this.confirmed.get(topicId)?.subscriptionId === subscription.id)
      this.lose(topicId, at, revocationCause(subscription.status));
  }

  /**
   * Works off the revocations that came in; true if any changed a row. What ended for want of a grant is only lost if a
   * grant was found to work since: it is made again with that one.
   */
  async takeRevocations(bot: UpstreamBot, topics: readonly UpstreamTopic[]): Promise<boolean> {
    let changed = false;
    for (let first = this.#revocations[0]; first; first = this.#revocations[0]) {
      const { topicId: id, subscription, at } = first;
      const known = this.confirmed.get(id);
      const topic = topics.find((each) => each.id === id);
      if (topic && (!known || known.subscriptionId === subscription.id)) {
        this.lose(id, at, revocationCause(subscription.status));
        const hasNewGrant = subscription.status === 'authorization_revoked' && (bot.validatedAt ?? 0) > at;
        if (!hasNewGrant) await this.ended(topic, subscription.status, bot);
        changed = true;
      }
      this.#revocations.shift();
    }
    return changed;
  }

  /**
   * Nothing is upstream for the topic any more; true if its row is gone too. False if there is still an interest, of a
   * disabled service or made meanwhile: what that one misses is owed, so the gap stays open.
   */
  async forget(topicId: string): Promise<boolean> {
    this.#attempts.delete(topicId);
    if (await this.#deps.store.forgetTopic(topicId)) {
      this.confirmed.delete(topicId);
      this.coverage.forget(topicId);
      return true;
    }
    await this.#deps.store.updateTopic(topicId, { state: 'pending', subscriptionId: null });
    return false;
  }

  #topicIdOf({ type, version, condition }: SubscriptionRef): string {
    return topicIdOf({ provider: 'twitch', botAccountId: this.#botId, type, version, condition });
  }

  /**
   * Writes a topic's state down and tells the owners of its interests, if it changed. A verdict on the grant of `bot` is not
   * written once that one has been replaced: a new grant has made the topic due, and nobody would do so again.
   */
  async #change(
    topic: UpstreamTopic,
    state: InterestVerdict,
    why: { code: string | null; reason: string | null },
    patch: TopicPatch,
    bot?: UpstreamBot,
  ): Promise<void> {
    const { clock, observer, sink, store } = this.#deps;
    const { code, reason } = why;
    if ((await store.updateTopic(topic.id, { state, code, reason, ...patch }, bot)) === false) return;
    if (state === 'active') this.#deps.crash?.('subscription.after');
    if (topic.state === state) return;
    observer.topicState({ botId: this.#botId, topicId: topic.id, type: topic.type, state, code, reason });
    const verdict = { state, code, reason, retryAt: patch.retryAt ?? undefined };
    for (const interest of await store.interestsOf(topic.id)) {
      void sink.declare(interestEvent(interest, verdict, clock.now())).catch(() => undefined);
    }
  }
}
