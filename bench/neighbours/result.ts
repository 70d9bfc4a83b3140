// What the rounds come to, as a line for programs and as a table for a person. It counts what it was shown. Pure.
import type { Sent } from '../kit/load.ts';
import { arrivalKey } from '../webhooks/receiver-messages.ts';
import type { Arrival } from '../webhooks/receiver-process.ts';
import { percentile } from '../kit/statistics.ts';

export interface Round {
  /** The first one is not measured, but nothing of it may be lost either. */
  readonly kind: 'warm-up' | 'alone' | 'beside';
  readonly sent: readonly Sent[];
  /** What the hung receiver got: more than one endpoint's requests if some came to their deadline. */
  readonly unanswered: number;
}

export interface Measured {
  readonly rounds: readonly Round[];
  /** Of the healthy endpoints: each is to get every event. */
  readonly paths: readonly string[];
  readonly perSecond: number;
  /** By `arrivalKey`. */
  readonly arrivals: ReadonlyMap<string, Arrival>;
  readonly database: string;
}

/** The line of `--json`. */
export interface NeighboursLine {
  /** Of each kind. */
  readonly rounds: number;
  /** The median of the rounds' p99; null when nothing arrived. */
  readonly alone_p99_ms: number | null;
  readonly beside_p99_ms: number | null;
  /** Beside by alone. */
  readonly ratio: number | null;
}

export function lineOf(measured: Measured): NeighboursLine {
  const [alone, beside] = [medianP99(measured, 'alone'), medianP99(measured, 'beside')];
  return {
    rounds: roundsOf(measured, 'alone').length,
    alone_p99_ms: alone,
    beside_p99_ms: beside,
    ratio: alone && beside ? Number((beside / alone).toFixed(2)) : null,
  };
}

/** Nothing fails upstream here and no healthy receiver refuses anything: whatever did not arrive is lost, declared or not. */
export const lostOf = ({ rounds, paths, arrivals }: Measured): number =>
  rounds
    .flatMap(({ sent }) => sent)
    .reduce((sum, { id }) => sum + paths.filter((path) => !arrivals.has(arrivalKey(id, path))).length, 0);

export function render(measured: Measured): string {
  const { paths, perSecond, rounds, database } = measured;
  const [alone, beside] = [roundsOf(measured, 'alone'), roundsOf(measured, 'beside')];
  const { alone_p99_ms, beside_p99_ms, ratio } = lineOf(measured);
  const events = rounds.reduce((sum, { sent }) => sum + sent.length, 0);
  return [
    `${paths.length} healthy receivers, ${perSecond} events per second to each, ${database}; milliseconds`,
    '',
    row(['round', 'alone p50', 'p99', 'beside p50', 'p99', 'unanswered beside']),
    ...beside.map((each, index) =>
      row([index + 1, ...times(measured, alone[index]), ...times(measured, each), each.unanswered]),
    ),
    row(['median', '', alone_p99_ms, '', beside_p99_ms, '']),
    '',
    `p99 beside a hung receiver is ${ratio ?? '–'} times that alone; ` +
      `of ${(events * paths.length).toLocaleString('en')} deliveries ${lostOf(measured)} were lost`,
  ].join('\n');
}

const roundsOf = ({ rounds }: Measured, wanted: Round['kind']): Round[] =>
  rounds.filter(({ kind }) => kind === wanted);

/** From the sending to the arrival at each receiver, rising. */
const latencies = ({ arrivals, paths }: Measured, { sent }: Round): number[] =>
  sent
    .flatMap(({ id, at }) => paths.map((path) => (arrivals.get(arrivalKey(id, path))?.at ?? Number.NaN) - at))
    .filter((ms) => !Number.isNaN(ms))
    .toSorted((a, b) => a - b);

/** Of the rounds, so that a moment in which the machine did something else spoils one round and not the result. */
const medianP99 = (measured: Measured, kind: Round['kind']): number | null =>
  percentile(
    roundsOf(measured, kind)
      .flatMap((round) => percentile(latencies(measured, round), 0.99) ?? [])
      .toSorted((a, b) => a - b),
    0.5,
  );

const times = (measured: Measured, round: Round | undefined): (number | null)[] => {
  const sorted = round ? latencies(measured, round) : [];
  return [percentile(sorted, 0.5), percentile(sorted, 0.99)];
};

const widths = [8, 11, 8, 12, 8, 19];
const row = (cells: readonly (string | number | null)[]): string =>
  cells.map((cell, index) => String(cell ?? '–').padStart(widths[index] ?? 0)).join('');
