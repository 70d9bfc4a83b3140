// What can come of one HTTP try, as a closed set: what the sender reports, the verdict judges and the history shows.

/**
 * `ours`: the fault lies on this side (no file descriptors, no network, the name server did not answer) and not a byte
 * reached the receiver; it is never charged to the endpoint. `aborted`: the relay is stopping; the receiver may have the event.
 */
export const outcomeKinds = [
  'success',
  'redirect',
  'gone',
  'rate_limited',
  'client_error',
  'unavailable',
  'server_error',
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'dns_failed',
  'tls_failed',
  'egress_refused',
  'protocol_error',
  'ours',
  'aborted',
] as const;
export type OutcomeKind = (typeof outcomeKinds)[number];

/** One HTTP try, ended. */
export interface Outcome {
  readonly kind: OutcomeKind;
  /** Null when no answer's head arrived. */
  readonly status: number | null;
  /** The kept part of the answer as text, at most 4 KiB, or a sentence about what went wrong. Never holds a secret of ours. */
  readonly response: string | null;
  /** What the answer's Retry-After asks for, ms from the answer on; null when there was none that can be read. */
  readonly retryAfterMs: number | null;
  readonly startedAt: number;
  readonly durationMs: number;
}
