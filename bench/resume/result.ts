// What the turns come to. It counts what it was shown. Pure.
import { percentile, rounded } from '../kit/statistics.ts';
import { figure, percent, spread, summaryOf } from '../kit/summary.ts';
import type { Summary } from '../kit/summary.ts';
import { asTable } from '../kit/table.ts';

/** One connection that read on: from the first event to the last. */
export interface Pass {
  readonly events: number;
  readonly seconds: number;
  /** From the request for the socket to the first event. */
  readonly firstMs: number;
  /** Of what the log has for the consumer between where it began and where it ended. */
  readonly lost: number;
}

export interface Turn {
  readonly rows: number;
  readonly passes: readonly Pass[];
  /** From the sending by the platform to the arrival at a consumer that is at the end of the log. Milliseconds, rising. */
  readonly quietMs: readonly number[];
  readonly besideMs: readonly number[];
  /** New events that did not come. */
  readonly lostNew: number;
  /** Of one processor each, while the consumer read on. */
  readonly relayShare: number | undefined;
  readonly readerShare: number | undefined;
}

export interface Measured {
  readonly turns: readonly Turn[];
  readonly sizes: readonly number[];
  readonly behind: number;
  readonly perSecond: number;
  readonly database: string;
}

const ofSize = ({ turns }: Measured, rows: number): readonly Turn[] =>
  turns.filter((turn) => turn.rows === rows);

const sum = <T>(items: readonly T[], pick: (item: T) => number): number =>
  items.reduce((total, item) => total + pick(item), 0);

const resumePerSecond = (measured: Measured, rows: number): Summary =>
  summaryOf(
    ofSize(measured, rows).map(
      ({ passes }) => sum(passes, ({ events }) => events) / sum(passes, ({ seconds }) => seconds),
    ),
  );

const latency = (measured: Measured, rows: number, part: 'quietMs' | 'besideMs', at: number): Summary =>
  summaryOf(
    ofSize(measured, rows).flatMap((turn) => percentile(turn[part], at) ?? []),
    1,
  );

const growth = (measured: Measured): number => {
  const [smallest = 0, largest = 0] = [measured.sizes[0], measured.sizes.at(-1)];
  return rounded(resumePerSecond(measured, largest).median / resumePerSecond(measured, smallest).median, 3);
};

export const lostOf = ({ turns }: Measured): number =>
  sum(turns, ({ passes, lostNew }) => lostNew + sum(passes, ({ lost }) => lost));

/** The line of `--json`: flat, with the rows in the names. */
export function lineOf(measured: Measured): Record<string, number> {
  const perSize = measured.sizes.flatMap((rows) => [
    [`rows_${rows}_resume_per_second`, resumePerSecond(measured, rows).median],
    [`rows_${rows}_quiet_p50_ms`, latency(measured, rows, 'quietMs', 0.5).median],
    [`rows_${rows}_quiet_p99_ms`, latency(measured, rows, 'quietMs', 0.99).median],
    [`rows_${rows}_beside_p50_ms`, latency(measured, rows, 'besideMs', 0.5).median],
    [`rows_${rows}_beside_p99_ms`, latency(measured, rows, 'besideMs', 0.99).median],
  ]);
  return {
    rounds: resumePerSecond(measured, measured.sizes[0] ?? 0).rounds,
    behind: measured.behind,
    ...(Object.fromEntries(perSize) as Record<string, number>),
    resume_growth: growth(measured),
    lost: lostOf(measured),
  };
}

export function render(measured: Measured): string {
  const { sizes, behind, perSecond, database } = measured;
  const both = (rows: number, part: 'quietMs' | 'besideMs') =>
    [0.5, 0.99].map((at) => spread(latency(measured, rows, part, at)));
  const middle = (rows: number, pick: (turn: Turn) => number | undefined) =>
    percent(
      summaryOf(
        ofSize(measured, rows).flatMap((turn) => pick(turn) ?? []),
        2,
      ).median,
    );
  const rounds = resumePerSecond(measured, sizes[0] ?? 0).rounds;
  return [
    `A consumer ${figure(behind)} rows behind (or as many as there are), beside ${perSecond} new events per second; ` +
      `${rounds} rounds, ${database}`,
    '',
    asTable([
      ['rows in the log', 'resume, events/s', 'first after, ms', 'relay', 'reader'],
      ...sizes.map((rows) => [
        figure(rows),
        spread(resumePerSecond(measured, rows)),
        spread(
          summaryOf(
            ofSize(measured, rows).flatMap(({ passes }) => passes.map(({ firstMs }) => firstMs)),
            1,
          ),
        ),
        middle(rows, ({ relayShare }) => relayShare),
        middle(rows, ({ readerShare }) => readerShare),
      ]),
    ]),
    '',
    asTable([
      ['new events, ms', 'quiet p50', 'p99', 'beside p50', 'p99'],
      ...sizes.map((rows) => [figure(rows), ...both(rows, 'quietMs'), ...both(rows, 'besideMs')]),
    ]),
    '',
    `resume_growth ${growth(measured)} (the largest by the smallest log); lost ${lostOf(measured)}`,
  ].join('\n');
}
