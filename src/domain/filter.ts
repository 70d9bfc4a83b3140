// Which records of the log are for a given reader. Pure; evaluated for every reader and record, so cheap.
import type { LogRecord } from './event.ts';

/** What a service wants, as its interests say it. Immutable; a change of interests makes a new one. */
export interface Filter {
  /** Readers with the same key see the same records, and may share encoded bytes. */
  readonly key: string;
  readonly serviceAccountId: string;
  /** Topic id → the log's head when the earliest interest in it was made; only later records are for this reader. */
  readonly topics: ReadonlyMap<string, number>;
  /** If set, only these types; relay.* events come regardless, since they tell about loss. */
  readonly types: ReadonlySet<string> | null;
}

export function matches(filter: Filter, record: LogRecord): boolean {
  if (filter.types && record.provider !== 'relay' && !filter.types.has(record.type)) return false;
  const audience = record.audience;
  switch (audience.kind) {
    case 'topic':
      return since(filter, audience.topicId, record.seq);
    case 'topics':
      return audience.topicIds.some((topicId) => since(filter, topicId, record.seq));
    case 'service':
      return audience.serviceAccountId === filter.serviceAccountId;
  }
}

function since(filter: Filter, topicId: string, seq: number): boolean {
  const createdSeq = filter.topics.get(topicId);
  return createdSeq !== undefined && seq > createdSeq;
}
