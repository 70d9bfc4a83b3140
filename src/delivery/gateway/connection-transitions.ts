// The total table behind connection-state.ts: for every phase and every input, what happens. Pure.
import type { CloseReason } from '../../protocol/close-codes.ts';
import type { ConnectionState, Effect, Input, InputKind, Phase, Step } from './connection-types.ts';
import { progressWithinMs } from './connection-types.ts';
import { lagOf } from './lag.ts';
import { beat, pingFlushed, ponged } from './liveness.ts';
import { acknowledge, push, windowSize } from './window.ts';

type Of<K extends InputKind> = Extract<Input, { kind: K }>;
type Cell<K extends InputKind> = (state: ConnectionState, input: Of<K>, now: number) => Step;
type Row = { readonly [K in InputKind]: Cell<K> };

// Made once, since most deliveries and acknowledgements answer with one of them.
const nothing: readonly Effect[] = [];
const moved: readonly Effect[] = [{ kind: 'dirty' }];
const movedWithRoom: readonly Effect[] = [{ kind: 'dirty' }, { kind: 'read' }];

const stay = (state: ConnectionState): Step => ({ state, effects: nothing });

type Place = Pick<
  ConnectionState,
  'acked' | 'through' | 'window' | 'progressAt' | 'lastSentAt' | 'head' | 'oldest'
>;

/** Member by member, since it is done for every delivery: a spread takes forty times as long. */
const movedTo = (state: ConnectionState, place: Place): ConnectionState => ({
  ackMode: state.ackMode,
  maxInFlight: state.maxInFlight,
  heartbeatMs: state.heartbeatMs,
  mark: state.mark,
  attempt: state.attempt,
  head: place.head,
  phase: state.phase,
  acked: place.acked,
  through: place.through,
  window: place.window,
  progressAt: place.progressAt,
  lastSentAt: place.lastSentAt,
  liveness: state.liveness,
  lagLevel: state.lagLevel,
  oldest: place.oldest,
  drain: state.drain,
});

/** What a spread made, as all other states are made: the engine compiles a delivery for one kind of object only. */
const oneShape = (spread: ConnectionState): ConnectionState => movedTo(spread, spread);

/** Ends the connection from our side: say why, save the position, close. */
function end(state: ConnectionState, reason: CloseReason, message: string): Step {
  return {
    state: oneShape({ ...state, phase: 'closing' }),
    effects: [
      { kind: 'send', frame: { type: 'error', reason, message } },
      { kind: 'persistFinal' },
      { kind: 'close', reason, message },
    ],
  };
}

const ack: Cell<'ack'> = (state, { seq }, now) => {
  // A late ack may name an event of the connection before this one, up to what that one may have sent.
  if (seq > Math.max(state.through, state.mark)) {
    return end(state, 'malformed_frame', 'ack beyond what was sent to this consumer');
  }
  return acknowledged(state, seq, now);
};

function acknowledged(state: ConnectionState, seq: number, now: number): Step {
  if (seq <= state.acked) return stay(state);
  const window = acknowledge(state.window, seq);
  const through = Math.max(state.through, seq);
  const done = windowSize(window) === 0;
  const next = movedTo(state, {
    window,
    through,
    acked: done ? through : seq,
    progressAt: now,
    lastSentAt: state.lastSentAt,
    head: state.head,
    oldest: state.oldest && state.oldest.seq <= seq ? null : state.oldest,
  });
  const wasFull = windowSize(state.window) >= state.maxInFlight;
  return { state: next, effects: wasFull && state.phase === 'open' ? movedWithRoom : moved };
}

const sent: Cell<'sent'> = (state, input, now) => {
  const through = Math.max(state.through, input.through);
  const window = push(state.window, input.seqs);
  const outstanding = windowSize(window);
  const firstOutstanding = outstanding > 0 && windowSize(state.window) === 0;
  const acked = outstanding === 0 ? Math.max(state.acked, through) : state.acked;
  const next = movedTo(state, {
    through,
    window,
    acked,
    head: input.head,
    progressAt: firstOutstanding ? now : state.progressAt,
    lastSentAt: input.seqs.length > 0 ? now : state.lastSentAt,
    oldest: state.oldest ?? input.oldest,
  });
  // The acknowledged position moves along with it or not at all.
  return withLag(next, through > state.through ? moved : nothing, now);
};

