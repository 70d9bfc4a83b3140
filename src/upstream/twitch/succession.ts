// One bot's part in a take-over: what it holds while another relay is active, how its passes are kept still for the
// switch, and what it inherits of the other one. Calls Twitch only to remove what the other one has left behind.
import { deferred } from '../../runtime/deferred.ts';
import type { UpstreamTopic } from '../store-port.ts';
import type { Inherited } from './deps.ts';
import type { RemoveOutcome } from './subscriber.ts';
import type { TopicLedger } from './topic-ledger.ts';

export interface SuccessionDeps {
  readonly ledger: TopicLedger;
  readonly remove: (subscriptionId: string) => Promise<RemoveOutcome>;
  /** A new list is to be fetched: what is believed was learnt while somebody else could take ours away. */
  readonly onInherited: () => void;
  readonly wake: () => void;
}

export class Succession {
  readonly #deps: SuccessionDeps;
  #pausing = new AbortController();
  #paused: Promise<void> = Promise.resolve();
  #passing: Promise<unknown> = Promise.resolve();
  #inherited = false;
  /** What the rows named before the subscriptions that were taken along: left behind by the other relay, if they live. */
  #replaced: readonly string[] = [];

  constructor(deps: SuccessionDeps) {
    this.#deps = deps;
  }

  /** Runs the pass unless a pause is on, and cuts it short when one begins. */
  async run<T>(signal: AbortSignal, pass: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    await this.#paused;
    if (signal.aborted) return undefined;
    const running = pass(AbortSignal.any([signal, this.#pausing.signal]));
    this.#passing = running.catch(() => undefined);
    return running;
  }

  /** Resolves when no pass is under way, and none begins before what it answers is called. */
  async pause(): Promise<() => void> {
    const { promise, resolve } = deferred<void>();
    this.#paused = promise;
    this.#pausing.abort();
    await this.#passing;
    return () => {
      this.#pausing = new AbortController();
      resolve();
      this.#deps.wake();
    };
  }

  heldSince(topicId: string): number | null {
    return this.#deps.ledger.heldSince(topicId);
  }

  /** Held, and given up for want of room. */
  gaveUp(windows: Inherited['dropped']): void {
    for (const { topicId, from, to } of windows)
      this.#deps.ledger.coverage.missed(topicId, { from, to, cause: 'relay_overflow' });
  }

  /** Whether what was sent then may have been missed here. */
  missedAt(topicId: string, at: number): boolean {
    const windows = this.#deps.ledger.coverage.windowsOf(topicId);
    return windows.length === 0 || windows.some(({ from, to }) => from <= at && at < to);
  }

  /** The other relay has ended: what it left open is declared, what is confirmed here is written down by the next pass. */
  inherit({ bot, topics }: Inherited): void {
    this.#deps.ledger.takeOver(bot, topics);
    this.#deps.ledger.coverage.flush();
    this.#inherited = true;
    this.#deps.onInherited();
  }

  /** Whether it wrote any row. */
  async settle(topics: readonly UpstreamTopic[]): Promise<boolean> {
    if (!this.#inherited) return false;
    this.#replaced = [...this.#replaced, ...(await this.#deps.ledger.writeConfirmed(topics))];
    this.#inherited = false;
    return true;
  }

  /** The other relay's sockets have ended, but Twitch may go on believing in them, and counting them. */
  async removeReplaced(listed: readonly { readonly id: string; readonly status: string }[]): Promise<void> {
    const replaced = new Set(this.#replaced);
    this.#replaced = [];
    for (const { id, status } of listed)
      if (replaced.has(id) && status === 'enabled') await this.#deps.remove(id);
  }
}
