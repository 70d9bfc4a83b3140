// Carries out one topic's create or remove against Helix, through every answer that Helix can give (verdict.ts), and
// tells the outcome. Creates of one pass may be under way side by side; nothing here writes a row.
import type { ActualSubscription } from '../../domain/plan.ts';
import { canonicalCondition, topicId } from '../../domain/topic.ts';
import { pause, type Clock } from '../../runtime/clock.ts';
import type { UpstreamTopic } from '../store-port.ts';
import type { Helix, HelixSubscription } from './helix.ts';
import { createPacer, isJoin } from './pacing.ts';
import type { Slot } from './slot.ts';
import type { Timings } from './timings.ts';
import type { TokenKeeper, TokenOutcome } from './token-keeper.ts';
import { createVerdict, removeVerdict, type CreateVerdict } from './verdict.ts';

export type CreateOutcome =
  | {
      readonly kind: 'confirmed';
      readonly subscriptionId: string;
      readonly cost: number;
      /** When it was created just now, by Twitch's clock. */
      readonly createdAt?: number | undefined;
    }
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }
  | { readonly kind: 'retry_later'; readonly code: string; readonly reason: string }
  /** The session ended under way, or Twitch says it did: nothing is known, plan again on the next one. */
  | { readonly kind: 'session_gone' }
  /** Left as it is, since nothing else is to be sent in this pass. */
  | { readonly kind: 'put_off' }
  /** Nothing at all may be sent before `until`. */
  | { readonly kind: 'wait'; readonly until: number }
  /** The bot's grant is gone. */
  | { readonly kind: 'reauth' };

/** `refused`: this one is still there. `no_use`: it may be, and no other call would fare better right now. */
export type RemoveOutcome = 'gone' | 'refused' | 'no_use';

export type ListResult =
  | { readonly ok: true; readonly subscriptions: readonly HelixSubscription[] }
  | { readonly ok: false; readonly status: number; readonly reason: string };

export interface SubscriberDeps {
  readonly botId: string;
  readonly helix: Helix;
  readonly keeper: TokenKeeper;
  readonly clock: Clock;
  readonly timings: Timings;
  /** True while another relay is active: nothing is removed so that a create may succeed. */
  readonly standingBy?: (() => boolean) | undefined;
}

/** What the creates of one pass have in common. */
export interface CreatePass {
  /** The ids of every session of ours. */
  readonly ours: () => ReadonlySet<string>;
  /** Nobody waits for an answer any more. */
  readonly signal: AbortSignal;
  /** Nothing further is to be sent, by none of them; what is answered still counts. Aborts with `signal` at the latest. */
  readonly enough: AbortSignal;
  /** Asked for by the first of them; whoever has it renewed does so for all. */
  token?: Promise<TokenOutcome>;
}

/** A create takes at most: refresh, conflict, zombies, and a repeat after each. */
const maxSteps = 8;

/** What is not settled by the answer, but by further calls. */
const asksForMore: ReadonlySet<CreateVerdict['do']> = new Set([
  'refresh_token',
  'resolve_conflict',
  'clear_zombies',
]);

export class Subscriber {
  readonly #deps: SubscriberDeps;
  readonly #pacer;
  /** While another relay is active most joins are left to that one. */
  readonly #gentlePacer;

  constructor(deps: SubscriberDeps) {
    this.#deps = deps;
    const { joinsPerWindow, joinWindowMs: windowMs } = deps.timings;
    this.#pacer = createPacer({ perWindow: joinsPerWindow, windowMs });
    this.#gentlePacer = createPacer({ perWindow: Math.ceil(joinsPerWindow / 4), windowMs });
  }

  async list(): Promise<ListResult> {
    const { botId, helix, keeper } = this.#deps;
    const token = await keeper.usable(botId);
    if (token.kind !== 'token') return { ok: false, status: 401, reason: token.reason };
    let outcome = await helix.list(token.accessToken);
    if (!outcome.ok && outcome.answer.status === 401) {
      const renewed = await keeper.renew(botId, token.accessToken);
      if (renewed.kind !== 'token') return { ok: false, status: 401, reason: renewed.reason };
      outcome = await helix.list(renewed.accessToken);
    }
    if (!outcome.ok) return { ok: false, status: outcome.answer.status, reason: outcome.answer.message };
    return { ok: true, subscriptions: outcome.subscriptions.filter((each) => each.method === 'websocket') };
  }

