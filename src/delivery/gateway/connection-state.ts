// A relay.v1 connection as a function of (state, input, now): what was sent, what is acknowledged, when to give up.
// Pure. It knows cursors as numbers and the socket not at all; connection.ts carries out the effects in their order.
//
//   open ──drain──► draining ──deadline, nothing outstanding──► closing ──socket closed──► closed
//     └────────────────── any reason to end ──────────────────────┘
//
// A socket may vanish in every phase; then the position is saved once more, unless that has been done.
import { transitions } from './connection-transitions.ts';
import type { ConnectionState, Input, Step } from './connection-types.ts';
import { progressWithinMs } from './connection-types.ts';
import { nextBeatAt, startLiveness } from './liveness.ts';
import { emptyWindow, windowSize } from './window.ts';

export interface ConnectionStart {
  readonly ackMode: 'cumulative' | 'auto';
  readonly maxInFlight: number;
  readonly heartbeatMs: number;
  readonly position: number;
  readonly mark: number;
  readonly attempt: number;
  readonly head: number;
}

/** Each member by its name: what else the caller's object holds would be copied with every step. */
export function openConnection(start: ConnectionStart, now: number): ConnectionState {
  const { ackMode, maxInFlight, heartbeatMs, position, mark, attempt, head } = start;
  return {
    ackMode,
    maxInFlight,
    heartbeatMs,
    mark,
    attempt,
    head,
    phase: 'open',
    acked: position,
    through: position,
    window: emptyWindow,
    progressAt: now,
    lastSentAt: now,
    liveness: startLiveness(now),
    lagLevel: 0,
    oldest: null,
    drain: null,
  };
}

/** The one way from a state to the next. Total: every phase has an answer to every input. */
export function step(state: ConnectionState, input: Input, now: number): Step {
  const cell = transitions[state.phase][input.kind] as (s: ConnectionState, i: Input, n: number) => Step;
  return cell(state, input, now);
}

/** How many more events may be sent now. */
export const allowance = (state: ConnectionState): number =>
  state.phase === 'open' ? Math.max(0, state.maxInFlight - windowSize(state.window)) : 0;

/** Which sending of the event this is, as far as is known; never too low. */
export const attemptOf = (state: ConnectionState, seq: number): number =>
  seq <= state.mark ? state.attempt : 1;

/** What to remember of the consumer. The attempt starts over once everything that was sent before is acknowledged. */
export function positionOf(state: ConnectionState): { ackedSeq: number; sentSeq: number; attempt: number } {
  const sentSeq = Math.max(state.through, state.mark, state.acked);
  return { ackedSeq: state.acked, sentSeq, attempt: state.acked >= state.mark ? 1 : state.attempt };
}

/** When a `tick` has something to do next. */
export function nextTickAt(state: ConnectionState): number {
  if (state.phase === 'draining') return state.drain?.closeAt ?? Infinity;
  if (state.phase !== 'open') return Infinity;
  const stuckAt = windowSize(state.window) > 0 ? state.progressAt + progressWithinMs : Infinity;
  return Math.min(nextBeatAt(state.liveness), state.lastSentAt + state.heartbeatMs, stuckAt);
}

/** What an earlier connection left behind, turned into where this one starts counting attempts. */
export function resumeFrom(
  row: { ackedSeq: number; sentSeq: number; attempt: number },
  at: { readonly wasOpen: boolean; readonly head: number; readonly position: number },
): { mark: number; attempt: number } {
  const before = Math.max(row.sentSeq, row.ackedSeq);
  // After an unclean end nobody knows what was sent: anything in the log may have been.
  const mark = at.wasOpen ? Math.max(before, at.head) : before;
  return mark > at.position ? { mark, attempt: row.attempt + 1 } : { mark: at.position, attempt: 1 };
}
