// Writes of one row each that come in crowds: after a restart thousands within a second. What gathers while one statement is
// under way is the next one; a lone one is written at once. It knows neither tables nor columns.
import { deferred, type Deferred } from '../runtime/deferred.ts';
import { mayBeOneRow } from './rows.ts';

/** Rows per statement: others wait for its locks, and in the embedded database for its end. */
const maxRows = 500;

interface Waiting<Row> {
  readonly row: Row;
  /** Whether there was such a row. */
  readonly written: Deferred<boolean>;
}

export class GatheredWrites<Row extends { readonly id: string }> {
  readonly #statement: (rows: readonly Row[]) => Promise<ReadonlySet<string>>;
  #waiting: Waiting<Row>[] = [];
  #writing = false;

  /** `statement` writes all of them or none, each id once, and answers the ids of those that are there. */
  constructor(statement: (rows: readonly Row[]) => Promise<ReadonlySet<string>>) {
    this.#statement = statement;
  }

  /** False when there is no such row. Rejects when it could not be written. */
  write(row: Row): Promise<boolean> {
    const written = deferred<boolean>();
    this.#waiting.push({ row, written });
    if (!this.#writing) void this.#drain();
    return written.promise;
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    // What comes in the same turn goes into one statement.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = oneOfEach(this.#waiting);
      const taken = new Set(batch);
      this.#waiting = this.#waiting.filter((each) => !taken.has(each));
      await this.#write(batch);
    }
    this.#writing = false;
  }

  async #write(batch: readonly Waiting<Row>[]): Promise<void> {
    try {
      const there = await this.#statement(batch.map(({ row }) => row));
      for (const { row, written } of batch) written.resolve(there.has(row.id));
    } catch (error) {
      // One that the database will never take must not stand in the way of the rest.
      if (batch.length > 1 && mayBeOneRow(error)) await Promise.all(batch.map((each) => this.#write([each])));
      else for (const { written } of batch) written.reject(error);
    }
  }
}

/** The first of each id, as many as go together; a later one waits for the next statement, so that it has the last word. */
function oneOfEach<Row extends { readonly id: string }>(waiting: readonly Waiting<Row>[]): Waiting<Row>[] {
  const seen = new Set<string>();
  return waiting.filter(({ row }) => seen.size < maxRows && !seen.has(row.id) && seen.add(row.id));
}
