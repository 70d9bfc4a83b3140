// Batches of what comes one by one: one write at a time, which takes everything that has gathered meanwhile.

export class Batches<Item> {
  readonly #write: (items: Item[]) => Promise<void>;
  readonly #most: number;
  #waiting: Item[] = [];
  #writing = false;

  constructor(most: number, write: (items: Item[]) => Promise<void>) {
    this.#most = most;
    this.#write = write;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#writing) return;
    this.#writing = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#most);
      this.#waiting = this.#waiting.slice(this.#most);
      await this.#write(batch);
    }
    this.#writing = false;
  }
}
