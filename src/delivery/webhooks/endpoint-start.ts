// Where an endpoint goes on: opens its row and reads what it owes, again and again while the database is away. Nothing may
// be sent before it has succeeded.
import { backOffMs } from '../../domain/back-off.ts';
import { pause } from '../../runtime/clock.ts';
import type { WebhookContext } from './context.ts';
import { laneNameOf } from './delivery-book.ts';
import type { BlockKey } from './lanes.ts';
import type { DueRun, EndpointRow, OpenedEndpoint } from './ports.ts';

const retryShape = { firstMs: 500, maxMs: 10_000 };

export interface EndpointStart extends OpenedEndpoint {
  /** Positions behind the cursor that the retry set owes: not to be sent from the log. */
  readonly parked: readonly number[];
  readonly blocks: readonly { readonly lane: string; readonly key: BlockKey; readonly until: number }[];
  readonly due: readonly DueRun[];
}

type StartContext = Pick<WebhookContext, 'rows' | 'feed' | 'clock' | 'positions' | 'observer' | 'laneNames'>;

/** Undefined when the endpoint is gone, or the signal has aborted. Never rejects. */
export async function openEndpoint(
  context: StartContext,
  row: EndpointRow,
  signal: AbortSignal,
): Promise<EndpointStart | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await open(context, row);
    } catch (error) {
      context.observer.failed?.('open', error);
      await pause(context.clock, backOffMs(attempt, retryShape, 1), signal);
    }
  }
  return undefined;
}

async function open(context: StartContext, row: EndpointRow): Promise<EndpointStart | undefined> {
  const { id: endpointId } = row;
  const { rows, feed, positions } = context;
  // What an earlier run of this endpoint still has to save must not land after this one has begun.
  await positions.flush();
  const opened = await rows.open(endpointId, feed.head());
  if (!opened) return undefined;
  const parked = await rows.parkedAfter(endpointId, opened.ackedSeq);
  const blocks = await blocksOf(context, row);
  return { ...opened, parked, blocks, due: await rows.runs(endpointId) };
}

async function blocksOf(
  { rows, feed, clock, laneNames }: StartContext,
  { id, health }: EndpointRow,
): Promise<EndpointStart['blocks']> {
  // A circuit that closes brings back the blocks that held when it opened.
  const at = health.state === 'open' ? Math.min(health.since, clock.now()) : clock.now();
  const owed = await rows.blocking(id, at);
  if (owed.length === 0) return [];
  const records = await feed.at([...new Set(owed.map(({ seq }) => seq))].toSorted((a, b) => a - b));
  const bySeq = new Map(records.map((record) => [record.seq, record]));
  return owed.flatMap(({ seq, run, blocksUntil }) => {
    const record = bySeq.get(seq);
    if (!record || blocksUntil === null) return [];
    return [{ lane: laneNameOf(laneNames, run, record), key: { seq, run }, until: blocksUntil }];
  });
}
