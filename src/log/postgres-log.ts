// The log in PostgreSQL (or the embedded database, which speaks the same). It owns the tables event, log_head and
// log_floor; nothing else writes them. It never decides when to write, read or remove.
import { randomInt } from 'node:crypto';
import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import type { Selection } from '../delivery/port.ts';
import type { EventDraft, LogRecord, RetentionClass } from '../domain/event.ts';
import { retentionClasses } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';
import type { Crash } from '../runtime/crash-points.ts';
import type { AnswerLimit } from '../runtime/answer-limit.ts';
import type { AppendRow, EventRow, PageRow, PruneRow } from './log-sql.ts';
import {
  appendParameters,
  appendSql,
  floorsOf,
  pruneSql,
  readAtSql,
  readSql,
  readTopicsSql,
  recordOf,
  selectParameters,
  selectSql,
} from './log-sql.ts';
import type { Commit, EventLog, Floors, PrunableLog } from './port.ts';

/** A statement that was not answered by then counts as failed, so that a silent network cannot hold the queue for good. */
const answerWithinMs = 15_000;
const epochLength = 12;
const alphanumerics = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export interface LogDeps {
  readonly pool: Pool;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}

/**
 * Opens the log, naming it first if the database is new; safe when several processes do so at once. Rejects while the
 * database is away or not migrated.
 */
export async function openLog(deps: LogDeps): Promise<PostgresLog> {
  const { pool } = deps;
  // Whoever comes second keeps the first one's name.
  await pool.query('INSERT INTO log_head (id, epoch, seq) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING', [
    newEpoch(),
  ]);
  await pool.query(
    'INSERT INTO log_floor (class, deleted_seq) SELECT unnest($1::text[]), 0 ON CONFLICT (class) DO NOTHING',
    [retentionClasses],
  );
  const { rows } = await pool.query<{ epoch: string; seq: number }>(
    'SELECT epoch, seq::float8 AS seq FROM log_head WHERE id = 1',
  );
  const row = rows[0];
  if (!row) throw new Error('log_head has no row: it was removed while the log was being opened');
  const log = new PostgresLog(pool, row, deps.crash);
  await log.refreshFloors();
  return log;
}

const newEpoch = (): string =>
  Array.from({ length: epochLength }, () => alphanumerics.charAt(randomInt(alphanumerics.length))).join('');

/** Member by member: a spread takes several times as long. */
const recordFrom = (draft: EventDraft, seq: number): LogRecord => ({
  seq,
  id: draft.id,
  provider: draft.provider,
  type: draft.type,
  version: draft.version,
  eventTimestamp: draft.eventTimestamp,
  receivedAt: draft.receivedAt,
  botAccountId: draft.botAccountId,
  audience: draft.audience,
  body: draft.body,
});

/** The port's promises are in port.ts. */
export class PostgresLog implements EventLog, PrunableLog {
  readonly epoch: string;
  readonly #pool: Pool;
  readonly #crash: Crash | undefined;
  #head: number;
  #floors: Floors = { chat: 0, standard: 0 };
  readonly #listeners = new Set<(commit: Commit) => void>();

  constructor(pool: Pool, head: { epoch: string; seq: number }, crash?: Crash) {
    this.#pool = pool;
    this.#crash = crash;
    this.epoch = head.epoch;
    this.#head = head.seq;
  }

  head(): number {
    return this.#head;
  }

  async headFromDatabase(): Promise<number> {
    const { rows } = await this.#run<{ seq: number }>(
      'log_head',
      'SELECT seq::float8 AS seq FROM log_head WHERE id = 1',
      [],
    );
    const row = rows[0];
    if (!row) throw new Error('log_head has no row');
    this.#head = Math.max(this.#head, row.seq);
    return row.seq;
  }

  async append(drafts: readonly EventDraft[]): Promise<(LogRecord | null)[]> {
    if (drafts.length === 0) return [];
    const answer = this.#run<AppendRow>('log_append', appendSql, appendParameters(drafts));
    // Sent in this turn of the event loop; the answer cannot be read before the next one.
    if (this.#crash) setImmediate(this.#crash, 'commit.before');
    const { rows } = await answer;
    this.#crash?.('commit.after');
    const row = rows[0];
    if (!row) throw new Error('log_head has no row');
    const { base, added } = row;
    const kept = added && new Set(added);
    const answers = drafts.map((draft, index) =>
      kept && !kept.has(index + 1) ? null : recordFrom(draft, base + index + 1),
    );
    this.#head = Math.max(this.#head, base + drafts.length);
    const commit = { base, count: drafts.length, records: answers.filter((record) => record !== null) };
    for (const listener of this.#listeners) listener(commit);
    return answers;
  }

  async readAfter(
    seq: number,
    limit: number,
    topicIds?: readonly string[],
    through: number = Number.MAX_SAFE_INTEGER,
  ): Promise<LogRecord[]> {
    const { rows } = topicIds
      ? await this.#run<PageRow>('log_read_topics', readTopicsSql, [seq, through, limit, topicIds])
      : await this.#run<PageRow>('log_read', readSql, [seq, through, limit]);
    const [first] = rows;
    if (first) for (const [name, floor] of floorsOf(first)) this.#raiseFloor(name, floor);
    else await this.refreshFloors();
    return rows.map(recordOf);
  }

  async readAt(seqs: readonly number[]): Promise<LogRecord[]> {
    if (seqs.length === 0) return [];
    const { rows } = await this.#run<EventRow>('log_read_at', readAtSql, [seqs]);
    return rows.map(recordOf);
  }

  async select(filter: Filter, selection: Selection, limit: number): Promise<number[]> {
    const values = selectParameters(filter, selection, limit);
    // Without a name: one plan for all that may be asked would wade through the log for a single id.
    const { rows } = await this.#run<{ seq: number }>(undefined, selectSql, values);
    return rows.map(({ seq }) => seq);
  }

  floors(): Floors {
    return this.#floors;
  }

  async refreshFloors(): Promise<Floors> {
    const { rows } = await this.#run<{ class: string; floor: number }>(
      'log_floors',
      'SELECT class, deleted_seq::float8 AS floor FROM log_floor',
      [],
    );
    for (const { class: name, floor } of rows) this.#raiseFloor(name, floor);
    return this.#floors;
  }

  async prune(retentionClass: RetentionClass, before: number, limit: number): Promise<number> {
    const { rows } = await this.#run<PruneRow>('log_prune', pruneSql, [retentionClass, before, limit]);
    const row = rows[0];
    if (row?.floor) this.#raiseFloor(retentionClass, row.floor);
    return row?.removed ?? 0;
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Answers may arrive out of order; a floor never sinks. */
  #raiseFloor(name: string, floor: number): void {
    const known = retentionClasses.find((candidate) => candidate === name);
    if (known && floor > this.#floors[known]) this.#floors = { ...this.#floors, [known]: floor };
  }

  /** Named, each connection parses and plans the statement once. */
  #run<Row extends QueryResultRow>(
    name: string | undefined,
    text: string,
    values: unknown[],
  ): Promise<QueryResult<Row>> {
    const config: QueryConfig & AnswerLimit =
      name === undefined ? { text, values, answerWithinMs } : { name, text, values, answerWithinMs };
    return this.#pool.query<Row>(config);
  }
}
