// Keeps the recent window at the log's end: from this process's commits as they land, and from the database whenever
// something may have been committed that it was not told of. It never shows a record that is not committed.
//
// Every append owns an unbroken run of numbers (base, base + count]. If its base is where the window ends, nothing lies
// between and the records go straight in. If not, somebody else committed in between, or an append of ours landed whose
// answer was lost; then the database is read up to its head, which by the log's invariant leaves nothing behind. The
// poll finds what no commit of ours follows.
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/clock.ts';
import type { Advance, Commit, EventLog } from './port.ts';
import { RecentWindow } from './recent-window.ts';
import { EncodedRecord } from './record-encode.ts';

export interface TailOptions {
  /** How late another process's commit may be seen. */
  readonly pollMs?: number;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  /** How many of the newest seqs to load at the start, for the consumers that come back right after a restart. */
  readonly warmSeqs?: number;
}

export interface TailDeps extends TailOptions {
  readonly log: Pick<EventLog, 'epoch' | 'head' | 'headFromDatabase' | 'readAfter' | 'onCommit'>;
  readonly clock: Clock;
}

export const tailDefaults = {
  pollMs: 500,
  maxRecords: 20_000,
  maxBytes: 64 * 1024 * 1024,
  warmSeqs: 2_000,
} as const;

/** Rows per statement while catching up: about a megabyte of events. */
const pageSize = 1_000;

/** Opens the tail at the log's head. Call `run` to keep it polling; commits of this process reach it in any case. */
export async function openTail(deps: TailDeps): Promise<Tail> {
  const tail = new Tail(deps);
  await tail.catchUp();
  return tail;
}

export class Tail {
  readonly #log: TailDeps['log'];
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #maxRecords: number;
  readonly #window: RecentWindow;
  readonly #listeners = new Set<Advance>();
  #catchingUp: Promise<void> | undefined;
  #again = false;
  /** A commit of ours joined without a hole since the last poll: that says as much as a poll. */
  #proven = false;
  /** Counted for metrics. */
  readonly counts = { polls: 0, pollFailures: 0, holes: 0, restarts: 0 };

  constructor(deps: TailDeps) {
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#pollMs = deps.pollMs ?? tailDefaults.pollMs;
    this.#maxRecords = deps.maxRecords ?? tailDefaults.maxRecords;
    const warmSeqs = Math.min(deps.warmSeqs ?? tailDefaults.warmSeqs, this.#maxRecords);
    this.#window = new RecentWindow(Math.max(0, deps.log.head() - warmSeqs), {
      maxRecords: this.#maxRecords,
      maxBytes: deps.maxBytes ?? tailDefaults.maxBytes,
    });
    deps.log.onCommit((commit) => this.#committed(commit));
  }

  /** The window: everything in (from, to] can be read from it. */
  get window(): Pick<RecentWindow, 'from' | 'to' | 'size' | 'bytes' | 'read'> {
    return this.#window;
  }

  /** Called synchronously whenever `to` moved. Listeners must not throw. Returns the unsubscribe. */
  onAdvance(listener: Advance): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Polls until the signal aborts; settles when the last poll has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while ((await pause(this.#clock, this.#pollMs, signal)) === 'elapsed') {
      if (this.#proven) this.#proven = false;
      else await this.catchUp();
    }
    await this.#catchingUp;
  }

  /**
   * Reads what the database has beyond the window; on return everything committed before the call is in it, unless the
   * database is away (then the next poll tries again). Never rejects.
   */
  catchUp(): Promise<void> {
    if (this.#catchingUp) {
      this.#again = true;
      return this.#catchingUp;
    }
    this.#catchingUp = this.#readOn().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  async #readOn(): Promise<void> {
    this.counts.polls++;
    try {
      do {
        this.#again = false;
        await this.#readThrough(await this.#log.headFromDatabase());
      } while (this.#again);
    } catch {
      // The database is away, which ingest reports; the next poll or commit comes back here.
      this.counts.pollFailures++;
      this.#proven = false;
    }
  }

  async #readThrough(head: number): Promise<void> {
    if (head - this.#window.to > this.#maxRecords) {
      // The window could not hold all that anyway: readers find the older part in the database.
      this.counts.restarts++;
      this.#window.restart(head - this.#maxRecords);
      this.#tell(null);
    }
    while (this.#window.to < head) {
      const page = await this.#log.readAfter(this.#window.to, pageSize, undefined, head);
      const last = page.at(-1);
      this.#extend(
        page.map((record) => new EncodedRecord(record, this.#log.epoch)),
        page.length < pageSize || !last ? head : last.seq,
      );
    }
  }

  #committed(commit: Commit): void {
    const end = commit.base + commit.count;
    if (end <= this.#window.to) return;
    if (commit.base === this.#window.to) {
      this.#proven = true;
      this.#extend(
        commit.records.map((record) => new EncodedRecord(record, this.#log.epoch)),
        end,
      );
      return;
    }
    this.counts.holes++;
    void this.catchUp();
  }

  #extend(records: readonly EncodedRecord[], to: number): void {
    const before = this.#window.to;
    const fresh = this.#window.extend(records, to);
    if (this.#window.to > before) this.#tell(fresh);
  }

  #tell(records: readonly EncodedRecord[] | null): void {
    for (const listener of this.#listeners) listener(records);
  }
}
