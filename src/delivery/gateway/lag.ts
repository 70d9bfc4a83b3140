// How near the oldest unread event is to its removal. Pure.
import type { LagSample } from './connection-types.ts';

/** PROTOCOL: a lag frame on crossing 50, 80 and 95 % of retention. */
const thresholds = [0.5, 0.8, 0.95] as const;

/** `level`: how many thresholds are crossed. Durations in milliseconds. */
export interface Lag {
  readonly level: number;
  readonly behindMs: number;
  readonly floorInMs: number;
}

export function lagOf(oldest: LagSample | null, now: number): Lag | null {
  if (!oldest || oldest.retentionMs <= 0) return null;
  const behindMs = Math.max(0, now - oldest.receivedAt);
  // Asked for every delivery: nothing is made for it.
  let level = 0;
  for (const threshold of thresholds) if (behindMs >= threshold * oldest.retentionMs) level++;
  return { level, behindMs, floorInMs: Math.max(0, oldest.retentionMs - behindMs) };
}
