// Hands what arrives to the one loop that asks for it, in order. Its bound is the relay's window; it drops nothing itself.

export class Mailbox<T> {
  #items: T[] = [];
  #from = 0;
  #ended = false;
  #error: { readonly cause: unknown } | undefined;
  #wakeTaker: (() => void) | undefined;
  #wakeLow: (() => void) | undefined;

  get size(): number {
    return this.#items.length - this.#from;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wakeTaker?.();
  }

  /** Forgets what nobody has taken yet. */
  clear(): void {
    this.#items = [];
    this.#from = 0;
    this.#wakeLow?.();
  }

  /** Takers get what is left, then undefined, or the error if one is given. The first end counts. */
  end(error?: { readonly cause: unknown }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeTaker?.();
    this.#wakeLow?.();
  }

  /** The next item; undefined at the end. One taker at a time. */
  async take(): Promise<T | undefined> {
    while (this.size === 0) {
      if (this.#error) throw this.#error.cause;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
      this.#wakeTaker = undefined;
    }
    const item = this.#items[this.#from];
    this.#from += 1;
    if (this.#from === this.#items.length) this.clear();
    else this.#wakeLow?.();
    return item;
  }

  /** Resolves when at most `count` items wait, or at the end. */
  async atMost(count: number): Promise<void> {
    while (this.size > count && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeLow = resolve;
      });
      this.#wakeLow = undefined;
    }
  }
}
