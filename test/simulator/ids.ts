// Owns randomness and the look of identifiers: seeded, so a failing run can be repeated. It must never be used for
// anything that has to be hard to guess.
import { randomInt } from 'node:crypto';

const HEX = '0123456789abcdef';
const ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyz0123456789';

export class Ids {
  #state: number;
  #numericId = 100_000_000;

  constructor(seed: number = randomInt(2 ** 32)) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1); mulberry32, which is plenty for test data. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  #letters(alphabet: string, length: number): string {
    let text = '';
    for (let i = 0; i < length; i++) text += alphabet.charAt(Math.floor(this.random() * alphabet.length));
    return text;
  }

  uuid(): string {
    const hex = this.#letters(HEX, 30);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
  }

  token(length = 30): string {
    return this.#letters(ALPHANUMERIC, length);
  }

  sessionId(): string {
    return `AgoQ${this.token(20)}EgZjZWxsLWM`;
  }

  userId(): string {
    this.#numericId += 1 + Math.floor(this.random() * 97);
    return String(this.#numericId);
  }

  /** RFC 3339 with nanoseconds, the way Twitch stamps everything. The low six digits are made up. */
  timestamp(atMs: number): string {
    const fraction = String(Math.floor(this.random() * 1_000_000)).padStart(6, '0');
    return `${new Date(atMs).toISOString().slice(0, -1)}${fraction}Z`;
  }
}
