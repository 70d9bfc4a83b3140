// Owns the list of subscriptions as Twitch would keep it, dead ones included. It must never decide whether one may
// be created; subscription-rules.ts does.
import type { Condition, Subscription } from './types.ts';

interface Thing {
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
}

/** One spelling per wish: the condition's keys sorted, its empty optional fields dropped. */
function thingKey({ type, version, condition }: Thing): string {
  const given = Object.entries(condition).filter(([, value]) => value !== '');
  return JSON.stringify([type, version, given.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

export class SubscriptionStore {
  readonly #byId = new Map<string, Subscription>();
  readonly #bySession = new Map<string, Set<Subscription>>();
  readonly #byUser = new Map<string, Set<Subscription>>();
  readonly #byThing = new Map<string, Set<Subscription>>();
  readonly #touch: () => void;

  constructor(touch: () => void) {
    this.#touch = touch;
  }

  add(subscription: Subscription): Subscription {
    this.#byId.set(subscription.id, subscription);
    setIn(this.#bySession, subscription.sessionId).add(subscription);
    setIn(this.#byUser, subscription.userId).add(subscription);
    setIn(this.#byThing, thingKey(subscription)).add(subscription);
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
    setIn(this.#bySession, found.sessionId).delete(found);
    setIn(this.#byUser, found.userId).delete(found);
    setIn(this.#byThing, thingKey(found)).delete(found);
    this.#touch();
    return true;
  }

  all(): readonly Subscription[] {
    return [...this.#byId.values()];
  }

  /** Dead ones too. */
  ofUser(userId: string): readonly Subscription[] {
    return [...setIn(this.#byUser, userId)];
  }

  enabledOfUser(userId: string): readonly Subscription[] {
    return this.ofUser(userId).filter((item) => item.status === 'enabled');
  }

  enabledOfSession(sessionId: string): readonly Subscription[] {
    return [...setIn(this.#bySession, sessionId)].filter((item) => item.status === 'enabled');
  }

  /** Of all users, with this type, version and condition. */
  enabledLike(wanted: Thing): readonly Subscription[] {
    return [...setIn(this.#byThing, thingKey(wanted))].filter((item) => item.status === 'enabled');
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
      setIn(this.#bySession, fromId).delete(subscription);
      subscription.sessionId = toId;
      subscription.connectedAt = connectedAt;
      setIn(this.#bySession, toId).add(subscription);
    }
    this.#touch();
  }
}

function setIn(sets: Map<string, Set<Subscription>>, key: string): Set<Subscription> {
  const existing = sets.get(key);
  if (existing) return existing;
  const created = new Set<Subscription>();
  sets.set(key, created);
  return created;
}
