// Where a consumer begins when it connects: its stored position, the cursor it gave, or what `on_expired` says. Loss is
// declared in the log before the position moves past it. It knows rows and the log, not sockets.
import { standing } from '../../domain/cursor.ts';
import type { Cursor } from '../../domain/cursor.ts';
import type { Filter } from '../../domain/filter.ts';
import { retentionGapEvent } from '../../domain/relay-event.ts';
import type { EventFeed } from '../port.ts';
import { resumeFrom } from './connection-state.ts';
import type { GatewayDeps } from './ports.ts';

export interface ConsumerRequest {
  readonly serviceAccountId: string;
  readonly consumer: string;
  readonly types: readonly string[] | null;
  readonly onExpired: 'reject' | 'earliest' | 'live';
  /** What the client passed as `after`. */
  readonly after: Cursor | undefined;
}

export type ConsumerStart =
  | {
      readonly ok: true;
      readonly position: number;
      readonly mark: number;
      readonly attempt: number;
      readonly resumed: boolean;
      /** What retention took up to here was declared, or lies behind: the reader may pass it. */
      readonly lossKnownTo: number;
    }
  | { readonly ok: false; readonly floor: number };

type StartDeps = Pick<GatewayDeps, 'feed' | 'store' | 'clock' | 'declare'> & {
  readonly longestRetentionMs: number;
};

/**
 * Opens the consumer's row and says where to go on; a new consumer starts live, as a Twitch subscription would. With
 * `ok: false` the position is no longer there and the client wants to be told; the row is as it was. Rejects when the
 * database is away.
 */
export async function startConsumer(deps: StartDeps, request: ConsumerRequest): Promise<ConsumerStart> {
  const { feed, store } = deps;
  const { serviceAccountId, consumer: name } = request;
  const head = feed.head();
  // Judged by the row as its last connection left it: opening it overwrites how and when that ended.
  const known = await store.consumers.get(serviceAccountId, name);
  const wanted = request.after ?? { epoch: feed.epoch, seq: known?.ackedSeq ?? head };
  const filter = feed.filter(serviceAccountId, request.types);
  const floor = feed.floorFor(filter);
  const verdict = standing(wanted, { epoch: feed.epoch, floor, head: feed.head() });
  let given = request.after?.seq;
  if (verdict !== 'ok') {
    if (request.onExpired === 'reject') return { ok: false, floor };
    // The head of before the declaration: the gap is the first thing that a live reader gets. The earliest is where the
    // consumer stood, as far as anything is left: one class outlives another.
    const oldest = verdict === 'expired' ? Math.max(wanted.seq, feed.oldestFor(filter)) : floor;
    given = request.onExpired === 'earliest' ? oldest : feed.head();
    await declareLoss(deps, request, { filter, floor, lastWrittenAt: known?.updatedAt });
  }
  const opened = await store.consumers.open(serviceAccountId, name, { startSeq: head });
  const row = opened.consumer;
  const position = given ?? row.ackedSeq;
  if (position !== row.ackedSeq) await store.consumers.reset(serviceAccountId, name, position);
  const resume = opened.created
    ? { mark: position, attempt: 1 }
    : resumeFrom(row, { wasOpen: opened.wasOpen, head, position });
  return { ok: true, position, ...resume, resumed: !opened.created, lossKnownTo: floor };
}

async function declareLoss(
  deps: StartDeps,
  request: ConsumerRequest,
  at: { filter: Filter; floor: number; lastWrittenAt: number | undefined },
): Promise<void> {
  const now = deps.clock.now();
  // What is gone was in the log, unread, when the row was last written, so it is at most one retention older than that.
  // A cursor that the client brought says nothing about time.
  const from =
    request.after || at.lastWrittenAt === undefined ? 0 : at.lastWrittenAt - deps.longestRetentionMs;
  const to = request.onExpired === 'earliest' ? await firstKept(deps.feed, at, now) : now;
  const { serviceAccountId, consumer } = request;
  await deps.declare(retentionGapEvent({ serviceAccountId, consumer, from, to }, now));
}

/** When the first event was received from which on nothing is missing. */
async function firstKept(
  feed: EventFeed,
  at: { filter: Filter; floor: number },
  now: number,
): Promise<number> {
  const { records } = await feed.read(at.floor, at.filter, 1);
  return records[0]?.receivedAt ?? now;
}
