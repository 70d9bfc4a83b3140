// Messages of a NATS server, found in the stream of bytes that its WebSocket frames carry; a frame may hold many messages, and
// a message may be spread over frames. https://docs.nats.io/reference/reference-protocols/nats-protocol

/** As much of a payload as anybody looks at. */
const lookBytes = 256;
const lineFeed = 0x0a;
const messageLetter = 'M'.charCodeAt(0);

export interface NatsEvents {
  /** `bytes` is shared and only good during the call. */
  message(bytes: Buffer, from: number, length: number): void;
  /** Any other line of the server. */
  line(text: string): void;
}

export class NatsScanner {
  readonly #events: NatsEvents;
  #skip = 0;
  #kept: Buffer | undefined;

  constructor(events: NatsEvents) {
    this.#events = events;
  }

  feed(bytes: Buffer, from: number, end: number): void {
    let [all, at, until] = [bytes, from + this.#skip, end];
    if (this.#kept) {
      all = Buffer.concat([this.#kept, bytes.subarray(from, end)]);
      [at, until] = [0, all.length];
      this.#kept = undefined;
    }
    while (at < until) {
      const size = this.#itemAt(all, at, until);
      if (size === 0) {
        this.#kept = Buffer.from(all.subarray(at, until));
        at = until;
      } else at += size;
    }
    this.#skip = at - until;
  }

  /** A line, and for MSG its payload: its whole size, or 0 when too little of it is here. */
  #itemAt(bytes: Buffer, at: number, until: number): number {
    const feed = bytes.indexOf(lineFeed, at);
    if (feed < 0 || feed >= until) return 0;
    const lineBytes = feed + 1 - at;
    if (bytes[at] !== messageLetter) {
      this.#events.line(bytes.toString('latin1', at, feed).trim());
      return lineBytes;
    }
    const line = bytes.toString('latin1', at, feed - 1);
    const length = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (until - feed - 1 < Math.min(length, lookBytes)) return 0;
    this.#events.message(bytes, feed + 1, length);
    return lineBytes + length + 2;
  }
}
