// Every deadline and pace of the Twitch side in one table, so that a scenario can shorten one without touching code.
import type { BackOffShape } from '../../domain/back-off.ts';

export interface Timings {
  /** TCP, TLS and the HTTP upgrade. */
  readonly handshakeMs: number;
  /** From the open socket to session_welcome. */
  readonly welcomeMs: number;
  /** Six times what Twitch can be asked for: silence has to be noticed, whatever a welcome announces. */
  readonly longestKeepaliveMs: number;
  /** Added to the announced keepalive before silence means dead: clocks and networks are not exact. */
  readonly keepaliveGraceMs: number;
  /** From session_reconnect to the new welcome. Twitch gives 30 s; the rest is kept for a fresh connect. */
  readonly handoverMs: number;
  /** Between tries of the same reconnect URL. */
  readonly handoverRetryMs: number;
  /** How long the old socket of a hand-over is still read. */
  readonly retireMs: number;
  /** One Helix or OAuth call. */
  readonly helixMs: number;
  /** A session that lived this long clears the back-off. */
  readonly stableMs: number;
  readonly backOff: BackOffShape;
  /** The unconditional reconcile, whatever else was or was not signalled. */
  readonly reconcileMs: number;
  /** How old Twitch's own list may grow before it is fetched again. */
  readonly relistMs: number;
  /** A subscription younger than this is not judged missing by a list, since lists lag. */
  readonly listLagMs: number;
  /** How often what is covered is written down; bounds the gap of a crash. */
  readonly coverageMs: number;
  /** Twitch's rule: validate every token hourly. https://dev.twitch.tv/docs/authentication/validate-tokens/ */
  readonly validateMs: number;
  /** Chat joins: 20 per 10 s and user. https://dev.twitch.tv/docs/chat/#rate-limits */
  readonly joinWindowMs: number;
  readonly joinsPerWindow: number;
}

export const defaultTimings: Timings = {
  handshakeMs: 10_000,
  welcomeMs: 15_000,
  longestKeepaliveMs: 3_600_000,
  keepaliveGraceMs: 2_000,
  handoverMs: 25_000,
  handoverRetryMs: 1_000,
  retireMs: 5_000,
  helixMs: 10_000,
  stableMs: 30_000,
  backOff: { firstMs: 1_000, maxMs: 120_000 },
  reconcileMs: 30_000,
  relistMs: 600_000,
  listLagMs: 60_000,
  coverageMs: 5_000,
  validateMs: 3_600_000,
  joinWindowMs: 10_500,
  joinsPerWindow: 20,
};
