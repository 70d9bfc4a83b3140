// The words of connection-state.ts: phases, state, inputs, effects. Types and two constants, no behaviour.
import type { CloseReason } from '../../protocol/close-codes.ts';
import type { Liveness } from './liveness.ts';
import type { SentWindow } from './window.ts';

export const phases = ['open', 'draining', 'closing', 'closed'] as const;
export type Phase = (typeof phases)[number];

/** With events outstanding and no acknowledgement moving for this long, the consumer is taken for stuck. */
export const progressWithinMs = 60_000;

export interface LagSample {
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly retentionMs: number;
}

export interface ConnectionState {
  readonly phase: Phase;
  readonly ackMode: 'cumulative' | 'auto';
  readonly maxInFlight: number;
  readonly heartbeatMs: number;
  /** Everything up to here is done. With nothing outstanding it follows `through`, so a quiet consumer never expires. */
  readonly acked: number;
  /** Everything up to here was sent, or is not for this consumer: where the next read starts. */
  readonly through: number;
  /** Up to here events may have been sent on an earlier connection; they carry `attempt`, later ones 1. */
  readonly mark: number;
  readonly attempt: number;
  readonly window: SentWindow;
  /** When the acknowledged position last moved, or the first outstanding event was sent. */
  readonly progressAt: number;
  readonly lastSentAt: number;
  readonly head: number;
  readonly liveness: Liveness;
  /** How many of the lag thresholds were told; falls back to 0 when the consumer has caught up. */
  readonly lagLevel: number;
  /** A record among the oldest unread ones. */
  readonly oldest: LagSample | null;
  readonly drain: { readonly closeAt: number; readonly reason: CloseReason } | null;
}

/** Frames that need nothing but what is here; the shell turns `head` into a cursor. */
export type StateFrame =
  | { readonly type: 'heartbeat' }
  | {
      readonly type: 'lag';
      readonly behind_events: number;
      readonly behind_ms: number;
      readonly floor_in_ms: number;
    }
  | { readonly type: 'reconnect'; readonly in_ms: number; readonly reason: string }
  | { readonly type: 'error'; readonly reason: CloseReason; readonly message: string };

export type Input =
  /** The client says that everything up to here is done. */
  | { readonly kind: 'ack'; readonly seq: number }
  /** Records were written; `through` is where the read ended, `head` the log's. */
  | {
      readonly kind: 'sent';
      readonly seqs: readonly number[];
      readonly through: number;
      readonly head: number;
      readonly oldest: LagSample | null;
    }
  /** The kernel took everything up to here. */
  | { readonly kind: 'flushed'; readonly through: number }
  | { readonly kind: 'pong' }
  | { readonly kind: 'pingFlushed' }
  /** Time passed. `head` is the log's. */
  | { readonly kind: 'tick'; readonly head: number }
  | { readonly kind: 'malformed'; readonly message: string }
  | { readonly kind: 'takeover' }
  | { readonly kind: 'unauthorized'; readonly message: string }
  | { readonly kind: 'disabled'; readonly message: string }
  | { readonly kind: 'expired'; readonly message: string }
  | {
      readonly kind: 'drain';
      readonly inMs: number;
      readonly reason: string;
      readonly close: 'restart' | 'going_away';
    }
  /** The relay ends it for another reason: it stops, something of ours is broken, the reader fell behind retention. */
  | { readonly kind: 'abort'; readonly reason: CloseReason; readonly message: string }
  | { readonly kind: 'socketClosed' };
export type InputKind = Input['kind'];

export type Effect =
  | { readonly kind: 'send'; readonly frame: StateFrame }
  | { readonly kind: 'ping' }
  /** There is room, or a reason to look: read the log. */
  | { readonly kind: 'read' }
  /** The position moved; save it soon. */
  | { readonly kind: 'dirty' }
  /** Save the position now, as that of an ended connection. */
  | { readonly kind: 'persistFinal' }
  | { readonly kind: 'close'; readonly reason: CloseReason; readonly message: string };

export interface Step {
  readonly state: ConnectionState;
  readonly effects: readonly Effect[];
}
