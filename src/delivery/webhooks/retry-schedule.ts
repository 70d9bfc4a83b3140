// When a failed delivery is tried again. Pure: the random number is passed in. Source: PROTOCOL, Webhooks, Retries.
import type { RetryProfile } from '../../domain/endpoint.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** The delay before the n-th charged try, counted from the end of the one before. */
export const retryDelaysMs: Record<RetryProfile, readonly number[]> = {
  durable: [
    0,
    5 * secondMs,
    5 * minuteMs,
    30 * minuteMs,
    2 * hourMs,
    5 * hourMs,
    10 * hourMs,
    14 * hourMs,
    20 * hourMs,
    24 * hourMs,
  ],
  realtime: [0, 1 * secondMs, 3 * secondMs, 10 * secondMs, 30 * secondMs, 60 * secondMs],
};

/** Deliveries that failed together come back apart. */
export const retryJitter = 0.2;

/**
 * How long to wait after the `spent`-th charged try before the next one: its step ±20 %, in whole milliseconds. Null when
 * the schedule is used up. `random` is 0 to 1.
 */
export function nextDelayMs(profile: RetryProfile, spent: number, random: number): number | null {
  const stepMs = retryDelaysMs[profile][spent];
  if (stepMs === undefined) return null;
  return Math.round(stepMs * (1 + retryJitter * (2 * random - 1)));
}

export const longestStepMs = (profile: RetryProfile): number => Math.max(...retryDelaysMs[profile]);
