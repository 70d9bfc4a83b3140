// What the measurements come to: delivered, lost, declared, how fast, how soon, and how the relay stands beside the others.
// It counts what it was shown. Pure.
import type { GapEvent } from '../../src/client/index.ts';
import type { Sent } from '../kit/load.ts';
import { median, percentile, rounded } from '../kit/statistics.ts';
import type { Role } from './contenders.ts';
import type { Arrival } from './receiver-process.ts';

/** Of one processor each; `machine`: of all of them. Undefined where the system does not tell. */
export interface Shares {
  readonly contender: number | undefined;
  readonly receiver: number | undefined;
  /** The platform's stand-in, and the bench around it. */
  readonly generator: number | undefined;
  /** Everything that ran, the database and others too. */
  readonly machine: number | undefined;
}

export interface Phase {
  readonly sent: readonly Sent[];
  readonly startedAt: number;
  /** The last event had left the generator. */
  readonly sentAt: number;
}

/** One contender's turn. */
export interface Measured {
  /** Not timed, but none of it may be lost either. */
  readonly warm: Phase;
  readonly burst: Phase;
  readonly paced: Phase;
  readonly arrivals: ReadonlyMap<string, Arrival>;
  readonly gaps: readonly GapEvent[];
  /** During the burst. */
  readonly shares: Shares;
  readonly database: string;
}

export interface Details {
  readonly sent: number;
  /** Distinct events accepted, of all that were sent. */
  readonly delivered: number;
  /** Of the burst: from the first sending to the last acceptance. */
  readonly seconds: number;
  readonly per_second: number;
  /** Of the paced part: from the sending to the arrival; null when nothing of it arrived. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly maxMs: number | null;
  /** Sent, not delivered, and in no declared gap. */
  readonly lost: number;
  readonly declared: number;
  readonly requests: number;
  readonly generatorSeconds: number;
  readonly shares: Shares;
}

export interface Turn extends Details {
  readonly name: string;
  readonly role: Role;
  readonly round: number;
}

export interface BenchResult {
  readonly turns: readonly Turn[];
  readonly setting: {
    readonly broadcasters: number;
    readonly concurrency: number;
    readonly pacedPerSecond: number;
    readonly database: string;
    readonly fsync: string;
    readonly synchronousCommit: string;
  };
}

export function detailsOf({ warm, burst, paced, arrivals, gaps, shares }: Measured): Details {
  const all = [...warm.sent, ...burst.sent, ...paced.sent];
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
    shares,
  };
}

/** A figure over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export const spreadOf = (values: readonly number[], digits: number): Spread => ({
  median: rounded(median(values), digits),
  min: rounded(Math.min(...values), digits),
  max: rounded(Math.max(...values), digits),
});

/** The relay's rate by the best rate of the others with that role in the same round; undefined without any. */
export function ratioTo(role: Role, { turns }: BenchResult): Spread | undefined {
  const rounds = groupBy(turns, ({ round }) => round);
  const ratios = [...rounds.values()].flatMap((all) => {
    const own = all.find((turn) => turn.role === 'ours')?.per_second ?? 0;
    const best = Math.max(0, ...all.filter((turn) => turn.role === role).map((turn) => turn.per_second));
    return best > 0 ? [own / best] : [];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios, 2);
}

/** The contenders in the order of their first turns. */
export const contendersIn = ({ turns }: BenchResult): readonly (readonly [string, readonly Turn[]])[] => [
  ...groupBy(turns, ({ name }) => name),
];

/** The line of `--json`: the relay's own figures, the ratios, and everybody's figures under their name. All are medians. */
export function lineOf(result: BenchResult): Readonly<Record<string, unknown>> {
  const own = result.turns.filter(({ role }) => role === 'ours');
  return {
    rounds: new Set(result.turns.map(({ round }) => round)).size,
    delivered: sum(own.map(({ delivered }) => delivered)),
    ...figuresOf(own),
    ...prefixed('webhooks_vs_queue', ratioTo('queue', result)),
    ...prefixed('webhooks_vs_ceiling', ratioTo('ceiling', result)),
    ...Object.fromEntries(
      contendersIn(result)
        .filter(([, turns]) => turns[0]?.role !== 'ours')
        .flatMap(([name, turns]) =>
          Object.entries(figuresOf(turns)).map(([figure, value]) => [
            `${name.replaceAll('-', '_')}_${figure}`,
            value,
          ]),
        ),
    ),
    fsync: result.setting.fsync,
  };
}

/** Of everybody: a peer that loses events says nothing by being fast. */
export const lostIn = ({ turns }: BenchResult): number => sum(turns.map(({ lost }) => lost));

function figuresOf(turns: readonly Turn[]) {
  const rates = spreadOf(
    turns.map(({ per_second }) => per_second),
    0,
  );
  return {
    seconds: medianOf(turns, ({ seconds }) => seconds),
    per_second: rates.median,
    per_second_min: rates.min,
    per_second_max: rates.max,
    p50_ms: medianOf(turns, ({ p50_ms }) => p50_ms),
    p99_ms: medianOf(turns, ({ p99_ms }) => p99_ms),
    lost: sum(turns.map(({ lost }) => lost)),
  };
}

function medianOf(turns: readonly Turn[], pick: (turn: Turn) => number | null): number | null {
  const values = turns.flatMap((turn) => pick(turn) ?? []);
  return values.length === 0 ? null : rounded(median(values), 3);
}

const prefixed = (name: string, spread: Spread | undefined): Record<string, number> =>
  spread ? { [name]: spread.median, [`${name}_min`]: spread.min, [`${name}_max`]: spread.max } : {};

function groupBy<Key>(turns: readonly Turn[], keyOf: (turn: Turn) => Key): ReadonlyMap<Key, readonly Turn[]> {
  const groups = new Map<Key, Turn[]>();
  for (const turn of turns) groups.set(keyOf(turn), [...(groups.get(keyOf(turn)) ?? []), turn]);
  return groups;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** By name, or by topic and window. */
const tellsOf = (gap: GapEvent, { id, topicId, at }: Sent): boolean =>
  gap.event_ids
    ? gap.event_ids.includes(id)
    : gap.topic_ids.includes(topicId) && Date.parse(gap.from) <= at && at < Date.parse(gap.to);
