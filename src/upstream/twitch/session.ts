// One EventSub session: owns its sockets and timers, and does what session-state decides. `runSession` settles only
// when everything it opened is closed. It never subscribes to anything and never reconnects afresh: its owner does.
import { WebSocket } from 'ws';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { deferred } from '../../runtime/deferred.ts';
import { readFrame, type UpstreamFrame } from './frames.ts';
import {
  startSession,
  stepSession,
  type SessionEffect,
  type SessionEnd,
  type SessionInput,
  type SessionState,
  type SessionTimer,
} from './session-state.ts';
import type { Timings } from './timings.ts';

/** Frames above this are Twitch's mistake; `ws` then closes the socket with 1009. */
const maxFrameBytes = 4 * 1024 * 1024;
/** What RFC 6455 calls a connection that was lost without a close frame; here also one that could not begin. */
const neverOpened = 1006;
/** How long a closing socket may take before it is destroyed. */
const closeGraceMs = 2_000;

/** Milliseconds since the epoch. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface SessionListener {
  /** The session can be subscribed on. */
  ready(sessionId: string): void;
  /** A hand-over is complete. `gap`: where something may be missing, null if somebody always delivered. */
  handedOver(sessionId: string, gap: Window | null): void;
  /** A notification or revocation, from the current socket or one that is about to go or come. */
  frame(frame: UpstreamFrame, receivedAt: number): void;
  /** A frame that could not be read, or of a kind that is not known. */
  oddFrame(
    frame: UpstreamFrame & { kind: 'malformed' | 'unknown' },
    receivedAt: number,
    coveredTo: number | null,
  ): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  readonly timings: Timings;
  readonly url: string;
  readonly listener: SessionListener;
}

/**
 * Frames may be stamped a moment before they are queued for us, so the last one that came proves only that nothing
 * older than this before it is missing.
 */
const orderSlackMs = 1_000;

export interface SessionResult extends SessionEnd {
  /** What was sent up to here has been received; what was sent later may be missing. Null if it never was live. */
  readonly coveredTo: number | null;
}

export interface Session {
  /** Settles when the session is over and every socket it opened is closed. Never rejects. */
  readonly ended: Promise<SessionResult>;
  lastFrameAt(): number | null;
  /** As in the result, while it is live. */
  coveredTo(): number | null;
}

