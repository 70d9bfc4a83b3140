// What the fan-out needs to know of the interests. It asks; it never writes them.

/** One interest, as far as the fan-out cares. Several of one service in one topic are fine; the earliest counts. */
export interface InterestRow {
  readonly serviceAccountId: string;
  readonly topicId: string;
  /** The topic's event type: which retention applies to its events. */
  readonly type: string;
  /** The log's head when the interest was made. */
  readonly createdSeq: number;
  /** The webhook endpoint that its events go to; null: they go to the service's sockets. */
  readonly endpointId: string | null;
}

export interface InterestSource {
  /** All interests, or all of the given services. */
  loadInterests(serviceAccountIds?: readonly string[]): Promise<readonly InterestRow[]>;
}
