// The payloads of a WebSocket server's frames as one stream of bytes, for a protocol that does not care where frames end.

const longestHead = 10;

/** `bytes` is shared and only good during the call; the part lies from `from` up to `until`. */
export type OnPart = (opcode: number, bytes: Buffer, from: number, until: number) => void;

export class WebSocketStream {
  readonly #onPart: OnPart;
  readonly #head = Buffer.alloc(longestHead);
  #headBytes = 0;
  #opcode = 0;
  /** Of the present frame's payload: bytes still to come. */
  #left = 0;

  constructor(onPart: OnPart) {
    this.#onPart = onPart;
  }

  feed(bytes: Buffer, end: number): void {
    let at = 0;
    while (at < end) {
      if (this.#left > 0) {
        const until = Math.min(end, at + this.#left);
        this.#left -= until - at;
        this.#onPart(this.#opcode, bytes, at, until);
        at = until;
      } else this.#headByte(bytes[at++] ?? 0);
    }
  }

  #headByte(byte: number): void {
    this.#head[this.#headBytes++] = byte;
    const short = (this.#head[1] ?? 0) & 0x7f;
    const wanted = this.#headBytes < 2 || short < 126 ? 2 : short === 126 ? 4 : longestHead;
    if (this.#headBytes < wanted) return;
    this.#left =
      short < 126 ? short : Number(wanted === 4 ? this.#head.readUInt16BE(2) : this.#head.readBigUInt64BE(2));
    this.#opcode = (this.#head[0] ?? 0) & 0x0f;
    this.#headBytes = 0;
  }
}
