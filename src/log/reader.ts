// The one way to read the log: everybody (socket, pull, webhook) asks "what is for this filter after this position?".
// It owns no position and queues nothing.
//
// Why there is no cutover between history and live. A position is a seq: "everything up to here is done". Two sources
// can answer what comes after it: the database, which has every committed record, and the recent window, which has every
// committed record in (from, to]. Both obey the log's invariant that nothing ever appears at or before a seq that was
// visible already, and neither is read beyond the window's `to`. So the answer to "what matches in (after, through]"
// is settled once `through` has been reached, and does not depend on which source gives it. The one rule is therefore:
// if `after` is not before `from`, the window answers, else the database; `through` becomes the next `after`. A reader
// crosses from one source to the other in the middle of a stream without anybody noticing, in either direction (a slow
// one may fall out of the window again), and there is nothing to deduplicate or to hand over. For the same reason what
// was read from the database beyond what a reader could take may be kept for its next question.
import type { Selection } from '../delivery/port.ts';
import type { Filter } from '../domain/filter.ts';
import { matches } from '../domain/filter.ts';
import type { Advance, EventLog, Floors, LogReader } from './port.ts';
import type { Page } from './read-ahead.ts';
import { ReadAhead } from './read-ahead.ts';
import { EncodedRecord } from './record-encode.ts';
import type { Tail } from './tail.ts';

/**
 * Rows per statement: at least a hundred, since some of them may not match; at most five hundred. Three times that is held
 * or under way for a filter whose reader catches up, one or two megabytes, and 32 MB of them all.
 */
const aheadBounds = { minRows: 100, maxRows: 500, maxBytes: 32 * 1024 * 1024 };
/**
 * How far one statement looks for a match: with a rare topic, or for a time, it would else wade through days of log, and in
 * the embedded database nobody else is served meanwhile.
 */
const spanSeqs = 50_000;

export interface ReaderDeps {
  readonly log: Pick<EventLog, 'epoch' | 'readAfter' | 'readAt' | 'select' | 'floors'>;
  readonly tail: Pick<Tail, 'window' | 'onAdvance'>;
}

export function createReader(deps: ReaderDeps): LogReader {
  const { log, tail } = deps;
  const ahead = new ReadAhead(aheadBounds, (filter, after, rows) => fetchPage(deps, filter, after, rows));
  return {
    epoch: log.epoch,
    head: () => tail.window.to,
    floors: (): Floors => log.floors(),
    onAdvance: (listener: Advance) => tail.onAdvance(listener),
    select: (filter, selection, limit) => select(deps, filter, selection, limit),
    async at(seqs) {
      const records = await log.readAt(seqs);
      return records.map((record) => new EncodedRecord(record, log.epoch));
    },

    /**
     * At most `limit` records after `after`, in order. Synchronous from memory; a promise from the database, which rejects
     * while that is away. When it resolves, `floors` are no older than the answer: where they lie above `after`, retention
     * may have been faster than this reader.
     */
    read(after, filter, limit) {
      if (limit < 1 || after >= tail.window.to) return { records: [], through: after };
      if (after >= tail.window.from) return tail.window.read(after, filter, limit);
      return ahead.read(filter, after, limit, tail.window.from);
    },
  };
}

async function fetchPage(
  { log, tail }: ReaderDeps,
  filter: Filter,
  after: number,
  rows: number,
): Promise<Page> {
  // Taken before the statement runs: up to here everything is committed, and so the page is complete.
  const end = Math.min(tail.window.to, after + spanSeqs);
  const found = await log.readAfter(after, rows, [...filter.topics.keys()], end);
  const records = found
    .filter((record) => matches(filter, record))
    .map((record) => new EncodedRecord(record, log.epoch));
  const full = found.length === rows ? found.at(-1) : undefined;
  return { records, through: full?.seq ?? end };
}

/** Ids have an index. */
async function select(
  { log, tail }: ReaderDeps,
  filter: Filter,
  selection: Selection,
  limit: number,
): Promise<readonly number[]> {
  if (selection.ids) return log.select(filter, selection, limit);
  const found: number[] = [];
  const end = Math.min(selection.through, tail.window.to);
  // Below the lowest floor there is nothing.
  let after = Math.max(selection.after, Math.min(...Object.values(log.floors())));
  while (after < end && found.length < limit) {
    const through = Math.min(end, after + spanSeqs);
    found.push(...(await log.select(filter, { ...selection, after, through }, limit - found.length)));
    after = through;
  }
  return found;
}
