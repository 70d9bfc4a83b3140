// What delivery reads from: the log's reader, each service's filter, and a wake-up when something may be there for it. It
// holds no queue and no position; a wake-up carries nothing, so a lost one costs time only.
import type { LogRecord, RetentionClass } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';
import { retentionClassOf, retentionClasses } from '../domain/event.ts';
import type { Crash } from '../runtime/crash-points.ts';
import type { Batch, EventFeed } from '../delivery/port.ts';
import type { LogReader } from '../log/port.ts';
import type { Audience } from './audience.ts';
import { BatchCache } from './batch-cache.ts';
import { WakeUps } from './wake-ups.ts';

export interface FeedDeps {
  readonly reader: LogReader;
  readonly audience: Audience;
  /** How long each class is kept. Milliseconds. */
  readonly keepMs: Readonly<Record<RetentionClass, number>>;
  /** Told when a consumer's wake-up threw; the others were still called. */
  readonly onWakeError?: (error: unknown) => void;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}

const nothing = Buffer.alloc(0);

/** The feed's promises are in delivery/port.ts. */
export function createFeed(deps: FeedDeps): EventFeed {
  const { reader, audience, keepMs } = deps;
  const wakeUps = new WakeUps(deps.onWakeError, deps.crash);
  const batches = new BatchCache(reader);

  reader.onAdvance((records) => {
    batches.clear();
    if (records) wakeConcerned(wakeUps, audience, records);
    else wakeUps.everybody();
  });
  audience.onChange((services) => wakeUps.services(services));

  /** Nobody reads on with a filter that may be out of date: an empty answer once it is not, and a wake-up to ask again. */
  const held = ({ serviceAccountId }: Filter, after: number): Promise<Batch> | undefined =>
    audience.unsettled(serviceAccountId)?.then(() => {
      wakeUps.services([serviceAccountId]);
      return { records: [], through: after, bytes: nothing, seqs: [] };
    });

  /** Up to where events of a class are gone that were for the filter, 0 if none are; undefined if it cannot contain any. */
  const lostTo = (filter: Filter, name: RetentionClass): number | undefined => {
    const since = audience.sinceOf(filter, name);
    if (since === Infinity) return undefined;
    const floor = reader.floors()[name];
    return floor > since ? floor : 0;
  };
  // Asked for every write: nothing is made for the answer.
  const floorFor = (filter: Filter): number => {
    let floor = 0;
    for (const name of retentionClasses) floor = Math.max(floor, lostTo(filter, name) ?? 0);
    return floor;
  };
  const oldestFor = (filter: Filter): number => {
    let oldest = Infinity;
    for (const name of retentionClasses) oldest = Math.min(oldest, lostTo(filter, name) ?? Infinity);
    return oldest;
  };

  return {
    epoch: reader.epoch,
    head: () => reader.head(),
    floorFor,
    oldestFor,
    retentionMsOf: (record) => keepMs[retentionClassOf(record.type)],
    filter: (serviceAccountId, types = null, via = 'websocket') =>
      audience.filter(serviceAccountId, types, via),
    at: (seqs) => reader.at(seqs),
    select: (filter, selection, limit) => reader.select(filter, selection, limit),
    read: (after, filter, limit) => held(filter, after) ?? reader.read(after, filter, limit),
    batch: (after, filter, limit, encoding) =>
      held(filter, after) ?? batches.get(after, filter, limit, encoding),
    watch: (serviceAccountId, wake) => wakeUps.add(serviceAccountId, wake),
  };
}

/** Topics first and each once: a batch has many records of few topics, and a topic may have hundreds of services. */
function wakeConcerned(wakeUps: WakeUps, audience: Audience, records: readonly LogRecord[]): void {
  const topicIds = new Set<string>();
  for (const { audience: whom } of records) {
    switch (whom.kind) {
      case 'topic':
        topicIds.add(whom.topicId);
        break;
      case 'topics':
        for (const topicId of whom.topicIds) topicIds.add(topicId);
        break;
      case 'service':
        wakeUps.services([whom.serviceAccountId]);
    }
  }
  for (const topicId of topicIds) wakeUps.services(audience.servicesOf(topicId));
}
