// What a receiver's answer says: which kind of outcome a status is, and the bounded part of the body that is kept.
import type { OutcomeKind } from './outcome.ts';
import { storableText } from './redact-answer.ts';

/** Statuses that mean more than their class does. */
const statusKinds: Readonly<Record<number, OutcomeKind>> = {
  410: 'gone',
  429: 'rate_limited',
  503: 'unavailable',
};
/** By the hundreds. Interim answers (1xx) are none. */
const classKinds: Readonly<Record<number, OutcomeKind>> = {
  2: 'success',
  3: 'redirect',
  4: 'client_error',
  5: 'server_error',
};

export const kindOfStatus = (status: number): OutcomeKind =>
  statusKinds[status] ?? classKinds[Math.floor(status / 100)] ?? 'protocol_error';

/** Statuses whose Retry-After is heeded. */
export const asksToWait: ReadonlySet<number> = new Set([429, 503]);

export interface AnswerLimits {
  /** More of the body is not read. */
  readonly maxAnswerBytes: number;
  /** More of the body is not kept. */
  readonly keptAnswerBytes: number;
}

/** No server writes 64 KiB in so many pieces, unless it is to make work: each costs as much as many bytes do. */
const maxPieces = 1_024;

/** The body while it arrives. Holds the kept part and a count, however long the body is. */
export class AnswerBody {
  readonly #limits: AnswerLimits;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #bytes = 0;
  #pieces = 0;

  constructor(limits: AnswerLimits) {
    this.#limits = limits;
  }

  /** False once there is more than is to be read. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    this.#pieces += 1;
    const room = this.#limits.keptAnswerBytes - this.#keptBytes;
    if (room > 0) {
      // A copy: the chunk is a window into the much larger block that the socket read into.
      const piece = Buffer.from(chunk.subarray(0, room));
      this.#kept.push(piece);
      this.#keptBytes += piece.length;
    }
    return this.#bytes <= this.#limits.maxAnswerBytes && this.#pieces <= maxPieces;
  }

  /** What is kept, fit to be stored. `secrets` do not show in it. `whole`: the body came to its end. */
  text(secrets: readonly string[], whole: boolean): string {
    return storableText(Buffer.concat(this.#kept, this.#keptBytes), {
      cut: !whole || this.#bytes > this.#keptBytes,
      secrets,
      maxBytes: this.#limits.keptAnswerBytes,
    });
  }
}
