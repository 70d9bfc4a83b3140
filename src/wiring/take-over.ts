// A relay that stands by beside the active one: subscribes the same topics, holds what comes, and goes on where the other
// one ended. Owns the order of that; what is held is in upstream/stand-by.ts, what is repeated in upstream/overlap.ts.
import { RelayError } from '../domain/errors.ts';
import type { LogRecord } from '../domain/event.ts';
import type { EventLog } from '../log/port.ts';
import type { Logger } from '../observability/logger.ts';
import { pause, type Clock } from '../runtime/clock.ts';
import { overlap, payloadOf, stampToleranceMs, type Sighting } from '../upstream/overlap.ts';
import type { UpstreamSink } from '../upstream/port.ts';
import { StandBy, type HeldNotification } from '../upstream/stand-by.ts';
import type { UpstreamStore } from '../upstream/store-port.ts';
import type { Inherited } from '../upstream/twitch/deps.ts';
import type { TwitchUpstream, TwitchUpstreamDeps } from '../upstream/twitch/twitch-upstream.ts';
import { ownerPollMs, type Owner, type Role } from './owner.ts';

/** How often the rows are looked at anew. */
const lookEveryMs = 5_000;
/** What is not covered by then is left to a declared gap. */
const coverWithinMs = 60_000;
/** How often the active relay is asked to stop, and how long it may take. */
const askEveryMs = 2_000;
const stopWithinMs = 90_000;
/** After our own connection was lost the database was away for both: the active one is to have it first. */
const yieldMs = 3_000;
/** Records are written this much later than they were sent, at most, for the look back to find them. */
const lateRecordMs = 30_000;
const portRetryMs = 250;
const portTries = 40;
const pageSize = 1_000;
const maxPages = 250;

export interface Successor {
  readonly upstream: TwitchUpstream;
  /** Before anything else reads the log or writes to it. */
  goOn(stages: { readonly eventLog: EventLog; readonly sink: UpstreamSink }): Promise<void>;
}

/** Stands by until the database is this process's. Throws what `standByUntilActive` throws. */
export async function standBeside(
  parts: Omit<StandByParts, 'standBy' | 'upstream'> & {
    readonly store: UpstreamStore;
    readonly open: (ports: Pick<TwitchUpstreamDeps, 'store' | 'sink' | 'standingBy'>) => TwitchUpstream;
    readonly closing: (() => Promise<unknown>)[];
  },
): Promise<Successor> {
  const { store, clock, log } = parts;
  const standBy = new StandBy({ store, clock });
  const upstream = parts.open({
    store: standBy.store,
    sink: standBy.sink,
    standingBy: standBy.isStandingBy,
  });
  parts.closing.push(() => upstream.stop());
  await standByUntilActive({ ...parts, standBy, upstream });
  return { upstream, goOn: (stages) => goOn({ ...stages, standBy, upstream, store, clock, log }) };
}

/** The other one's listener may be closing yet. */
export async function whileInUse<T>(clock: Clock, begin: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await begin();
    } catch (error) {
      const isInUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isInUse || tries >= portTries) throw error;
      await pause(clock, portRetryMs);
    }
  }
}

export interface StandByParts {
  readonly role: Role;
  readonly owner: Owner;
  readonly standBy: StandBy;
  readonly upstream: Pick<TwitchUpstream, 'standBy' | 'heldSince'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Shorter where nobody wants to wait. */
  readonly lookEveryMs?: number | undefined;
}

export interface Tally {
  readonly topics: number;
  /** Held since before the active relay's last record of what it has. */
  readonly covered: number;
  /** Neither covered nor refused. */
  readonly pending: number;
}

