// What the delivery stage (gateway, webhooks, pull) needs of the stages before it: one reader for everybody.
// A consumer is a cursor and a filter; nothing per consumer is queued anywhere.
import type { LogRecord } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';

export type FrameEncoding = 'plain' | 'relay.v1';

/** A committed record with its outgoing forms, each made once and shared by all readers. */
export interface OutRecord extends LogRecord {
  readonly cursor: string;
  /** The event object as JSON text (the contract's shape), the platform's members spliced in unchanged. */
  json(): string;
  /** A finished, unmasked WebSocket text frame; for relay.v1 the one with `attempt: 1`. */
  frame(encoding: FrameEncoding): Buffer;
}

export interface ReadResult {
  /** In order. */
  readonly records: readonly OutRecord[];
  /** Nothing else up to here is for this filter: where the next read starts. */
  readonly through: number;
}

/** A read with its frames joined, in order, ready for one write. Shared: not to be written into. */
export interface Batch extends ReadResult {
  readonly bytes: Buffer;
  /** The records' positions. */
  readonly seqs: readonly number[];
}

/** Whose interests make up a filter: those with transport websocket, one webhook endpoint's, or all of the service. */
export type Via = 'websocket' | 'any' | { readonly endpointId: string };

/** Which records, beside a filter, somebody asks for. Each member that is given narrows. */
export interface Selection {
  /** Positions in (after, through]. */
  readonly after: number;
  readonly through: number;
  /** Received at or after `receivedFrom`, and before `receivedBefore`. Milliseconds since the epoch. */
  readonly receivedFrom?: number | undefined;
  readonly receivedBefore?: number | undefined;
  /** Event ids. */
  readonly ids?: readonly string[] | undefined;
}

export interface EventFeed {
  readonly epoch: string;
  head(): number;
  /** Lowest position from which nothing that this filter may want has been removed by retention. */
  floorFor(filter: Filter): number;
  /**
   * Lowest position from which anything that this filter may want can still be there. Below `floorFor`, when retention
   * has taken one class further than another: in between some is gone and the rest is kept.
   */
  oldestFor(filter: Filter): number;
  /** How long the record is kept. Milliseconds. */
  retentionMsOf(record: LogRecord): number;
  /**
   * What the service wants right now over that way (default websocket), narrowed to `types` if given. The same object
   * until something changes.
   */
  filter(serviceAccountId: string, types?: readonly string[] | null, via?: Via): Filter;
  /**
   * At most `limit` records after `after`. Synchronous while the recent window holds them, else from the database. While
   * a change of the service's interests is not in effect yet it waits for that, and then answers with nothing
   * (`through` is `after`) and a wake-up, since the filter may be another one by then.
   */
  read(after: number, filter: Filter, limit: number): ReadResult | Promise<ReadResult>;
  /** The records at these positions that are still kept, in order. */
  at(seqs: readonly number[]): Promise<readonly OutRecord[]>;
  /** Positions of what is kept for the filter within the selection, in order, at most `limit`: asked of the database. */
  select(filter: Filter, selection: Selection, limit: number): Promise<readonly number[]>;
  /** As `read`, with the bytes; made once for all who ask the same in the same turn of the event loop. */
  batch(after: number, filter: Filter, limit: number, encoding: FrameEncoding): Batch | Promise<Batch>;
  /**
   * Calls `wake` once per turn of the event loop in which something for this service was committed or its interests
   * changed. A hint that shortens a wait; a reader that polled instead would miss nothing. Returns the unwatch.
   */
  watch(serviceAccountId: string, wake: () => void): () => void;
}
