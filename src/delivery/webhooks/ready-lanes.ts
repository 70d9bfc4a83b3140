// The lanes of one endpoint whose turn comes: groups in turn, and the lanes of a group in the order in which they became
// ready. However many lanes a replay has, what is live gets its share. It decides nothing about a lane.

interface Named {
  readonly group: string;
}

export class ReadyLanes<L extends Named> {
  /** The first one's turn is next. The only one may be empty: a map from which the last is taken for each event is made anew each time. */
  readonly #groups = new Map<string, L[]>();

  push(lane: L): void {
    const group = this.#groups.get(lane.group);
    if (group) group.push(lane);
    else this.#groups.set(lane.group, [lane]);
  }

  shift(): L | undefined {
    for (const [name, lanes] of this.#groups) {
      // Some hundreds at most: the array is moved faster than a place in it is counted.
      const lane = lanes.shift();
      if (this.#groups.size > 1) {
        this.#groups.delete(name);
        if (lanes.length > 0) this.#groups.set(name, lanes);
      }
      if (lane) return lane;
    }
    return undefined;
  }

  clear(): void {
    this.#groups.clear();
  }
}
