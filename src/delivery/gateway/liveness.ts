// When to ping, and when a missing pong means that nobody is there. Pure. A ping that still waits in our own buffer
// proves nothing, so the wait for its pong begins when the kernel has taken it.

/** PROTOCOL: WebSocket ping every 25 s, pong within 10 s. */
export const pingEveryMs = 25_000;
export const pongWithinMs = 10_000;

export interface Liveness {
  readonly pingAt: number;
  /** Unflushed: written by us, not taken by the kernel. */
  readonly ping: 'none' | 'unflushed' | 'flushed';
  /** Set while a flushed ping waits for its pong. */
  readonly deadAt: number | null;
}

/** All of one shape, as the states that hold them. */
const made = (pingAt: number, ping: Liveness['ping'], deadAt: number | null): Liveness => ({
  pingAt,
  ping,
  deadAt,
});

export const startLiveness = (now: number): Liveness => made(now + pingEveryMs, 'none', null);

export const pingFlushed = (liveness: Liveness, now: number): Liveness =>
  liveness.ping === 'unflushed' ? made(liveness.pingAt, 'flushed', now + pongWithinMs) : liveness;

export const ponged = (liveness: Liveness): Liveness =>
  liveness.ping === 'none' ? liveness : made(liveness.pingAt, 'none', null);

/** `ping`: write one now. `dead`: a ping that arrived was not answered in time. */
export function beat(
  liveness: Liveness,
  now: number,
): { liveness: Liveness; verdict: 'wait' | 'ping' | 'dead' } {
  if (liveness.deadAt !== null && now >= liveness.deadAt) return { liveness, verdict: 'dead' };
  if (now < liveness.pingAt) return { liveness, verdict: 'wait' };
  const pingAt = now + pingEveryMs;
  // One ping at a time: a second one behind the first in a full buffer would tell nothing more.
  if (liveness.ping !== 'none')
    return { liveness: made(pingAt, liveness.ping, liveness.deadAt), verdict: 'wait' };
  return { liveness: made(pingAt, 'unflushed', liveness.deadAt), verdict: 'ping' };
}

export const nextBeatAt = (liveness: Liveness): number =>
  Math.min(liveness.pingAt, liveness.deadAt ?? Infinity);
