// A queue of items with a position in the log: in at the back, or by position; out at the front. It decides nothing.

export class ItemQueue<T extends { readonly seq: number }> {
  #items: T[] = [];
  /** Those before it have left and are only not cut off yet. */
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Behind everything of the same or a lower position. Only for a queue that nothing was pushed into. */
  insert(item: T): void {
    let low = this.#first;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.seq ?? Infinity) <= item.seq) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first++];
    // Cut off at half, so that each item is moved once at most.
    if (this.#first * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Takes the first one that matches out of the middle. Linear. */
  take(matches: (item: T) => boolean): T | undefined {
    const index = this.#items.findIndex((item, at) => at >= this.#first && matches(item));
    return index < 0 ? undefined : this.#items.splice(index, 1)[0];
  }
}
