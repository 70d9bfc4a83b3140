// Taking a bot out, step by step: its owners are told, its subscriptions and its grant given back, its row deleted. Each
// step may be done twice without harm, so that a stop anywhere goes on at the next start. It opens nothing.
import { interestEvent } from '../../domain/relay-event.ts';
import type { RemovalStep } from '../observer.ts';
import type { UpstreamBot, UpstreamInterest } from '../store-port.ts';
import type { BotUpstreamDeps } from './deps.ts';
import type { RemoveOutcome } from './subscriber.ts';
import { isUnreadable } from './token-keeper.ts';

export interface BotRemovalDeps extends Pick<
  BotUpstreamDeps,
  'clock' | 'crash' | 'keeper' | 'observer' | 'sink' | 'store'
> {
  readonly botId: string;
  readonly remove: (subscriptionId: string) => Promise<RemoveOutcome>;
  /** Resolves when no socket of the bot is open. */
  readonly closeSockets: () => Promise<void>;
}

/** `kept`: it was brought in again meanwhile and is a bot like any other. `later`: Twitch has to be asked again. */
export type RemovalOutcome = 'gone' | 'kept' | 'later';

const revokedVerdict = {
  state: 'revoked',
  code: 'bot_removed',
  reason: 'the bot account was removed from the relay; make the interest again for another bot',
} as const;

/** After so many it goes on without: their sockets are closed, and giving the grant back ends what is left. */
const maxRefusals = 5;

export class BotRemoval {
  readonly #deps: BotRemovalDeps;
  readonly #told = new Set<RemovalStep>();
  /** Passes in a row in which Twitch refused to delete one. */
  #refusals = 0;

  constructor(deps: BotRemovalDeps) {
    this.#deps = deps;
  }

  /** Goes as far as it can; rejects when the database is away. */
  async pass(bot: UpstreamBot, signal: AbortSignal): Promise<RemovalOutcome> {
    const { botId, closeSockets, keeper, store } = this.#deps;
    const dismissed = await this.#dismissOwners(signal);
    if (dismissed !== 'done') return dismissed;
    this.#tell('owners_told', true);
    // With the grant gone Twitch has ended the subscriptions itself, and would not listen to us.
    const clean = bot.state === 'reauth_required' || (await this.#removeSubscriptions(signal));
    this.#tell('subscriptions_removed', clean);
    await closeSockets();
    if (!clean) return 'later';
    if (bot.state === 'ok') {
      const revoked = await keeper.revoke(botId, () => this.#isStillToGo());
      if (revoked === 'not_any_more') return this.#keep();
      this.#tell('grant_revoked', revoked === 'gone');
      if (revoked === 'later') return 'later';
    }
    // An interest that was made while this went on.
    const dismissedLate = await this.#dismissOwners(signal);
    if (dismissedLate !== 'done') return dismissedLate;
    if (!(await store.forgetBot(botId))) return (await store.bot(botId)) ? this.#keep() : 'gone';
    this.#tell('forgotten', true);
    return 'gone';
  }

  /** Interests go only when what their owners are told about it is durable. `later`: the relay is stopping. */
  async #dismissOwners(signal: AbortSignal): Promise<'done' | 'kept' | 'later'> {
    const { botId, clock, sink, store } = this.#deps;
    for (;;) {
      const interests = await store.interestsOfBot(botId);
      if (signal.aborted) return 'later';
      if (interests.length === 0) return 'done';
      if (!(await this.#isStillToGo())) return this.#keep();
      const told = interests.map((interest) => sink.declare(removedEvent(interest, clock.now())));
      if (!(await unlessAborted(Promise.all(told), signal))) return 'later';
      await store.removeInterests(
        botId,
        interests.map(({ id }) => id),
      );
    }
  }

  async #removeSubscriptions(signal: AbortSignal): Promise<boolean> {
    const { botId, observer, store } = this.#deps;
    let refused = false;
    for (const { id, subscriptionId } of await store.topics(botId)) {
      if (subscriptionId === null) continue;
      if (signal.aborted) return false;
      const outcome = await this.#remove(subscriptionId);
      if (outcome === 'no_token') return true;
      if (outcome === 'no_use') return this.#grantIsGone();
      if (outcome === 'refused') {
        refused = true;
        continue;
      }
      observer.subscriptionRemoved({ botId, subscriptionId });
      // Should the bot be brought in again, nobody may take it for covered.
      await store.updateTopic(id, { state: 'pending', subscriptionId: null });
    }
    this.#refusals = refused ? this.#refusals + 1 : 0;
    return !refused || this.#refusals > maxRefusals;
  }

  async #remove(subscriptionId: string): Promise<RemoveOutcome | 'no_token'> {
    try {
      return await this.#deps.remove(subscriptionId);
    } catch (error) {
      if (isUnreadable(error)) return 'no_token';
      throw error;
    }
  }

  /** Nobody listens to a dead token, and what it had is gone with it. */
  async #grantIsGone(): Promise<boolean> {
    const { botId, store } = this.#deps;
    return (await store.bot(botId))?.state === 'reauth_required';
  }

  async #isStillToGo(): Promise<boolean> {
    const { botId, store } = this.#deps;
    return typeof (await store.bot(botId))?.removedAt === 'number';
  }

  #keep(): 'kept' {
    this.#told.clear();
    return 'kept';
  }

  #tell(step: RemovalStep, done: boolean): void {
    if (done && this.#told.has(step)) return;
    if (done) this.#told.add(step);
    this.#deps.observer.botRemoval({ botId: this.#deps.botId, step, done });
    if (done) this.#deps.crash?.(`removal.${step}`);
  }
}

/** Told again after a crash it has the same id, and the log keeps one. */
const removedEvent = (interest: UpstreamInterest, at: number) => ({
  ...interestEvent(interest, revokedVerdict, at),
  id: `relay-removed-${interest.id}`,
});

/** False as soon as the signal aborts: with the database away the work is done only later, and a stop cannot wait. */
async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  let onAbort = () => undefined as void;
  const aborted = new Promise<false>((resolve) => {
    onAbort = () => resolve(false);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) resolve(false);
  });
  try {
    return await Promise.race([work.then(() => true), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
