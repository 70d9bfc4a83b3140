// Owns the list of subscriptions as Twitch would keep it, dead ones included. It must never decide whether one may
// be created; subscription-rules.ts does.
import type { Condition, Subscription } from './types.ts';

/** One spelling per condition: sorted keys, empty optional fields dropped. */
export function conditionKey(condition: Condition): string {
  return JSON.stringify(
    Object.entries(condition)
      .filter(([, value]) => value !== '')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export function sameThing(
  a: { type: string; version: string; condition: Condition },
  b: { type: string; version: string; condition: Condition },
): boolean {
  return (
    a.type === b.type && a.version === b.version && conditionKey(a.condition) === conditionKey(b.condition)
  );
}

export class SubscriptionStore {
  readonly #byId = new Map<string, Subscription>();
  readonly #bySession = new Map<string, Set<Subscription>>();
  readonly #touch: () => void;

  constructor(touch: () => void) {
    this.#touch = touch;
  }

  add(subscription: Subscription): Subscription {
    this.#byId.set(subscription.id, subscription);
    this.#sessionSet(subscription.sessionId).add(subscription);
    this.#touch();
    return subscription;
  }

  get(id: string): Subscription | undefined {
    return this.#byId.get(id);
  }

  delete(id: string): boolean {
    const found = this.#byId.get(id);
    if (!found) return false;
    this.#byId.delete(id);
    this.#sessionSet(found.sessionId).delete(found);
    this.#touch();
    return true;
  }

  all(): readonly Subscription[] {
    return [...this.#byId.values()];
  }

  enabledOfUser(userId: string): readonly Subscription[] {
    return this.all().filter((item) => item.userId === userId && item.status === 'enabled');
  }

  enabledOfSession(sessionId: string): readonly Subscription[] {
    return [...this.#sessionSet(sessionId)].filter((item) => item.status === 'enabled');
  }

  /** The session is over: what was enabled on it ends with this status. */
  endSession(sessionId: string, status: string, disconnectedAt: string): void {
    for (const subscription of this.enabledOfSession(sessionId)) {
      subscription.status = status;
      subscription.disconnectedAt = disconnectedAt;
    }
    this.#touch();
  }

  moveSession(fromId: string, toId: string, connectedAt: string): void {
    if (fromId === toId) return;
    for (const subscription of this.enabledOfSession(fromId)) {
      this.#sessionSet(fromId).delete(subscription);
      subscription.sessionId = toId;
      subscription.connectedAt = connectedAt;
      this.#sessionSet(toId).add(subscription);
    }
    this.#touch();
  }

  #sessionSet(sessionId: string): Set<Subscription> {
    const existing = this.#bySession.get(sessionId);
    if (existing) return existing;
    const created = new Set<Subscription>();
    this.#bySession.set(sessionId, created);
    return created;
  }
}
