// The life of one EventSub session as a function of (state, input): which socket is the current one, what a timer that
// fired means, when it is over. Pure; the sockets and timers themselves are in session.ts. Total: every input is
// answered in every phase.
// Source: https://dev.twitch.tv/docs/eventsub/handling-websocket-events/
import { closeRule } from './close-codes.ts';
import type { Timings } from './timings.ts';

/**
 * connecting: the first socket opens · welcoming: open, no welcome yet · live: subscriptions can exist ·
 * handing_over: live, and a next socket is on its way · orphaned: the current socket died in a hand-over, the next one
 * may still carry the subscriptions over · ended: nothing is open, nothing will be.
 */
export const sessionPhases = [
  'connecting',
  'welcoming',
  'live',
  'handing_over',
  'orphaned',
  'ended',
] as const;
export type SessionPhase = (typeof sessionPhases)[number];

export type SessionTimer = 'handshake' | 'welcome' | 'keepalive' | 'handover' | 'retry';

export type SessionInput =
  | { readonly type: 'opened'; readonly socket: number }
  | {
      readonly type: 'welcome';
      readonly socket: number;
      readonly sessionId: string;
      readonly keepaliveMs: number;
      readonly at: number;
    }
  | { readonly type: 'frame'; readonly socket: number; readonly at: number }
  | { readonly type: 'reconnect'; readonly socket: number; readonly url: string; readonly at: number }
  | {
      readonly type: 'closed';
      readonly socket: number;
      readonly code: number;
      readonly httpStatus?: number | undefined;
    }
  | { readonly type: 'timeout'; readonly timer: SessionTimer; readonly at: number }
  | { readonly type: 'stop' };

export type SessionEndCause =
  | 'stopped'
  | 'connect_failed'
  | 'handshake_timeout'
  | 'welcome_timeout'
  | 'closed'
  | 'silence'
  | 'handover_failed';

export interface SessionEnd {
  readonly cause: SessionEndCause;
  readonly code?: number | undefined;
  readonly httpStatus?: number | undefined;
  /** When the last frame of the live session came; null if it never was live. What came later may be missing. */
  readonly lastFrameAt: number | null;
}

export type SessionEffect =
  | { readonly do: 'open'; readonly socket: number; /** null: the base URL. */ readonly url: string | null }
  | { readonly do: 'close'; readonly socket: number }
  /** Close politely, but go on reading its late frames for a while. */
  | { readonly do: 'retire'; readonly socket: number }
  | { readonly do: 'arm'; readonly timer: SessionTimer; readonly ms: number }
  | { readonly do: 'disarm'; readonly timer: SessionTimer }
  | { readonly do: 'ready'; readonly sessionId: string }
  /** Subscriptions came along. `gapFrom`: since when no socket was delivering, or null if one always was. */
  | { readonly do: 'handed_over'; readonly sessionId: string; readonly gapFrom: number | null }
  | { readonly do: 'end'; readonly end: SessionEnd };

export interface SessionState {
  readonly phase: SessionPhase;
  /** The socket that delivers (or is about to). */
  readonly current: number | null;
  /** The socket that is to take over; null between two tries. */
  readonly next: number | null;
  readonly lastSocket: number;
  readonly keepaliveMs: number;
  readonly lastFrameAt: number | null;
  /** Where to hand over to; null when there is none or it is known to be dead. */
  readonly url: string | null;
}