  async create(topic: UpstreamTopic, slot: Slot, pass: CreatePass): Promise<CreateOutcome> {
    const { botId, helix, keeper, clock } = this.#deps;
    const { ours, signal, enough } = pass;
    const generation = slot.generation;
    const gentle = this.#deps.standingBy?.() ?? false;
    const done = { refreshed: false, conflict: gentle, zombies: gentle };
    const token = await (pass.token ??= keeper.usable(botId));
    if (token.kind !== 'token') return tokenTrouble(token);
    let { accessToken } = token;
    for (let steps = 0; steps < maxSteps; steps++) {
      const place = isJoin(topic.type) ? this.#reserveJoin(gentle) : undefined;
      if (place) await pause(clock, place.waitMs, enough);
      const { sessionId } = slot;
      const isGone = sessionId === null || slot.generation !== generation;
      place?.settle(!isGone && !enough.aborted);
      if (isGone) return { kind: 'session_gone' };
      if (enough.aborted) return { kind: 'put_off' };
      const answer = await helix.create(accessToken, {
        type: topic.type,
        version: topic.version,
        condition: topic.condition,
        sessionId,
      });
      if (signal.aborted || slot.generation !== generation || !slot.live) return { kind: 'session_gone' };
      const verdict = createVerdict(answer, { now: clock.now(), refreshed: done.refreshed });
      if (enough.aborted && asksForMore.has(verdict.do)) return { kind: 'put_off' };
      if (verdict.do === 'refresh_token') {
        done.refreshed = true;
        pass.token = keeper.renew(botId, accessToken);
        const renewed = await pass.token;
        if (renewed.kind !== 'token') return tokenTrouble(renewed);
        ({ accessToken } = renewed);
      } else if (verdict.do === 'resolve_conflict' && !done.conflict) {
        done.conflict = true;
        const adopted = await this.#resolveConflict(accessToken, topic, verdict.existingId, slot);
        if (adopted) return adopted;
      } else if (verdict.do === 'clear_zombies' && !done.zombies) {
        done.zombies = true;
        await this.#clearZombies(accessToken, ours);
      } else {
        return final(verdict, slot, generation);
      }
    }
    return { kind: 'retry_later', code: 'unsettled', reason: 'Twitch kept changing its answer' };
  }

  /**
   * A place, which counts for both paces, and how long to wait for it. `settle` tells whether it is used, and counts it as of
   * now: a timer may be late, and the next places are reckoned from when this one really went.
   */
  #reserveJoin(gentle: boolean): { readonly waitMs: number; settle(isUsed: boolean): void } {
    const { clock } = this.#deps;
    const now = clock.now();
    const [mine, other] = gentle ? [this.#gentlePacer, this.#pacer] : [this.#pacer, this.#gentlePacer];
    const waitMs = mine.reserve(now);
    other.joined(now + waitMs);
    const settle = (isUsed: boolean): void => {
      for (const pacer of [mine, other]) {
        pacer.free(now + waitMs);
        if (isUsed) pacer.joined(clock.now());
      }
    };
    return { waitMs, settle };
  }

  async remove(subscriptionId: string): Promise<RemoveOutcome> {
    const { botId, helix, keeper, clock } = this.#deps;
    const token = await keeper.usable(botId);
    if (token.kind !== 'token') return 'no_use';
    let answer = await helix.remove(token.accessToken, subscriptionId);
    let verdict = removeVerdict(answer, { now: clock.now(), refreshed: false });
    if (verdict === 'refresh_token') {
      const renewed = await keeper.renew(botId, token.accessToken);
      if (renewed.kind !== 'token') return 'no_use';
      answer = await helix.remove(renewed.accessToken, subscriptionId);
      verdict = removeVerdict(answer, { now: clock.now(), refreshed: true });
    }
    if (verdict === 'gone') return 'gone';
    return answer.status === 0 || answer.status === 429 ? 'no_use' : 'refused';
  }

