// What all endpoints of one dispatcher share, and what a delivery in hand is. Types only.
import type { OutRecord } from '../port.ts';
import type { Positions } from '../positions.ts';
import type { Turns } from '../turns.ts';
import type { DurableWrites } from './durable-writes.ts';
import type { History } from './history.ts';
import type { LaneNames } from './lane-names.ts';
import type { LaneItem } from './lanes.ts';
import type {
  DeliveryKey,
  EndpointPosition,
  OwedDelivery,
  Settlement,
  WebhookDeps,
  WebhookObserver,
} from './ports.ts';

export interface WebhookContext extends Omit<WebhookDeps, 'onChange'> {
  readonly observer: WebhookObserver;
  readonly turns: Turns;
  readonly positions: Positions<EndpointPosition>;
  readonly parks: DurableWrites<OwedDelivery>;
  readonly settlements: DurableWrites<Settlement>;
  readonly history: History;
  readonly laneNames: LaneNames;
}

/** One event for one endpoint, in hand. */
export interface Delivery extends LaneItem {
  readonly key: DeliveryKey;
  readonly record: OutRecord;
  /** Claimed from the retry set; else read from the log. */
  readonly isOwed: boolean;
  readonly spent: number;
  readonly bornAt: number;
  /** As the row has it. */
  readonly blocksUntil: number | null;
}

/** A delivery and the lane that it left and is still in flight in. */
export interface Taken {
  readonly lane: string;
  readonly item: Delivery;
}
