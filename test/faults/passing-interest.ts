// One interest that comes in one round and goes in the next, each at a moment that the seed chooses, faults or not. What
// happens between the asking and the answer may go either way; from the answer on it is owed.
import type { InterestView } from '../../src/protocol/rest.ts';
import { until } from '../support/until.ts';
import type { Api } from './api.ts';
import { interestBody, type Place } from './population.ts';

/** Within the first part of a round, so that most of them meet the fault. */
const withinMs = 1_200;
const patienceMs = 40_000;

export class PassingInterest {
  readonly #api: Api;
  readonly #places: readonly Place[];
  readonly #random: () => number;
  #here: { place: Place; id: string } | undefined;
  #changing: Promise<void> = Promise.resolve();

  constructor(api: Api, places: readonly Place[], random: () => number) {
    this.#api = api;
    this.#places = places;
    this.#random = random;
  }

  /** A round begins: sooner or later in it the interest comes, or goes. */
  begin(): void {
    const delayMs = this.#random() * withinMs;
    const place = this.#places[Math.floor(this.#random() * this.#places.length)];
    if (!place) return;
    this.#changing = new Promise<void>((resolve) => setTimeout(resolve, delayMs)).then(() =>
      this.#here ? this.#go(this.#here) : this.#come(place),
    );
    // Whoever waits for it is told.
    this.#changing.catch(() => undefined);
  }

  /** Resolves when the relay has answered; rejects when it would not. */
  changed(): Promise<void> {
    return this.#changing;
  }

  async #come(place: Place): Promise<void> {
    const { service, topic, inboxes } = place;
    for (const { during } of inboxes) during.set(topic.index, []);
    const { id } = await this.#insist(() =>
      this.#api.as<InterestView>(service, 'POST', '/v1/interests', interestBody(topic)),
    );
    this.#here = { place, id };
    const span = { from: Date.now(), to: Infinity };
    for (const { during } of inboxes) during.set(topic.index, [span]);
  }

  async #go({ place, id }: { place: Place; id: string }): Promise<void> {
    for (const { during } of place.inboxes) during.set(place.topic.index, []);
    await this.#insist(async () => {
      const deleted = this.#api.as(place.service, 'DELETE', `/v1/interests/${id}`);
      // An answer that was lost: the second time there is nothing to delete.
      await deleted.catch((error: unknown) => {
        if (!(error instanceof Error && error.message.includes(' 404 '))) throw error;
      });
      return true;
    });
    this.#here = undefined;
  }

  #insist<T>(work: () => Promise<T>) {
    return until(work, { what: 'an interest to be made or deleted', timeoutMs: patienceMs });
  }
}
