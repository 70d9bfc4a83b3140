// Which positions of the log are read and not yet settled: how far an endpoint's cursor may go. Pure bookkeeping; amortised
// O(1) in whatever order things settle.

export class PositionWindow {
  /** Everything up to here is begun, or is not for this reader. */
  #edge: number;
  #high: number;
  readonly #unsettled = new Set<number>();
  /** Begun positions, ascending, from the first unsettled one on; those before `#first` are only not cut off yet. */
  #begun: number[] = [];
  #first = 0;

  /** Everything up to `start` is settled. */
  constructor(start: number) {
    this.#edge = start;
    this.#high = start;
  }

  /** Positions begin in the order of the log. Throws RangeError for one that was passed already: `low` had it settled. */
  begin(seq: number): void {
    if (seq <= this.#edge) throw new RangeError(`position ${seq} was passed: the window is at ${this.#edge}`);
    this.#edge = seq;
    this.#high = seq;
    this.#begun.push(seq);
    this.#unsettled.add(seq);
  }

  /** One that is unknown, or was settled before, changes nothing. */
  settle(seq: number): void {
    if (!this.#unsettled.delete(seq)) return;
    for (let next = this.#begun[this.#first]; next !== undefined; next = this.#begun[this.#first]) {
      if (this.#unsettled.has(next)) break;
      this.#first++;
    }
    // Cut off at half, so that each position is moved once at most.
    if (this.#first * 2 < this.#begun.length) return;
    this.#begun = this.#begun.slice(this.#first);
    this.#first = 0;
  }

  /** Nothing else up to `seq` is for this reader. */
  through(seq: number): void {
    this.#edge = Math.max(this.#edge, seq);
  }

  /** Everything up to here is settled. Never goes back. */
  low(): number {
    const first = this.#begun[this.#first];
    return first === undefined ? this.#edge : first - 1;
  }

  /** The highest position begun; at first the start. */
  high(): number {
    return this.#high;
  }

  /** How many are begun and not settled. */
  get size(): number {
    return this.#unsettled.size;
  }
}