export interface SessionStep {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

type Limits = Pick<
  Timings,
  'handshakeMs' | 'welcomeMs' | 'keepaliveGraceMs' | 'handoverMs' | 'handoverRetryMs'
>;

export function startSession(limits: Limits): SessionStep {
  return {
    state: {
      phase: 'connecting',
      current: 1,
      next: null,
      lastSocket: 1,
      keepaliveMs: 0,
      lastFrameAt: null,
      url: null,
    },
    effects: [
      { do: 'open', socket: 1, url: null },
      { do: 'arm', timer: 'handshake', ms: limits.handshakeMs },
    ],
  };
}

export function stepSession(state: SessionState, input: SessionInput, limits: Limits): SessionStep {
  if (state.phase === 'ended') return stay(state);
  if (input.type === 'stop') return end(state, 'stopped');
  switch (state.phase) {
    case 'connecting':
    case 'welcoming':
      return establish(state, input, limits);
    case 'live':
      return live(state, input, limits);
    case 'handing_over':
      return handOver(state, input, limits);
    case 'orphaned':
      return orphaned(state, input, limits);
  }
}

type Input = Exclude<SessionInput, { type: 'stop' }>;

const stay = (state: SessionState): SessionStep => ({ state, effects: nothing });
const nothing: readonly SessionEffect[] = [];

/** Member by member, since it is done for every frame: a spread takes many times as long. */
const heard = (state: SessionState, at: number): SessionState => ({
  phase: state.phase,
  current: state.current,
  next: state.next,
  lastSocket: state.lastSocket,
  keepaliveMs: state.keepaliveMs,
  lastFrameAt: at,
  url: state.url,
});

function end(
  state: SessionState,
  cause: SessionEndCause,
  closed?: { code: number; httpStatus?: number | undefined },
): SessionStep {
  return {
    state: { ...state, phase: 'ended', current: null, next: null, url: null },
    effects: [
      {
        do: 'end',
        end: { cause, code: closed?.code, httpStatus: closed?.httpStatus, lastFrameAt: state.lastFrameAt },
      },
    ],
  };
}

function establish(state: SessionState, input: Input, limits: Limits): SessionStep {
  switch (input.type) {
    case 'opened':
      if (state.phase !== 'connecting' || input.socket !== state.current) return stay(state);
      return {
        state: { ...state, phase: 'welcoming' },
        effects: [
          { do: 'disarm', timer: 'handshake' },
          { do: 'arm', timer: 'welcome', ms: limits.welcomeMs },
        ],
      };
    case 'welcome':
      if (input.socket !== state.current) return stay(state);
      return {
        state: { ...state, phase: 'live', keepaliveMs: input.keepaliveMs, lastFrameAt: input.at },
        effects: [
          { do: 'disarm', timer: 'handshake' },
          { do: 'disarm', timer: 'welcome' },
          { do: 'arm', timer: 'keepalive', ms: input.keepaliveMs + limits.keepaliveGraceMs },
          { do: 'ready', sessionId: input.sessionId },
        ],
      };
    case 'closed':
      return input.socket === state.current ? end(state, 'connect_failed', input) : stay(state);
    case 'timeout':
      if (input.timer === 'handshake' && state.phase === 'connecting') return end(state, 'handshake_timeout');
      if (input.timer === 'welcome' && state.phase === 'welcoming') return end(state, 'welcome_timeout');
      return stay(state);
    case 'frame':
    case 'reconnect':
      return stay(state);
  }
}

function live(state: SessionState, input: Input, limits: Limits): SessionStep {
  switch (input.type) {
    case 'frame':
    case 'welcome':
      return input.socket === state.current ? stay(heard(state, input.at)) : stay(state);
    case 'reconnect':
      if (input.socket !== state.current) return stay(state);
      return openNext({ ...state, lastFrameAt: input.at, url: input.url }, limits, [
        { do: 'arm', timer: 'handover', ms: limits.handoverMs },
      ]);
    case 'closed':
      return input.socket === state.current ? end(state, 'closed', input) : stay(state);
    case 'timeout':
      return input.timer === 'keepalive'
        ? watchdog(state, input.at, limits, (dead) => end(dead, 'silence'))
        : stay(state);
    case 'opened':
      return stay(state);
  }
}

function handOver(state: SessionState, input: Input, limits: Limits): SessionStep {
  switch (input.type) {
    case 'frame':
      return input.socket === state.current ? stay(heard(state, input.at)) : stay(state);
    case 'opened':
      return input.socket === state.next ? awaitWelcome(state, limits) : stay(state);
    case 'welcome':
      if (input.socket === state.current) return stay(heard(state, input.at));
      return input.socket === state.next ? takeOver(state, input, limits, null) : stay(state);
    case 'reconnect':
      if (input.socket !== state.current) return stay(state);
      return openNext({ ...state, lastFrameAt: input.at, url: input.url }, limits, [
        ...closeIfAny(state.next),
        { do: 'disarm', timer: 'welcome' },
        { do: 'disarm', timer: 'retry' },
        { do: 'arm', timer: 'handover', ms: limits.handoverMs },
      ]);
    case 'closed':
      if (input.socket === state.next) return nextFailed(state, limits, closeRule(input.code).urlIsDead);
      return input.socket === state.current ? oldDied(state, 'closed', input) : stay(state);
    case 'timeout':
      return handOverTimeout(state, input, limits);
  }
}

function handOverTimeout(
  state: SessionState,
  input: { timer: SessionTimer; at: number },
  limits: Limits,
): SessionStep {
  switch (input.timer) {
    case 'handshake':
    case 'welcome': {
      if (state.next === null) return stay(state);
      const failed = nextFailed(state, limits, false);
      return { state: failed.state, effects: [{ do: 'close', socket: state.next }, ...failed.effects] };
    }
    case 'retry':
      return state.next === null && state.url !== null ? openNext(state, limits, []) : stay(state);
    case 'keepalive':
      return watchdog(state, input.at, limits, (dead) => {
        const died = oldDied(dead, 'silence');
        return { state: died.state, effects: [...closeIfAny(dead.current), ...died.effects] };
      });
    case 'handover':
      return end(state, 'handover_failed');
  }
}

/** The old socket is gone: there is nobody to retry beside, so the next one gets exactly its one chance. */
function orphaned(state: SessionState, input: Input, limits: Limits): SessionStep {
  switch (input.type) {
    case 'opened':
      return input.socket === state.next ? awaitWelcome(state, limits) : stay(state);
    case 'welcome':
      return input.socket === state.next ? takeOver(state, input, limits, state.lastFrameAt) : stay(state);
    case 'closed':
      return input.socket === state.next ? end(state, 'handover_failed', input) : stay(state);
    case 'timeout':
      return input.timer === 'keepalive' || input.timer === 'retry'
        ? stay(state)
        : end(state, 'handover_failed');
    case 'frame':
    case 'reconnect':
      return stay(state);
  }
}

function openNext(state: SessionState, limits: Limits, before: readonly SessionEffect[]): SessionStep {
  const socket = state.lastSocket + 1;
  return {
    state: { ...state, phase: 'handing_over', next: socket, lastSocket: socket },
    effects: [
      ...before,
      { do: 'open', socket, url: state.url },
      { do: 'arm', timer: 'handshake', ms: limits.handshakeMs },
    ],
  };
}

function awaitWelcome(state: SessionState, limits: Limits): SessionStep {
  return {
    state,
    effects: [
      { do: 'disarm', timer: 'handshake' },
      { do: 'arm', timer: 'welcome', ms: limits.welcomeMs },
    ],
  };
}

function takeOver(
  state: SessionState,
  welcome: { sessionId: string; keepaliveMs: number; at: number },
  limits: Limits,
  gapFrom: number | null,
): SessionStep {
  return {
    state: {
      ...state,
      phase: 'live',
      current: state.next,
      next: null,
      url: null,
      keepaliveMs: welcome.keepaliveMs || state.keepaliveMs,
      lastFrameAt: welcome.at,
    },
    effects: [
      { do: 'disarm', timer: 'handshake' },
      { do: 'disarm', timer: 'welcome' },
      { do: 'disarm', timer: 'handover' },
      ...(state.current === null ? [] : [{ do: 'retire', socket: state.current } as const]),
      {
        do: 'arm',
        timer: 'keepalive',
        ms: (welcome.keepaliveMs || state.keepaliveMs) + limits.keepaliveGraceMs,
      },
      { do: 'handed_over', sessionId: welcome.sessionId, gapFrom },
    ],
  };
}

/** The old socket lives: try again, unless the URL itself was refused; then only wait for the old one's end. */
function nextFailed(state: SessionState, limits: Limits, urlIsDead: boolean): SessionStep {
  const disarmed: SessionEffect[] = [
    { do: 'disarm', timer: 'handshake' },
    { do: 'disarm', timer: 'welcome' },
  ];
  if (urlIsDead) return { state: { ...state, next: null, url: null }, effects: disarmed };
  return {
    state: { ...state, next: null },
    effects: [...disarmed, { do: 'arm', timer: 'retry', ms: limits.handoverRetryMs }],
  };
}

function oldDied(
  state: SessionState,
  cause: 'closed' | 'silence',
  closed?: { code: number; httpStatus?: number | undefined },
): SessionStep {
  if (state.next === null) return end(state, state.url === null ? 'handover_failed' : cause, closed);
  return {
    state: { ...state, phase: 'orphaned', current: null },
    effects: [
      { do: 'disarm', timer: 'keepalive' },
      { do: 'disarm', timer: 'retry' },
    ],
  };
}

/** The keepalive timer is not re-armed per frame; when it fires, it looks how long the silence really was. */
function watchdog(
  state: SessionState,
  at: number,
  limits: Limits,
  dead: (state: SessionState) => SessionStep,
): SessionStep {
  const allowedMs = state.keepaliveMs + limits.keepaliveGraceMs;
  // A clock that jumped backwards would make the silence negative: it counts from then, rather than wait to catch up.
  const heardAt = Math.min(state.lastFrameAt ?? at, at);
  const silentMs = at - heardAt;
  if (silentMs >= allowedMs) return dead(state);
  return {
    state: { ...state, lastFrameAt: heardAt },
    effects: [{ do: 'arm', timer: 'keepalive', ms: allowedMs - silentMs }],
  };
}

const closeIfAny = (socket: number | null): SessionEffect[] =>
  socket === null ? [] : [{ do: 'close', socket }];
