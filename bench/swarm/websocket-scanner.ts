// Frames of a WebSocket server, found in what a socket read, without copying them: the generator must not be what is measured.
// It looks at each frame's head and the first bytes of its payload, and never at the rest.

/** As much of a payload as anybody looks at. */
const lookBytes = 256;
const longestHead = 10;

/** https://www.rfc-editor.org/rfc/rfc6455#section-11.8 */
export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** `bytes` is shared and only good during the call; the payload lies at `from` and has `length` bytes. */
export type OnFrame = (opcode: number, bytes: Buffer, from: number, length: number) => void;

export class WebSocketScanner {
  readonly #onFrame: OnFrame;
  /** Of a frame that was told: bytes still to come. */
  #skip = 0;
  /** The beginning of a frame that cannot be told yet. */
  #kept: Buffer | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** What a socket read: `bytes` up to `end`. */
  feed(bytes: Buffer, end: number): void {
    let at = this.#skip;
    if (this.#kept) {
      const before = this.#kept.length;
      const head = Buffer.concat([this.#kept, bytes.subarray(0, Math.min(end, lookBytes + longestHead))]);
      const size = this.#frameAt(head, 0, head.length);
      this.#kept = size === 0 ? head : undefined;
      if (size === 0) return;
      at = size - before;
    }
    while (at < end) {
      const size = this.#frameAt(bytes, at, end);
      if (size === 0) {
        this.#kept = Buffer.from(bytes.subarray(at, end));
        at = end;
      } else at += size;
    }
    this.#skip = at - end;
  }

  /** Tells of the frame that begins there; its whole size, or 0 when too little of it is here. */
  #frameAt(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return 0;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : longestHead;
    if (end - at < headBytes) return 0;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    const from = at + headBytes;
    if (end - from < Math.min(length, lookBytes)) return 0;
    this.#onFrame((bytes[at] ?? 0) & 0x0f, bytes, from, length);
    return headBytes + length;
  }
}

/** A frame from a client. The mask is zero, which every server has to take: nothing is hidden from a proxy here. */
export function clientFrame(opcode: number, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload);
  const head = body.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = 0x80 | opcode;
  if (body.length < 126) head[1] = 0x80 | body.length;
  else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(body.length, 2);
  }
  return Buffer.concat([head, body]);
}
