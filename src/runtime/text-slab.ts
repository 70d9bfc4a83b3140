// Many texts that are kept for a while and seldom looked at, as bytes in a few large blocks: the collector neither copies them
// nor visits them. A block is freed with the last text that is in it.

/** Where a text lies. */
export interface StoredText {
  readonly block: Buffer;
  readonly from: number;
  readonly to: number;
}

export const blockBytes = 256 * 1024;
/** Larger texts have a block of their own, so that little is left over at the end of a shared one. */
const largeChars = blockBytes / 32;
/** The most that UTF-8 needs for one UTF-16 unit. */
const bytesPerChar = 3;

export class TextSlab {
  #block = Buffer.alloc(0);
  #used = 0;

  /** The same text comes back from `storedText`, unless it has half of a surrogate pair. */
  add(text: string): StoredText {
    if (text.length > largeChars) {
      const block = Buffer.from(text);
      return { block, from: 0, to: block.length };
    }
    if (this.#used + text.length * bytesPerChar > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += this.#block.write(text, from);
    return { block: this.#block, from, to: this.#used };
  }
}

export const storedText = ({ block, from, to }: StoredText): string => block.toString('utf8', from, to);
