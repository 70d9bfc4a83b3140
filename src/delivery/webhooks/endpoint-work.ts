// The parts of one endpoint at work, put together: from the moment on that its row is open. Decides nothing.
import type { WebhookContext } from './context.ts';
import { DeliveryBook } from './delivery-book.ts';
import type { EndpointStart } from './endpoint-start.ts';
import { LiveReader } from './live-reader.ts';
import type { EndpointRow } from './ports.ts';
import { RetryFeeder } from './retry-feeder.ts';
import type { ServiceEvents } from './service-events.ts';

export interface EndpointWork {
  readonly book: DeliveryBook;
  readonly reader: LiveReader;
  readonly feeder: RetryFeeder;
  readonly start: EndpointStart;
}

export interface WorkHooks {
  /** There may be something to do. */
  readonly ask: () => void;
  /** The cursor may have moved. */
  readonly moved: () => void;
}

export function createWork(
  context: WebhookContext,
  events: ServiceEvents,
  { row, start, ask, moved }: WorkHooks & { readonly row: EndpointRow; readonly start: EndpointStart },
): EndpointWork {
  const hooks = { context, events, ask, moved };
  const book = new DeliveryBook(
    {
      ...hooks,
      parked: (nextAt) => feeder.parked(nextAt),
      released: (run, nextAt) => feeder.released(run, nextAt),
    },
    row,
    start.ackedSeq,
  );
  for (const { lane, key, until } of start.blocks) book.lanes.block(lane, key, until);
  const reader = new LiveReader({ ...hooks, book }, row, start);
  const { id: endpointId, serviceAccountId } = row;
  const feeder = new RetryFeeder({ context, endpointId, serviceAccountId, book, ask }, start.due);
  return { book, reader, feeder, start };
}
