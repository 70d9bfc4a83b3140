// What the measurements come to: delivered, lost, declared, how fast, how soon. It counts what it was shown. Pure.
import type { GapEvent } from '../../src/client/index.ts';
import type { Sent } from './load.ts';
import type { Arrival } from './receiver-process.ts';

export interface Shares {
  readonly relay: number | undefined;
  readonly receiver: number | undefined;
  /** The platform's stand-in, and the bench around it. */
  readonly generator: number | undefined;
}

export interface Phase {
  readonly sent: readonly Sent[];
  readonly startedAt: number;
  /** The last event had left the generator. */
  readonly sentAt: number;
}

export interface Measured {
  readonly burst: Phase;
  readonly paced: Phase;
  readonly pacedPerSecond: number;
  readonly arrivals: ReadonlyMap<string, Arrival>;
  readonly gaps: readonly GapEvent[];
  /** Of one processor each, during the burst. */
  readonly shares: Shares;
  readonly setting: {
    readonly broadcasters: number;
    readonly concurrency: number;
    readonly database: string;
  };
}

/** The line of `--json`. */
export interface BenchLine {
  /** Distinct events accepted, of all that were sent. */
  readonly delivered: number;
  /** Of the burst: from the first sending to the last acceptance. */
  readonly seconds: number;
  readonly per_second: number;
  /** Of the paced part: from the sending to the arrival; null when nothing of it arrived. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** Sent, not delivered, and in no declared gap. */
  readonly lost: number;
}

export interface Details extends BenchLine {
  readonly sent: number;
  readonly declared: number;
  readonly requests: number;
  readonly maxMs: number | null;
  readonly generatorSeconds: number;
}

export function detailsOf({ burst, paced, arrivals, gaps }: Measured): Details {
  const all = [...burst.sent, ...paced.sent];
  const missing = all.filter(({ id }) => !arrivals.has(id));
  const declared = missing.filter((one) => gaps.some((gap) => tellsOf(gap, one))).length;
  const burstArrivals = burst.sent.flatMap(({ id }) => arrivals.get(id)?.at ?? []);
  const lastAt = burstArrivals.reduce((last, at) => Math.max(last, at), burst.startedAt);
  const seconds = (lastAt - burst.startedAt) / 1_000;
  const latencies = paced.sent
    .flatMap(({ id, at }) => {
      const arrival = arrivals.get(id);
      return arrival ? [arrival.at - at] : [];
    })
    .toSorted((a, b) => a - b);
  return {
    sent: all.length,
    delivered: all.length - missing.length,
    seconds: rounded(seconds, 3),
    per_second: seconds > 0 ? Math.round(burstArrivals.length / seconds) : 0,
    p50_ms: percentile(latencies, 0.5),
    p99_ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    lost: missing.length - declared,
    declared,
    requests: [...arrivals.values()].reduce((sum, { requests }) => sum + requests, 0),
    generatorSeconds: rounded((burst.sentAt - burst.startedAt) / 1_000, 3),
  };
}

export function lineOf(measured: Measured): BenchLine {
  const { delivered, seconds, per_second, p50_ms, p99_ms, lost } = detailsOf(measured);
  return { delivered, seconds, per_second, p50_ms, p99_ms, lost };
}

/** By name, or by topic and window. */
const tellsOf = (gap: GapEvent, { id, topicId, at }: Sent): boolean =>
  gap.event_ids
    ? gap.event_ids.includes(id)
    : gap.topic_ids.includes(topicId) && Date.parse(gap.from) <= at && at < Date.parse(gap.to);

/** Nearest rank: the smallest value that is not below the share. `sorted` rises. */
export function percentile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return value === undefined ? null : rounded(value, 1);
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
