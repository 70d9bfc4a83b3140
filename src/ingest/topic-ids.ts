// From a notification to its topic's id without hashing each time: a subscription's notifications all have the same
// topic. A bounded memo; what it answers is always what domain/topic.ts would.
import { topicId } from '../domain/topic.ts';
import type { Notification } from '../upstream/port.ts';

/** Three sockets of 300 subscriptions for each of ten bots; beyond that the memo starts anew. */
const maxEntries = 10_000;

type Subscribed = Pick<
  Notification,
  'provider' | 'botAccountId' | 'subscriptionId' | 'type' | 'version' | 'condition'
>;

export class TopicIds {
  readonly #known = new Map<string, string>();
  /** By the condition: those that read frames read a subscription once, and hand on the same object each time. */
  readonly #last = new WeakMap<Subscribed['condition'], { readonly of: Subscribed; readonly id: string }>();

  of(notification: Subscribed): string {
    const last = this.#last.get(notification.condition);
    if (last && isSame(last.of, notification)) return last.id;
    const id = this.#byText(notification);
    const { provider, botAccountId, subscriptionId, type, version, condition } = notification;
    this.#last.set(condition, {
      of: { provider, botAccountId, subscriptionId, type, version, condition },
      id,
    });
    return id;
  }

  #byText(notification: Subscribed): string {
    const { provider, botAccountId, subscriptionId, type, version, condition } = notification;
    // Everything that the id depends on is in the key, so that a subscription id that is used again cannot mislead.
    const key = JSON.stringify([subscriptionId, provider, botAccountId, type, version, condition]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = topicId({ provider, botAccountId, type, version, condition });
    if (this.#known.size >= maxEntries) this.#known.clear();
    this.#known.set(key, id);
    return id;
  }
}

/** With the same condition, which is not to be changed by anybody. */
const isSame = (a: Subscribed, b: Subscribed): boolean =>
  a.subscriptionId === b.subscriptionId &&
  a.botAccountId === b.botAccountId &&
  a.type === b.type &&
  a.version === b.version &&
  a.provider === b.provider;