  /** The list as the plan wants it: each subscription under the topic that it would be. */
  toActual(subscriptions: readonly HelixSubscription[]): ActualSubscription[] {
    const { botId } = this.#deps;
    return subscriptions.map((each) => ({
      id: each.id,
      topicId: topicId({
        provider: 'twitch',
        botAccountId: botId,
        type: each.type,
        version: each.version,
        condition: canonicalCondition(each.condition),
      }),
      enabled: each.status === 'enabled',
      status: each.status,
      sessionId: each.sessionId,
    }));
  }

  /**
   * The existing one, if it is on this very session; otherwise it is removed, so that the next create can succeed. One
   * on another socket of ours would be confirmed on the wrong one, and its loss would go unnoticed.
   */
  async #resolveConflict(
    accessToken: string,
    topic: UpstreamTopic,
    existingId: string | null,
    slot: Slot,
  ): Promise<CreateOutcome | undefined> {
    const { helix } = this.#deps;
    const listing = await helix.list(accessToken);
    if (!listing.ok)
      return {
        kind: 'retry_later',
        code: 'conflict',
        reason: 'it exists already, and Twitch would not say where',
      };
    const actual = this.toActual(listing.subscriptions);
    const same = actual.filter((each) => each.topicId === topic.id || each.id === existingId);
    const alive = same.find(
      (each) => each.enabled && each.sessionId !== null && slot.ids.has(each.sessionId),
    );
    if (alive) {
      const cost = listing.subscriptions.find((each) => each.id === alive.id)?.cost ?? 0;
      return { kind: 'confirmed', subscriptionId: alive.id, cost };
    }
    const ids = new Set(same.map((each) => each.id));
    if (existingId !== null) ids.add(existingId);
    for (const id of ids) await helix.remove(accessToken, id);
    return undefined;
  }

  /** Sockets of an earlier life hold the three places: everything of this user that is not on a session of ours goes. */
  async #clearZombies(accessToken: string, ours: () => ReadonlySet<string>): Promise<void> {
    const { helix } = this.#deps;
    const listing = await helix.list(accessToken);
    if (!listing.ok) return;
    for (const each of listing.subscriptions) {
      // Asked anew each time: a hand-over may have brought a new id meanwhile.
      const foreign = each.method === 'websocket' && each.sessionId !== null && !ours().has(each.sessionId);
      if (foreign && each.status === 'enabled') await helix.remove(accessToken, each.id);
    }
  }
}

function tokenTrouble(token: { kind: 'reauth' | 'later'; reason: string }): CreateOutcome {
  return token.kind === 'reauth'
    ? { kind: 'reauth' }
    : { kind: 'retry_later', code: 'token_unavailable', reason: token.reason };
}

function final(verdict: CreateVerdict, slot: Slot, generation: number): CreateOutcome {
  switch (verdict.do) {
    case 'confirm':
      return {
        kind: 'confirmed',
        subscriptionId: verdict.subscriptionId,
        cost: verdict.cost,
        createdAt: verdict.createdAt,
      };
    case 'reject':
      return { kind: 'rejected', code: verdict.code, reason: verdict.reason };
    case 'retry_later':
      return { kind: 'retry_later', code: verdict.code, reason: verdict.reason };
    case 'wait':
      return { kind: 'wait', until: verdict.until };
    case 'abandon_session':
      slot.abandon(generation);
      return { kind: 'session_gone' };
    case 'resolve_conflict':
      return {
        kind: 'retry_later',
        code: 'conflict',
        reason: 'it still exists on a session that is not ours',
      };
    case 'clear_zombies':
      return {
        kind: 'retry_later',
        code: 'transports_limit',
        reason: 'Twitch still counts sockets of an earlier session',
      };
    case 'refresh_token':
      return { kind: 'retry_later', code: 'unauthorized', reason: 'Twitch does not accept the token' };
  }
}
