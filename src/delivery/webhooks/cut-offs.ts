// Which signal cuts off which requests. One listener per signal, however many requests: a signal with thousands of them
// would warn of a leak, and take longer over each removal. Holds nothing of a signal that no request waits on.

/**
 * A request that waits, between those that came before and after it: a ring, whose first member is no request. Not a set: one that is
 * changed for every request leaves tables behind, among the old objects, that keep the requests which were in them.
 */
interface Waiting {
  readonly cutOff: (() => void) | undefined;
  before: Waiting;
  after: Waiting;
}

interface Group {
  readonly ring: Waiting;
  readonly onAbort: () => void;
}

export class CutOffs {
  readonly #groups = new Map<AbortSignal, Group>();

  /** Calls `cutOff` when the signal aborts, until the answered function is called. */
  add(signal: AbortSignal, cutOff: () => void): () => void {
    const { ring } = this.#groups.get(signal) ?? this.#watch(signal);
    const waiting: Waiting = { cutOff, before: ring.before, after: ring };
    ring.before.after = waiting;
    ring.before = waiting;
    return () => {
      takeOut(waiting);
      if (ring.after === ring) this.#forget(signal, ring);
    };
  }

  /** Every request under way, whatever its signal. */
  all(): void {
    for (const { onAbort } of this.#groups.values()) onAbort();
  }

  #watch(signal: AbortSignal): Group {
    const ring = emptyRing();
    const onAbort = () => {
      for (let one = ring.after; one !== ring; one = ring.after) {
        takeOut(one);
        one.cutOff?.();
      }
    };
    const group = { ring, onAbort };
    this.#groups.set(signal, group);
    signal.addEventListener('abort', onAbort);
    return group;
  }

  #forget(signal: AbortSignal, ring: Waiting): void {
    const group = this.#groups.get(signal);
    if (group?.ring !== ring) return;
    this.#groups.delete(signal);
    signal.removeEventListener('abort', group.onAbort);
  }
}

function emptyRing(): Waiting {
  const ring = { cutOff: undefined } as Waiting;
  ring.before = ring;
  ring.after = ring;
  return ring;
}

/** What is out names itself alone, and may be taken out again. */
function takeOut(waiting: Waiting): void {
  waiting.before.after = waiting.after;
  waiting.after.before = waiting.before;
  waiting.before = waiting;
  waiting.after = waiting;
}
