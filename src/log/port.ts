// The log as the stages around it see it: append, read, and where it begins and ends. The promise lives here,
// the SQL in postgres-log.ts.
import type { EventDraft, LogRecord, RetentionClass } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';
import type { Selection } from '../delivery/port.ts';
import type { EncodedRecord } from './record-encode.ts';

export type Floors = Readonly<Record<RetentionClass, number>>;

/** One append that landed. It owns the numbers (base, base + count]; drafts that were in the log already leave holes. */
export interface Commit {
  readonly base: number;
  readonly count: number;
  /** What was added, in order. */
  readonly records: readonly LogRecord[];
}

/**
 * Invariant: whoever has seen a record with seq n will never see one with a smaller seq appear later. Numbers are
 * handed out while the head's row lock is held, and visibility follows commit order.
 */
export interface EventLog {
  /** Names this log in every cursor. */
  readonly epoch: string;
  /** The highest committed seq known here; 0 for an empty log. */
  head(): number;
  /** The highest committed seq, whoever committed it. Rejects while the database is away. */
  headFromDatabase(): Promise<number>;
  /**
   * Commits the drafts in one statement, in order. The answer has an entry per draft: the record, or null when its id
   * was in the log already. When this rejects, either nothing or all was committed; repeating it is safe.
   */
  append(drafts: readonly EventDraft[]): Promise<(LogRecord | null)[]>;
  /**
   * The next records after `seq` (and not after `through`), in order, at most `limit`; with `topicIds`, notifications
   * of other topics are left out. `floors` are then no older than what was read.
   */
  readAfter(seq: number, limit: number, topicIds?: readonly string[], through?: number): Promise<LogRecord[]>;
  /** The records at these positions that are there, in order. */
  readAt(seqs: readonly number[]): Promise<LogRecord[]>;
  /** Positions of what is there for the filter within the selection, in order, at most `limit`. */
  select(filter: Filter, selection: Selection, limit: number): Promise<number[]>;
  /** Per class, the seq up to which retention has removed everything, as last known here. */
  floors(): Floors;
  /** The same, asked of the database: another process may have removed records. */
  refreshFloors(): Promise<Floors>;
  /** Called for every append of this process that was acknowledged, before `append` resolves. Returns the unsubscribe. */
  onCommit(listener: (commit: Commit) => void): () => void;
}

/** What retention needs of the log. */
export interface PrunableLog {
  /**
   * Removes at most `limit` of the oldest records of the class, those received before `before` (milliseconds since
   * the epoch), and advances the class's floor in the same statement. Never takes the head's lock.
   */
  prune(retentionClass: RetentionClass, before: number, limit: number): Promise<number>;
  refreshFloors(): Promise<Floors>;
}

export interface ReadPage {
  readonly records: readonly EncodedRecord[];
  /** Nothing else up to here is for this filter: where the next read starts. */
  readonly through: number;
}

/** New records in order; null when so much was committed elsewhere that the recent window started afresh. */
export type Advance = (records: readonly EncodedRecord[] | null) => void;

/** The one reader that every consumer uses; what the fan-out stands on. */
export interface LogReader {
  readonly epoch: string;
  /** Up to here every committed record can be read. */
  head(): number;
  floors(): Floors;
  read(after: number, filter: Filter, limit: number): ReadPage | Promise<ReadPage>;
  /** The records at these positions that are still kept, in order. */
  at(seqs: readonly number[]): Promise<readonly EncodedRecord[]>;
  select(filter: Filter, selection: Selection, limit: number): Promise<readonly number[]>;
  onAdvance(listener: Advance): () => void;
}
