// The books: what happened on the platform, what each consumer got, and what is owed. It counts only what it was shown;
// nothing in it is assumed. Pure.
import { isGap } from '../../src/client/index.ts';
import type { RelayEvent } from '../../src/client/index.ts';

/** Something that happened on the platform, whether or not anybody could be told. */
export interface Happening {
  readonly type: string;
  readonly topicId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The message ids under which it was sent; empty when no subscription was alive. */
  readonly ids: readonly string[];
}

export interface Gap {
  readonly topicIds: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly cause: string;
}

export type Receipt = 'new' | 'again' | 'duplicate';

/** The two on sockets, by their protocols, and the receiver. */
export const consumerNames = ['relay.v1', 'plain', 'webhook'] as const;
export type ConsumerName = (typeof consumerNames)[number];
export type PerConsumer<T> = Readonly<Record<ConsumerName, T>>;

/** Everything that one consumer received on its sockets, or accepted. */
export class Inbox {
  readonly gaps: Gap[] = [];
  /** Times that an event came again, and was announced as such. */
  again = 0;
  /** Times that an event came again as if it were new. */
  duplicated = 0;
  readonly #ids = new Set<string>();
  #notifications = 0;

  /** Distinct events of the platform. */
  get delivered(): number {
    return this.#notifications;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  receive(event: RelayEvent, attempt: number): Receipt {
    if (this.#ids.has(event.id)) {
      if (attempt > 1) this.again += 1;
      else this.duplicated += 1;
      return attempt > 1 ? 'again' : 'duplicate';
    }
    this.#ids.add(event.id);
    if (event.provider !== 'relay') this.#notifications += 1;
    if (isGap(event)) this.gaps.push(gapOf(event.event));
    return 'new';
  }
}

const gapOf = (gap: { topic_ids: string[]; from: string; to: string; cause: string }): Gap => ({
  topicIds: gap.topic_ids,
  from: Date.parse(gap.from),
  to: Date.parse(gap.to),
  cause: gap.cause,
});

/** What the consumer did not get: told of in a gap of that topic and window, or not. */
export function settle(
  happenings: readonly Happening[],
  inbox: Inbox,
): { readonly told: readonly Happening[]; readonly owed: readonly Happening[] } {
  const missing = happenings.filter(({ ids }) => !ids.some((id) => inbox.has(id)));
  const isTold = ({ topicId, at }: Happening) =>
    inbox.gaps.some(({ topicIds, from, to }) => topicIds.includes(topicId) && from <= at && at < to);
  return { told: missing.filter(isTold), owed: missing.filter((one) => !isTold(one)) };
}

export interface Result {
  readonly sent: number;
  readonly logged: number;
  readonly delivered: PerConsumer<number>;
  /** Requests that the receiver got, whatever they were about and whatever it answered. */
  readonly webhook_attempts: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly gaps: number;
  readonly reconnects: number;
}

export interface Books {
  readonly happenings: readonly Happening[];
  readonly inboxes: PerConsumer<Inbox>;
  readonly webhookAttempts: number;
  /** As the relay's own log has it. */
  readonly log: { readonly events: number; readonly gaps: number };
  /** Sockets that the platform welcomed beyond the first of each bot. */
  readonly reconnects: number;
}

/** Whether anything has not come that nobody was told of. */
export const isOwed = (happenings: readonly Happening[], inboxes: PerConsumer<Inbox>): boolean =>
  consumerNames.some((name) => settle(happenings, inboxes[name]).owed.length > 0);

/** Whatever is owed now counts as lost: to be called when there was time for everything to arrive. */
export function resultOf({ happenings, inboxes, webhookAttempts, log, reconnects }: Books): Result {
  const sum = (of: (inbox: Inbox) => number) =>
    consumerNames.reduce((total, name) => total + of(inboxes[name]), 0);
  return {
    sent: happenings.length,
    logged: log.events,
    delivered: {
      'relay.v1': inboxes['relay.v1'].delivered,
      plain: inboxes.plain.delivered,
      webhook: inboxes.webhook.delivered,
    },
    webhook_attempts: webhookAttempts,
    lost: sum((inbox) => settle(happenings, inbox).owed.length),
    duplicated: sum((inbox) => inbox.duplicated),
    gaps: log.gaps,
    reconnects,
  };
}
