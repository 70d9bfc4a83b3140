// Waiting with an end: for a condition, for a time, until somebody has had enough.
import { setTimeout as sleep } from 'node:timers/promises';

const lookEveryMs = 10;

export interface WaitOptions {
  readonly what: string;
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

/** Polls until the probe gives something; rejects when the time is up, or with the signal's reason. */
export async function waitFor<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { what, withinMs, signal }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs / 1_000} s for ${what}`);
    await sleep(lookEveryMs);
  }
}

/** Until `enough`, or until `progress` has not changed for so long: false then. */
export async function waitWhileItMoves(options: {
  readonly enough: () => boolean;
  readonly progress: () => number;
  readonly stalledMs: number;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  let last = options.progress();
  let movedAt = performance.now();
  while (!options.enough()) {
    options.signal.throwIfAborted();
    if (performance.now() - movedAt > options.stalledMs) return false;
    await sleep(lookEveryMs);
    const now = options.progress();
    if (now !== last) movedAt = performance.now();
    last = now;
  }
  return true;
}

/** Milliseconds since the epoch with fractions: comparable between the processes of one machine. */
export const now = (): number => performance.timeOrigin + performance.now();