/** Resolves when the database is this process's. Throws RelayError `stopping` or `take_over_failed`. */
export async function standByUntilActive(parts: StandByParts): Promise<void> {
  const { clock, log, owner, role, signal, standBy, upstream } = parts;
  const everyMs = parts.lookEveryMs ?? lookEveryMs;
  const startedAt = clock.now();
  log.info({ role }, 'another relay is active on this database; this one stands by');
  let lookAt = 0;
  let askAt = 0;
  let askedAt: number | undefined;
  let told = '';
  let notBefore = 0;
  for (;;) {
    if (signal.aborted) throw new RelayError('stopping', 503, 'The relay was stopped while it stood by.');
    const now = clock.now();
    try {
      if (now >= notBefore && (await owner.tryTake())) break;
      if (now >= lookAt) {
        lookAt = now + everyMs;
        await upstream.standBy();
        standBy.prune();
      }
      const { topics, covered, pending } = tally(standBy, upstream);
      const line = `stands by: ${covered} of ${topics} topics are covered`;
      if (line !== told) log.info({ covered, topics, pending, held: standBy.held.length }, (told = line));
      const mayAsk = (pending === 0 && standBy.hasLooked()) || now - startedAt >= coverWithinMs;
      if (role === 'take-over' && now >= askAt && (askedAt !== undefined || mayAsk)) {
        if (askedAt === undefined) log.info({ covered, topics }, 'the active relay is asked to stop');
        askedAt ??= now;
        askAt = now + askEveryMs;
        if (now - askedAt > stopWithinMs) throw takeOverFailed();
        await owner.ask();
      }
    } catch (error) {
      if (error instanceof RelayError) throw error;
      log.warn({ err: error }, 'the database does not answer one that stands by');
      notBefore = clock.now() + yieldMs;
    }
    await pause(clock, ownerPollMs, signal);
  }
}

const takeOverFailed = () =>
  new RelayError(
    'take_over_failed',
    503,
    `The active relay was asked to stop and has not within ${stopWithinMs / 1_000} seconds. It goes on; this one ends.`,
  );

export function tally(standBy: Pick<StandBy, 'topics'>, upstream: Pick<TwitchUpstream, 'heldSince'>): Tally {
  const topics = standBy.topics();
  let covered = 0;
  let pending = 0;
  for (const { botId, topicId, coveredUntil, refused } of topics) {
    const since = upstream.heldSince(botId, topicId);
    // Behind it by as much as stamps may differ, so that nothing is held whose twin may be older than our beginning.
    if (since !== null && since + stampToleranceMs <= (coveredUntil ?? 0)) covered++;
    else if (!refused) pending++;
  }
  return { topics: topics.length, covered, pending };
}

