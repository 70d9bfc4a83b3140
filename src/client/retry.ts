// What to do when a connection has ended: pure, from how it ended and how the last ones did. It opens nothing.
import { adviceFor, closeCodes } from '../protocol/index.ts';
import type { CloseAdvice } from '../protocol/index.ts';
import { RelayApiError, RelayClosedError } from './errors.ts';

/** A connection that lived this long proves that the relay is well: the back-off starts over. */
export const stableAfterMs = 30_000;
/** First wait of the back-off, and how far the first reconnection of many clients is spread. */
export const firstBackOffMs = 500;
export const maxBackOffMs = 30_000;

/** How one connection ended. */
export interface LinkEnd {
  /** The close code; 1006 when the connection broke without one. */
  readonly code: number;
  readonly reason: string;
  /** The last `error` frame that came. */
  readonly error?: { readonly code: string; readonly message: string; readonly retryAfterMs: number | null };
  /** Time between the relay's hello and the end; null without a hello. Milliseconds. */
  readonly livedMs: number | null;
  /** The relay announced a restart: come back in this time. Milliseconds. */
  readonly comeBackInMs?: number;
  /** We left because too much was waiting, not because of anything that went wrong. */
  readonly paused?: boolean;
  /** No going on: our own fault, the other end's, or a callback's. */
  readonly fault?: { readonly cause: unknown };
}

export interface RetryState {
  /** Ends in a row without a stable connection in between. */
  readonly failures: number;
  /** Log-ins refused in a row. */
  readonly refusals: number;
}

export const freshRetryState: RetryState = { failures: 0, refusals: 0 };

export type Decision =
  | { readonly do: 'reconnect'; readonly inMs: number; readonly code: number; readonly reason: string }
  | { readonly do: 'stop'; readonly error: unknown };

export interface Step {
  readonly state: RetryState;
  readonly decision: Decision;
}

/** After a connection. `random` gives [0, 1). */
export function afterEnd(state: RetryState, end: LinkEnd, random: () => number): Step {
  if (end.fault) return stop(state, end.fault.cause);
  const { code, reason } = nameOf(end);
  const stable = end.livedMs !== null && end.livedMs >= stableAfterMs;
  const calm: RetryState = {
    failures: stable ? 0 : state.failures,
    refusals: end.livedMs === null ? state.refusals : 0,
  };
  if (end.paused) return { state: calm, decision: { do: 'reconnect', inMs: 0, code, reason } };
  const advice = adviceFor(code);
  if (advice === 'stop') return stop(calm, new RelayClosedError(code, reason, advice));
  if (advice === 'renew_credentials') return afterRefusal(calm, new RelayClosedError(code, reason, advice));
  if (end.comeBackInMs !== undefined) {
    return { state: calm, decision: { do: 'reconnect', inMs: end.comeBackInMs, code, reason } };
  }
  const askedMs = end.error?.retryAfterMs ?? null;
  return retry(calm, { code, reason, askedMs, advice }, random);
}

/** After a log-in that gave no token. */
export function afterLoginError(state: RetryState, error: unknown, random: () => number): Step {
  if (error instanceof RelayApiError) {
    const { status, detail, retryAfterMs } = error;
    if (error.shouldRetry()) {
      const code = status === 429 ? closeCodes.too_many_connections.code : 1006;
      return retry(state, { code, reason: detail, askedMs: retryAfterMs, advice: 'back_off' }, random);
    }
    const refused = {
      401: closeCodes.unauthorized,
      403: closeCodes.forbidden,
      410: closeCodes.cursor_expired,
    };
    const entry = status === 401 || status === 403 || status === 410 ? refused[status] : undefined;
    if (!entry) return stop(state, error);
    return stop(state, new RelayClosedError(entry.code, detail, entry.advice, { cause: error }));
  }
  // What fetch throws when the network fails; anything else is a fault in the caller's own function.
  if (!(error instanceof TypeError)) return stop(state, error);
  const reason = 'no token could be had';
  return retry(state, { code: 1006, reason, askedMs: null, advice: 'back_off' }, random);
}

/** A relay's code counts before the network's; when the close frame was lost, the error frame names it. */
function nameOf(end: LinkEnd): { code: number; reason: string } {
  const entries: Readonly<Record<string, { code: number } | undefined>> = closeCodes;
  const told = end.code === 1006 ? entries[end.error?.code ?? '']?.code : undefined;
  return { code: told ?? end.code, reason: end.error?.message || end.reason || 'the connection broke' };
}

const stop = (state: RetryState, error: unknown): Step => ({ state, decision: { do: 'stop', error } });

/** New credentials once; refused again, somebody has to look. */
function afterRefusal(state: RetryState, error: RelayClosedError): Step {
  if (state.refusals > 0) return stop(state, error);
  return {
    state: { ...state, refusals: state.refusals + 1 },
    decision: { do: 'reconnect', inMs: 0, code: error.code, reason: error.reason },
  };
}

function retry(
  state: RetryState,
  why: { code: number; reason: string; askedMs: number | null; advice: CloseAdvice },
  random: () => number,
): Step {
  const { failures } = state;
  const soon = failures === 0 && why.advice === 'reconnect';
  const backOffMs = Math.min(maxBackOffMs, firstBackOffMs * 2 ** failures);
  const ownMs = soon ? random() * firstBackOffMs : backOffMs * (0.5 + random() / 2);
  // Never before it was asked for, and not all at the same moment after it.
  const inMs = Math.round(why.askedMs === null ? ownMs : Math.max(ownMs, why.askedMs * (1 + random() / 10)));
  return {
    state: { ...state, failures: failures + 1 },
    decision: { do: 'reconnect', inMs, code: why.code, reason: why.reason },
  };
}
