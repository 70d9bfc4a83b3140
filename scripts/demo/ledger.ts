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

/** Everything that one consumer received on its sockets. */
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
  readonly delivered: { readonly 'relay.v1': number; readonly plain: number };
  readonly lost: number;
  readonly duplicated: number;
  readonly gaps: number;
  readonly reconnects: number;
}

export interface Books {
  readonly happenings: readonly Happening[];
  readonly relayV1: Inbox;
  readonly plain: Inbox;
  /** As the relay's own log has it. */
  readonly log: { readonly events: number; readonly gaps: number };
  /** Sockets that the platform welcomed beyond the first of each bot. */
  readonly reconnects: number;
}

/** Whatever is owed now counts as lost: to be called when there was time for everything to arrive. */
export function resultOf({ happenings, relayV1, plain, log, reconnects }: Books): Result {
  const owed = [relayV1, plain].map((inbox) => settle(happenings, inbox).owed.length);
  return {
    sent: happenings.length,
    logged: log.events,
    delivered: { 'relay.v1': relayV1.delivered, plain: plain.delivered },
    lost: owed.reduce((sum, count) => sum + count, 0),
    duplicated: relayV1.duplicated + plain.duplicated,
    gaps: log.gaps,
    reconnects,
  };
}