export function runSession(options: SessionOptions, signal: AbortSignal): Session {
  const { clock, listener, timings } = options;
  const sockets = new Map<number, WebSocket>();
  const timers = new Map<SessionTimer, Cancel>();
  const closing = new Set<Promise<void>>();
  const { promise: ended, resolve: settle } = deferred<SessionResult>();
  const first = startSession(timings);
  let state: SessionState = first.state;
  let coveredTo: number | null = null;
  /** By Twitch's clock. */
  let newestSentAt = 0;

  const input = (value: SessionInput) => {
    const step = stepSession(state, value, timings);
    state = step.state;
    for (const effect of step.effects) perform(effect);
  };

  const perform = (effect: SessionEffect) => {
    switch (effect.do) {
      case 'open':
        return open(effect.socket, effect.url ?? options.url);
      case 'close':
        return close(effect.socket, 0);
      case 'retire':
        return close(effect.socket, timings.retireMs);
      case 'arm':
        timers.get(effect.timer)?.();
        timers.set(
          effect.timer,
          clock.after(effect.ms, () => fire(effect.timer)),
        );
        return;
      case 'disarm':
        timers.get(effect.timer)?.();
        timers.delete(effect.timer);
        return;
      case 'ready':
        return listener.ready(effect.sessionId);
      case 'handed_over':
        return listener.handedOver(effect.sessionId, effect.gapFrom === null ? null : uncovered());
      case 'end':
        return finish(effect.end);
    }
  };

  const fire = (timer: SessionTimer) => {
    const timeout = () => input({ type: 'timeout', timer, at: clock.now() });
    if (timer !== 'keepalive') return timeout();
    // Timers come before sockets: what came while this process stood still is read before it is called silence.
    const turn = setImmediate(timeout);
    timers.set(timer, () => clearImmediate(turn));
  };

  /** Up to the frame that has just come: by Twitch's stamp, should our clock be behind. */
  const uncovered = (): Window => {
    const now = clock.now();
    return { from: coveredTo ?? now, to: Math.max(now, newestSentAt) };
  };

  const open = (socket: number, url: string) => {
    let httpStatus: number | undefined;
    const ws = dial(url);
    // Later, not now: the effects of the present step are not all performed yet.
    if (!ws) return queueMicrotask(() => input({ type: 'closed', socket, code: neverOpened }));
    sockets.set(socket, ws);
    ws.on('open', () => input({ type: 'opened', socket }));
    ws.on('message', (data, isBinary) => receive(socket, data, isBinary));
    // Without this listener a socket that is disposed while connecting would end the process.
    ws.on('error', () => undefined);
    ws.on('unexpected-response', (_request, response) => {
      httpStatus = response.statusCode;
      response.resume();
      ws.terminate();
    });
    ws.on('close', (code) => {
      sockets.delete(socket);
      input({ type: 'closed', socket, code, httpStatus });
    });
  };

  const receive = (socket: number, data: WebSocket.RawData, isBinary: boolean) => {
    // Also after the end, until the socket is closed: what arrives is delivered, and the state no longer moves.
    const at = clock.now();
    const { frame, sentAt } = isBinary ? binaryFrame : readFrame(textOf(data));
    const coveredBefore = coveredTo;
    newestSentAt = sentAt ?? newestSentAt;
    take(socket, frame, at, coveredBefore);
    // Behind the step: a welcome that ends a gap must not say that the gap was covered.
    if (sentAt !== null) coveredTo = Math.max(coveredTo ?? 0, Math.min(sentAt, at) - orderSlackMs);
  };

  const take = (socket: number, frame: UpstreamFrame, at: number, coveredBefore: number | null) => {
    switch (frame.kind) {
      case 'welcome':
        return input({
          type: 'welcome',
          socket,
          sessionId: frame.sessionId,
          keepaliveMs: Math.min(frame.keepaliveMs, timings.longestKeepaliveMs),
          at,
        });
      case 'reconnect':
        return input({ type: 'reconnect', socket, url: frame.url, at });
      case 'keepalive':
        return input({ type: 'frame', socket, at });
      case 'notification':
      case 'revocation':
        input({ type: 'frame', socket, at });
        return listener.frame(frame, at);
      case 'unknown':
      case 'malformed':
        input({ type: 'frame', socket, at });
        return listener.oddFrame(frame, at, coveredBefore);
    }
  };

  /** Says goodbye, reads on for at most `lingerMs` (the peer's close frame ends it), then makes sure. */
  const close = (socket: number, lingerMs: number) => {
    const ws = sockets.get(socket);
    if (!ws) return;
    const closed = new Promise<void>((resolve) => {
      ws.once('close', () => {
        cancel();
        resolve();
      });
    });
    const cancel = clock.after(Math.max(lingerMs, closeGraceMs), () => ws.terminate());
    if (ws.readyState === WebSocket.CONNECTING) ws.terminate();
    else ws.close(1000);
    closing.add(closed);
    void closed.then(() => closing.delete(closed));
  };

  const finish = (end: SessionEnd) => {
    for (const cancel of timers.values()) cancel();
    timers.clear();
    signal.removeEventListener('abort', stop);
    for (const socket of sockets.keys()) close(socket, 0);
    // Nobody is there to say goodbye to, and every moment of waiting for an answer widens the gap.
    if (end.cause === 'silence') for (const ws of sockets.values()) ws.terminate();
    void Promise.all(closing).then(() =>
      settle({ ...end, coveredTo: end.lastFrameAt === null ? null : coveredTo }),
    );
  };

  const stop = () => input({ type: 'stop' });
  signal.addEventListener('abort', stop, { once: true });
  for (const effect of first.effects) perform(effect);
  if (signal.aborted) stop();
  return { ended, lastFrameAt: () => state.lastFrameAt, coveredTo: () => coveredTo };
}

const binaryFrame = { frame: { kind: 'malformed', problem: 'binary frame' }, sentAt: null } as const;

/** `ws` throws for some URLs that are well-formed (one with a fragment), and Twitch chooses the URL of a hand-over. */
function dial(url: string): WebSocket | undefined {
  try {
    return new WebSocket(url, { perMessageDeflate: false, maxPayload: maxFrameBytes });
  } catch {
    return undefined;
  }
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8');
}
