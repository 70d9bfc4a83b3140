// One HTTP/1.1 answer out of the bytes of a connection: heads, the body's bytes, its end. It holds no more than a head that
// is not whole yet, and reads nothing that it is not sure of. Pure; what an answer means is decided elsewhere.
import { errors } from 'undici';
import { ChunkReader } from './chunk-reader.ts';
import { framingOf, parseHead, type AnswerHead } from './answer-head.ts';

/** Told of an answer's parts in their order. `false`: nothing more is wanted of it. */
export interface AnswerSink {
  /** Interim answers as well. */
  head(head: AnswerHead): boolean;
  body(chunk: Buffer): boolean;
  end(): void;
}

/** As much as Node's own server accepts. */
export const maxHeadBytes = 16_384;

type Body = 'none' | 'length' | 'chunks' | 'until_close';

const endOfHead = Buffer.from('\r\n\r\n');
const [carriageReturn, lineFeed] = [0x0d, 0x0a];
/** Whatever else it may be, without this it is no answer. */
const beginning = 'HTTP/1.';

export class AnswerReader {
  readonly #sink: AnswerSink;
  #pending: Buffer | undefined;
  #body: Body | undefined;
  #left = 0;
  #chunks: ChunkReader | undefined;
  #isOver = false;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** The next answer begins. */
  restart(): void {
    this.#pending = undefined;
    this.#body = undefined;
    this.#chunks = undefined;
    this.#isOver = false;
  }

  /** `chunk` is not kept. Answers with the number of bytes behind the answer's end. Throws undici's errors for what is no HTTP/1.1. */
  read(chunk: Buffer): number {
    let rest = chunk;
    while (!this.#isOver && this.#body === undefined) {
      const after = this.#readHead(rest);
      if (!after) return 0;
      rest = after;
    }
    if (this.#isOver) return rest.length;
    return rest.length === 0 ? 0 : this.#readBody(rest);
  }

  /** The other side has sent its last byte. True when that ended the answer. */
  finish(): boolean {
    if (this.#isOver || this.#body !== 'until_close') return false;
    this.#end();
    return true;
  }

  /** What follows the head; undefined when there is no whole one yet. */
  #readHead(chunk: Buffer): Buffer | undefined {
    // What is pending has been looked at: a head may come a byte at a time.
    const seen = this.#pending?.length ?? 0;
    const bytes = withoutEmptyLines(this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk);
    const length = bytes.indexOf(endOfHead, Math.max(0, seen - endOfHead.length));
    if (length > maxHeadBytes || (length < 0 && bytes.length > maxHeadBytes))
      throw new errors.HeadersOverflowError();
    if (length < 0) {
      requireStart(bytes, seen);
      // A copy: the block that it was read into is used again.
      this.#pending = bytes.length > 0 ? Buffer.from(bytes) : undefined;
      return undefined;
    }
    this.#pending = undefined;
    this.#begin(parseHead(bytes.toString('latin1', 0, length)));
    return bytes.subarray(length + endOfHead.length);
  }

  #begin(head: AnswerHead): void {
    // Nobody asked for either: the one waits for a body that is there, the other speaks something else from here on.
    if (head.status === 100) throw new errors.SocketError('bad response');
    if (head.status === 101) throw new errors.SocketError('bad upgrade');
    const { body, length } = framingOf(head);
    if (!this.#sink.head(head)) {
      this.#isOver = true;
      return;
    }
    if (head.status < 200) return;
    this.#body = body;
    this.#left = length;
    if (body === 'chunks') this.#chunks = new ChunkReader((piece) => this.#pass(piece));
    if (body === 'none') this.#end();
  }

  #readBody(bytes: Buffer): number {
    if (this.#chunks) {
      const used = this.#chunks.read(bytes);
      if (used === undefined) return 0;
      if (!this.#isOver) this.#end();
      return bytes.length - used;
    }
    if (this.#body === 'until_close') {
      this.#pass(bytes);
      return 0;
    }
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= piece.length;
    if (this.#pass(piece) && this.#left === 0) this.#end();
    return bytes.length - piece.length;
  }

  #pass(piece: Buffer): boolean {
    if (!this.#sink.body(piece)) this.#isOver = true;
    return !this.#isOver;
  }

  #end(): void {
    this.#isOver = true;
    this.#sink.end();
  }
}

/** A server may send some before an answer. */
function withoutEmptyLines(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === carriageReturn || bytes[at] === lineFeed) at += 1;
  return at === 0 ? bytes : bytes.subarray(at);
}

/** At once, not at the deadline: what can never become a head. The lines before `seen` are known. */
function requireStart(bytes: Buffer, seen: number): void {
  const start = bytes.toString('latin1', 0, beginning.length);
  if (!beginning.startsWith(start)) throw new errors.HTTPParserError('not the start of an answer');
  for (let at = bytes.indexOf(lineFeed, seen); at >= 0; at = bytes.indexOf(lineFeed, at + 1))
    if (bytes[at - 1] !== carriageReturn) throw new errors.HTTPParserError('a line that ends without CR');
}
