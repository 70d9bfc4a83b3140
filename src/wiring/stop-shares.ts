// What each part of a stop may take of SHUTDOWN_TIMEOUT_SECONDS. They come one after another, so together they have to
// leave something for the last writes and the goodbye to Twitch. Pure.

export interface StopShares {
  /** Over which consumers are told to go. */
  readonly drainMs: number;
  /** What their close handshakes may take after that. */
  readonly cutMs: number;
  /** For requests that are under way. */
  readonly requestsMs: number;
  /** For receivers to answer what was sent to them. */
  readonly webhooksMs: number;
}

/** In milliseconds, of so many in all; nobody is given more than helps. */
export function stopShares(totalMs: number): StopShares {
  const drainMs = Math.min(1_000, totalMs * 0.1);
  return {
    drainMs,
    cutMs: drainMs,
    requestsMs: Math.min(5_000, totalMs * 0.2),
    webhooksMs: totalMs * 0.4,
  };
}
