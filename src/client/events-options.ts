// What a caller may ask of the stream of events, and the check of it before anything is opened.
import { connectQuery } from '../protocol/index.ts';
import type { HelloFrame, ServerFrame } from '../protocol/index.ts';

export type LagInfo = Pick<
  Extract<ServerFrame, { type: 'lag' }>,
  'behind_events' | 'behind_ms' | 'floor_in_ms'
>;

/** Told when a connection has ended and another one will follow. */
export interface ReconnectInfo {
  /** Close code; 1006 when the connection broke or could not be made. */
  readonly code: number;
  readonly reason: string;
  /** Until the next try. Milliseconds. */
  readonly inMs: number;
}

export interface EventsOptions {
  /** The name under which the relay remembers the position; one connection at a time. Default `default`. */
  readonly consumer?: string | undefined;
  /** Start after this cursor instead of at the remembered position. Used for the first connection only. */
  readonly after?: string | undefined;
  /** Only these types; the relay's own (`relay.*`) come regardless. */
  readonly types?: readonly string[] | undefined;
  /** How many events may be on their way or in the loop, unacknowledged: 1 to 4096, default 256. Bounds the memory. */
  readonly maxInFlight?: number | undefined;
  /** `cumulative` (default): acknowledged when the body is done. `auto`: when it has arrived, so a crash may lose events. */
  readonly ack?: 'cumulative' | 'auto' | undefined;
  /** When the position was removed by retention: throw (`reject`, default), or go on at the oldest or the newest event. */
  readonly onExpired?: 'reject' | 'earliest' | 'live' | undefined;
  /** Ends the loop quietly: the body that is running is still acknowledged. The way to stop. */
  readonly signal?: AbortSignal | undefined;
  /** A connection stands. */
  readonly onHello?: ((hello: HelloFrame) => void) | undefined;
  readonly onReconnect?: ((info: ReconnectInfo) => void) | undefined;
  /** This consumer has used up 50, 80 or 95 % of the retention. */
  readonly onLag?: ((lag: LagInfo) => void) | undefined;
}

export interface StreamQuery {
  readonly consumer: string;
  readonly ack: 'cumulative' | 'auto';
  readonly max_in_flight: number;
  readonly on_expired: 'reject' | 'earliest' | 'live';
  readonly types: string | undefined;
}

/** The query of a connection, without `after`. Throws a TypeError that names the option. */
export function queryOf(options: EventsOptions): StreamQuery {
  const types = options.types === undefined ? undefined : options.types.join(',');
  const parsed = connectQuery.safeParse({
    consumer: options.consumer,
    after: options.after,
    ack: options.ack,
    max_in_flight: options.maxInFlight,
    on_expired: options.onExpired,
    types,
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TypeError(`${String(issue?.path[0] ?? 'options')}: ${issue?.message ?? 'not valid'}`);
  }
  const { consumer, ack, max_in_flight, on_expired } = parsed.data;
  return { consumer, ack, max_in_flight, on_expired, types: types === '' ? undefined : types };
}
