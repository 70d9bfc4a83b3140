// Many texts that are kept for a while and seldom looked at, as bytes in blocks: the collector neither copies them nor visits
// them. A block is freed with the last text that is in it.

/** Where a text lies. */
export interface StoredText {
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;
}

/** Some twenty events. Whoever holds on to one text of a block for long holds no more than this. */
export const blockBytes = 16 * 1024;
/** A larger text has a block of its own, so that little is left over at the end of a shared one. */
const largeBytes = blockBytes / 4;

export class TextSlab {
  #block = Buffer.alloc(0);
  #used = 0;

  /** The same text comes back from `storedText`, unless it has half of a surrogate pair. */
  add(text: string): StoredText {
    const length = Buffer.byteLength(text);
    if (length > largeBytes) {
      const block = Buffer.allocUnsafeSlow(length);
      block.write(text);
      return { block, from: 0, to: length };
    }
    if (this.#used + length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += this.#block.write(text, from);
    return { block: this.#block, from, to: this.#used };
  }
}

export const storedText = ({ block, from, to }: StoredText): string => block.toString('utf8', from, to);
