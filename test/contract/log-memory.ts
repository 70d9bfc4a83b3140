// A log in memory with the port's promises, for tests of what stands on it: it can commit behind the tail's back, be away
// and refuse. The contract with the real one is test/contract/log.test.ts.
import type { Selection } from '../../src/delivery/port.ts';
import type { EventDraft, LogRecord } from '../../src/domain/event.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { matches } from '../../src/domain/filter.ts';
import type { Commit, EventLog, Floors } from '../../src/log/port.ts';

export class MemoryLog implements EventLog {
  readonly epoch = 'memory';
  readonly records: LogRecord[] = [];
  readonly batches: (readonly EventDraft[])[] = [];
  reads = 0;
  #seq = 0;
  #floors: Floors = { chat: 0, standard: 0 };
  readonly #listeners = new Set<(commit: Commit) => void>();
  /** While set, every call rejects with it. */
  away: Error | undefined;
  /** Rejects with a data error when it answers true for one of the batch. */
  refuses: (draft: EventDraft) => boolean = () => false;
  /** Held before each answer, so that a test decides when an append lands. */
  gate: Promise<void> = Promise.resolve();
  /** Appends land but their answers do not arrive. */
  loseAnswers = 0;

  head(): number {
    return this.#seq;
  }

  async headFromDatabase(): Promise<number> {
    await this.#arrive();
    return this.#seq;
  }

  async append(drafts: readonly EventDraft[]): Promise<(LogRecord | null)[]> {
    await this.gate;
    await this.#arrive();
    if (drafts.some((draft) => this.refuses(draft)))
      throw Object.assign(new Error('refused'), { code: '22021' });
    this.batches.push(drafts);
    const commit = this.commitElsewhere(drafts);
    if (this.loseAnswers > 0) {
      this.loseAnswers--;
      throw Object.assign(new Error('lost'), { code: 'ECONNRESET' });
    }
    for (const listener of this.#listeners) listener(commit);
    const added = new Map(commit.records.map((record) => [record.seq, record]));
    return drafts.map((_, index) => added.get(commit.base + index + 1) ?? null);
  }

  /** As another process would: nobody here is told. */
  commitElsewhere(drafts: readonly EventDraft[]): Commit {
    const base = this.#seq;
    const known = new Set(this.records.map((record) => record.id));
    const records: LogRecord[] = [];
    for (const [index, draft] of drafts.entries()) {
      if (known.has(draft.id)) continue;
      known.add(draft.id);
      records.push({ ...draft, seq: base + index + 1 });
    }
    this.#seq += drafts.length;
    this.records.push(...records);
    return { base, count: drafts.length, records };
  }

  async readAfter(
    seq: number,
    limit: number,
    topicIds?: readonly string[],
    through = Infinity,
  ): Promise<LogRecord[]> {
    this.reads++;
    await this.#arrive();
    const wanted = ({ audience }: LogRecord) =>
      !topicIds || audience.kind !== 'topic' || topicIds.includes(audience.topicId);
    return this.records
      .filter((record) => record.seq > seq && record.seq <= through && wanted(record))
      .slice(0, limit);
  }

  async readAt(seqs: readonly number[]): Promise<LogRecord[]> {
    await this.#arrive();
    return this.records.filter((record) => seqs.includes(record.seq));
  }

  async select(filter: Filter, selection: Selection, limit: number): Promise<number[]> {
    await this.#arrive();
    const { after, through, receivedFrom = -Infinity, receivedBefore = Infinity, ids } = selection;
    return this.records
      .filter(({ seq }) => seq > after && seq <= through)
      .filter(({ receivedAt }) => receivedAt >= receivedFrom && receivedAt < receivedBefore)
      .filter((record) => (!ids || ids.includes(record.id)) && matches(filter, record))
      .map(({ seq }) => seq)
      .slice(0, limit);
  }

  floors(): Floors {
    return this.#floors;
  }

  async refreshFloors(): Promise<Floors> {
    await this.#arrive();
    return this.#floors;
  }

  setFloors(floors: Floors): void {
    this.#floors = floors;
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #arrive(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw this.away;
  }
}

export const connectionRefused = (): Error =>
  Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
