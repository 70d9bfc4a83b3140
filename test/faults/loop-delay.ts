// How long the event loop of this process was kept from its timers while something went on: whether a silence was the
// relay's, or that of the programme that judges it.
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

const everyMs = 1;
const nanosecondsPerMs = 1_000_000;

export interface Watched<T> {
  readonly value: T;
  /** The longest; about a millisecond where nothing was in the way. */
  readonly loopDelayMs: number;
}

export async function watchLoop<T>(work: () => Promise<T>): Promise<Watched<T>> {
  const histogram = monitorEventLoopDelay({ resolution: everyMs });
  histogram.enable();
  try {
    // A delay is known at the timer behind it, and counts from the timer before it.
    await nextSample(histogram);
    const value = await work();
    await nextSample(histogram);
    return { value, loopDelayMs: histogram.max / nanosecondsPerMs };
  } finally {
    histogram.disable();
  }
}

async function nextSample(histogram: IntervalHistogram): Promise<void> {
  const before = histogram.count;
  while (histogram.count === before) await new Promise((resolve) => setTimeout(resolve, everyMs));
}