/** The database is ours: from what the other one has left, and what is held here, one unbroken log is made. */
export async function goOn(parts: {
  readonly standBy: StandBy;
  readonly upstream: Pick<TwitchUpstream, 'takeOver'>;
  readonly eventLog: Pick<EventLog, 'headFromDatabase' | 'readAfter'>;
  readonly sink: UpstreamSink;
  readonly store: UpstreamStore;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<void> {
  const { standBy, upstream, eventLog, sink, store, clock, log } = parts;
  const inherited = await readInherited(store, standBy);
  // What is held before this moment and what comes until the switch may both have been logged.
  const since = Math.min(clock.now(), ...standBy.held.map(({ sentAt }) => sentAt)) - 2 * stampToleranceMs;
  const records = await recordsSince(eventLog, since);
  let kept = 0;
  let repeated = 0;
  await upstream.takeOver(inherited, (missed) => {
    const { isRepeated, open } = settle({ held: standBy.held, records, inherited, missed });
    const { held } = standBy;
    standBy.switchTo({ sink, store, isRepeated: lateTwins(open), lateUntil: clock.now() + stampToleranceMs });
    for (const each of held) {
      if (isRepeated(each)) repeated++;
      else if (sink.notification(each.notification) !== 'unwanted') kept++;
    }
  });
  log.info({ appended: kept, repeated }, 'the relay has taken over what it held');
}

async function readInherited(store: UpstreamStore, standBy: StandBy): Promise<Map<string, Inherited>> {
  const inherited = new Map<string, Inherited>();
  for (const botId of await store.botIds()) {
    const bot = await store.bot(botId);
    if (!bot) continue;
    const dropped = [...standBy.dropped]
      .filter(([, each]) => each.botId === botId)
      .map(([topicId, { from, to }]) => ({ topicId, from, to }));
    inherited.set(botId, { bot, topics: await store.topics(botId), dropped });
  }
  return inherited;
}

/** Backwards from the head, page by page, until a page is older than what is looked for. */
async function recordsSince(
  eventLog: Pick<EventLog, 'headFromDatabase' | 'readAfter'>,
  since: number,
): Promise<LogRecord[]> {
  const pages: LogRecord[][] = [];
  let through = await eventLog.headFromDatabase();
  for (let count = 0; count < maxPages && through > 0; count++) {
    const after = Math.max(0, through - pageSize);
    const page = await eventLog.readAfter(after, pageSize, undefined, through);
    pages.unshift(page);
    if (page.length > 0 && page.every(({ receivedAt }) => receivedAt < since - lateRecordMs)) break;
    through = after;
  }
  return pages.flat();
}

function settle(parts: {
  readonly held: readonly HeldNotification[];
  readonly records: readonly LogRecord[];
  readonly inherited: ReadonlyMap<string, Inherited>;
  readonly missed: (botId: string, topicId: string, at: number) => boolean;
}): { isRepeated: (held: HeldNotification) => boolean; open: Map<string, readonly Sighting[]> } {
  const held = groupBy(parts.held, ({ topicId }) => topicId);
  const logged = groupBy(parts.records, ({ audience }) =>
    audience.kind === 'topic' ? audience.topicId : '',
  );
  logged.delete('');
  const open = new Map<string, readonly Sighting[]>();
  const repeated = new Set<string>();
  for (const topicId of new Set([...held.keys(), ...logged.keys()])) {
    const ofTopic = held.get(topicId) ?? [];
    const records = logged.get(topicId) ?? [];
    const botId = ofTopic[0]?.notification.botAccountId ?? records[0]?.botAccountId ?? '';
    const result = overlap({
      logged: records.map((record) => ({
        id: record.id,
        sentAt: Date.parse(record.eventTimestamp),
        payload: payloadOf(record.body),
      })),
      held: ofTopic.map(sightingOf),
      missed: (at) => parts.missed(botId, topicId, at),
      coveredUntil: coveredUntilOf(parts.inherited.get(botId), topicId),
    });
    for (const id of result.repeated) repeated.add(id);
    open.set(topicId, result.open);
  }
  return { isRepeated: ({ notification }) => repeated.has(notification.messageId), open };
}

/** What comes a moment after the switch may be the twin of a record that was read before it. */
function lateTwins(open: Map<string, readonly Sighting[]>): (late: HeldNotification) => boolean {
  return (late) => {
    const logged = open.get(late.topicId);
    if (!logged || logged.length === 0) return false;
    const one = sightingOf(late);
    const result = overlap({
      logged,
      held: [one],
      missed: () => false,
      coveredUntil: Number.NEGATIVE_INFINITY,
    });
    open.set(late.topicId, result.open);
    return result.repeated.has(one.id);
  };
}

const sightingOf = ({ notification, sentAt }: HeldNotification): Sighting => ({
  id: notification.messageId,
  sentAt,
  payload: payloadOf(notification.body),
});

function coveredUntilOf(rows: Inherited | undefined, topicId: string): number {
  const topic = rows?.topics.find(({ id }) => id === topicId);
  if (!rows || !topic || topic.subscriptionId === null) return Number.NEGATIVE_INFINITY;
  return Math.min(
    topic.gapFrom ?? Number.POSITIVE_INFINITY,
    rows.bot.coveredUntil ?? Number.NEGATIVE_INFINITY,
  );
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
