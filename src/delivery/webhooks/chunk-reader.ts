// The chunked coding of an answer's body (RFC 9112 §7.1), byte by byte: passes on what is body and holds nothing. What chunks
// may have beside it, extensions and trailers, is passed over; how much of that there may be is counted elsewhere.
import { errors } from 'undici';

const [carriageReturn, lineFeed, semicolon, tab, blank] = [0x0d, 0x0a, 0x3b, 0x09, 0x20];
/** Enough for every size that a number holds. */
const maxDigits = 12;

type State =
  | 'size'
  | 'extension'
  | 'size_end'
  | 'data'
  | 'data_cr'
  | 'data_lf'
  | 'line'
  | 'trailer'
  | 'trailer_end'
  | 'end';

export class ChunkReader {
  readonly #pass: (piece: Buffer) => boolean;
  #state: State = 'size';
  #digits = 0;
  #left = 0;

  /** `pass`: false when nothing more is wanted. */
  constructor(pass: (piece: Buffer) => boolean) {
    this.#pass = pass;
  }

  /** How many bytes were used when the coding has ended, or nothing more is wanted; undefined: there is more to come. */
  read(bytes: Buffer): number | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#state = 'data_cr';
        if (!this.#pass(piece)) return bytes.length;
        continue;
      }
      if (this.#step(bytes[at++] ?? 0)) return at;
    }
    return undefined;
  }

  /** True at the very end. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        this.#readSize(byte);
        return false;
      case 'extension':
        if (byte === carriageReturn) this.#state = 'size_end';
        else if (byte === lineFeed) throw broken();
        return false;
      case 'size_end':
        this.#require(byte, lineFeed, this.#left === 0 ? 'line' : 'data');
        return false;
      case 'data_cr':
        this.#require(byte, carriageReturn, 'data_lf');
        return false;
      case 'data_lf':
        this.#require(byte, lineFeed, 'size');
        this.#digits = 0;
        return false;
      case 'line':
        if (byte === carriageReturn) this.#state = 'end';
        else this.#readTrailer(byte);
        return false;
      case 'trailer':
        this.#readTrailer(byte);
        return false;
      case 'trailer_end':
        this.#require(byte, lineFeed, 'line');
        return false;
      case 'end':
        if (byte !== lineFeed) throw broken();
        return true;
      case 'data':
        return false;
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = (this.#digits === 0 ? 0 : this.#left) * 16 + digit;
      this.#digits += 1;
      if (this.#digits > maxDigits) throw broken();
      return;
    }
    if (this.#digits === 0) throw broken();
    if (byte === carriageReturn) this.#state = 'size_end';
    else if (byte === semicolon || byte === tab || byte === blank) this.#state = 'extension';
    else throw broken();
  }

  /** Lines end as those of a head do: where others see no end, there is none here. */
  #readTrailer(byte: number): void {
    if (byte === lineFeed) throw broken();
    this.#state = byte === carriageReturn ? 'trailer_end' : 'trailer';
  }

  #require(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) throw broken();
    this.#state = next;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

const broken = () => new errors.HTTPParserError('a chunk that is none');