/** Adds a lag frame when the oldest unread event has crossed another threshold of its retention. */
function withLag(state: ConnectionState, effects: readonly Effect[], now: number): Step {
  if (state.through >= state.head && windowSize(state.window) === 0) {
    const hadLag = state.lagLevel > 0 || state.oldest !== null;
    return { state: hadLag ? oneShape({ ...state, lagLevel: 0, oldest: null }) : state, effects };
  }
  const lag = lagOf(state.oldest, now);
  if (!lag || lag.level <= state.lagLevel) return { state, effects };
  const frame = {
    type: 'lag',
    behind_events: Math.max(0, state.head - state.acked),
    behind_ms: lag.behindMs,
    floor_in_ms: lag.floorInMs,
  } as const;
  const next = oneShape({ ...state, lagLevel: lag.level });
  return { state: next, effects: [...effects, { kind: 'send', frame }] };
}

const flushed: Cell<'flushed'> = (state, { through }, now) =>
  state.ackMode === 'auto' ? acknowledged(state, Math.min(through, state.through), now) : stay(state);

const tick: Cell<'tick'> = (state, { head }, now) => {
  if (windowSize(state.window) > 0 && now - state.progressAt >= progressWithinMs) {
    return end(state, 'no_progress', 'events are outstanding and nothing was acknowledged for 60 s');
  }
  const { liveness, verdict } = beat(state.liveness, now);
  if (verdict === 'dead') return end(state, 'no_progress', 'no pong');
  const effects: Effect[] = verdict === 'ping' ? [{ kind: 'ping' }] : [];
  const idle = now - state.lastSentAt >= state.heartbeatMs;
  // A wake-up is only a hint: an idle connection looks for itself, which also moves a quiet consumer's position on.
  if (idle) effects.push({ kind: 'send', frame: { type: 'heartbeat' } }, { kind: 'read' });
  const next = oneShape({ ...state, head, liveness, lastSentAt: idle ? now : state.lastSentAt });
  return withLag(next, effects, now);
};

const drain: Cell<'drain'> = (state, { inMs, reason, close }, now) => ({
  state: oneShape({ ...state, phase: 'draining', drain: { closeAt: now + inMs, reason: close } }),
  effects: [{ kind: 'send', frame: { type: 'reconnect', in_ms: inMs, reason } }],
});

/** Draining: nothing more is read, acknowledgements still count, and the planned close comes at its time. */
const drainingTick: Cell<'tick'> = (state, _input, now) => {
  if (!state.drain || now < state.drain.closeAt) return stay(state);
  return {
    state: oneShape({ ...state, phase: 'closing' }),
    effects: [{ kind: 'persistFinal' }, { kind: 'close', reason: state.drain.reason, message: 'restart' }],
  };
};

const vanished = (state: ConnectionState): Step => ({
  state: oneShape({ ...state, phase: 'closed' }),
  effects: [{ kind: 'persistFinal' }],
});

const open: Row = {
  ack,
  sent,
  flushed,
  tick,
  drain,
  pong: (state) => stay(oneShape({ ...state, liveness: ponged(state.liveness) })),
  pingFlushed: (state, _input, now) =>
    stay(oneShape({ ...state, liveness: pingFlushed(state.liveness, now) })),
  malformed: (state, { message }) => end(state, 'malformed_frame', message),
  takeover: (state) => end(state, 'replaced', 'a newer connection of this consumer took over'),
  unauthorized: (state, { message }) => end(state, 'unauthorized', message),
  disabled: (state, { message }) => end(state, 'forbidden', message),
  expired: (state, { message }) => end(state, 'cursor_expired', message),
  abort: (state, { reason, message }) => end(state, reason, message),
  socketClosed: vanished,
};

const draining: Row = {
  ...open,
  tick: drainingTick,
  // The first date stands: it was told to the client.
  drain: stay,
  // A read that was under way: its records were not written, since the allowance is 0.
  sent: stay,
};

/** The position is saved and the close frame sent; whatever still comes in is too late. */
const closing: Row = {
  ack: stay,
  sent: stay,
  flushed: stay,
  tick: stay,
  drain: stay,
  pong: stay,
  pingFlushed: stay,
  malformed: stay,
  takeover: stay,
  unauthorized: stay,
  disabled: stay,
  expired: stay,
  abort: stay,
  socketClosed: (state) => stay(oneShape({ ...state, phase: 'closed' })),
};

const closed: Row = { ...closing, socketClosed: stay };

export const transitions = { open, draining, closing, closed } satisfies Record<Phase, Row>;
