// Readers of one service usually stand at the same position when they are woken: the read and the joined bytes are made
// once and shared by all who ask in the same turn. It holds nothing beyond that turn, or beyond a read under way.
import type { Batch, FrameEncoding } from '../delivery/port.ts';
import type { Filter } from '../domain/filter.ts';
import type { LogReader, ReadPage } from '../log/port.ts';

interface Question {
  readonly after: number;
  readonly filter: Filter;
  readonly limit: number;
  readonly encoding: FrameEncoding;
  readonly answer: Batch;
}

export class BatchCache {
  readonly #reader: Pick<LogReader, 'read'>;
  /** In memory, for this turn; and reads under way. */
  #made = new Map<string, Batch>();
  readonly #underWay = new Map<string, Promise<Batch>>();
  /** The next reader mostly asks the same, and is answered without a key being made. */
  #last: Question | undefined;
  #clearing = false;

  constructor(reader: Pick<LogReader, 'read'>) {
    this.#reader = reader;
  }

  get(after: number, filter: Filter, limit: number, encoding: FrameEncoding): Batch | Promise<Batch> {
    const last = this.#last;
    const isSame =
      last?.after === after && last.filter === filter && last.limit === limit && last.encoding === encoding;
    if (isSame) return last.answer;
    const key = `${after}|${limit}|${encoding}|${filter.key}`;
    const known = this.#made.get(key) ?? this.#underWay.get(key);
    if (known) return known;
    const page = this.#reader.read(after, filter, limit);
    if (page instanceof Promise) {
      const answer = page.then((read) => join(read, encoding));
      this.#underWay.set(key, answer);
      const forget = () => {
        if (this.#underWay.get(key) === answer) this.#underWay.delete(key);
      };
      answer.then(forget, forget);
      return answer;
    }
    const answer = join(page, encoding);
    this.#made.set(key, answer);
    this.#last = { after, filter, limit, encoding, answer };
    this.#clearSoon();
    return answer;
  }

  /** The log went on: an answer from before would wake readers for nothing. Reads under way stay shareable. */
  clear(): void {
    this.#last = undefined;
    if (this.#made.size > 0) this.#made = new Map();
  }

  #clearSoon(): void {
    if (this.#clearing) return;
    this.#clearing = true;
    setImmediate(() => {
      this.#clearing = false;
      this.clear();
    });
  }
}

function join({ records, through }: ReadPage, encoding: FrameEncoding): Batch {
  const [first] = records;
  const bytes =
    records.length === 1 && first
      ? first.frame(encoding)
      : Buffer.concat(records.map((record) => record.frame(encoding)));
  return { records, through, bytes, seqs: records.map(({ seq }) => seq) };
}
