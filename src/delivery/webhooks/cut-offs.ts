// Which signal cuts off which requests. One listener per signal, however many requests: a signal with thousands of them
// would warn of a leak, and take longer over each removal. Holds nothing of a signal that no request waits on.

export class CutOffs {
  readonly #groups = new Map<AbortSignal, { readonly all: Set<() => void>; readonly onAbort: () => void }>();

  /** Calls `cutOff` when the signal aborts, until the answered function is called. */
  add(signal: AbortSignal, cutOff: () => void): () => void {
    const { all } = this.#groups.get(signal) ?? this.#watch(signal);
    all.add(cutOff);
    return () => {
      all.delete(cutOff);
      if (all.size === 0) this.#forget(signal);
    };
  }

  /** Every request under way, whatever its signal. */
  all(): void {
    for (const { onAbort } of this.#groups.values()) onAbort();
  }

  #watch(signal: AbortSignal) {
    const all = new Set<() => void>();
    const onAbort = () => {
      for (const cutOff of all) cutOff();
    };
    const group = { all, onAbort };
    this.#groups.set(signal, group);
    signal.addEventListener('abort', onAbort);
    return group;
  }

  #forget(signal: AbortSignal): void {
    const group = this.#groups.get(signal);
    if (!group) return;
    this.#groups.delete(signal);
    signal.removeEventListener('abort', group.onAbort);
  }
}
