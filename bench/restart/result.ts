// What the restarts come to. Pure.
import { rounded } from '../kit/statistics.ts';
import { percent, spread, summaryOf } from '../kit/summary.ts';
import type { Summary } from '../kit/summary.ts';
import { asTable } from '../kit/table.ts';

/** One start after a kill. Milliseconds. */
export interface Restart {
  readonly bots: number;
  /** From the start of the process to the first that the platform sees of it. */
  readonly startUpMs: number;
  /** From the start of the process until it takes requests. */
  readonly readyMs: number;
  /** From the first that the platform sees until every topic's row names a subscription on a live session. */
  readonly subscribeMs: number;
  /** The most calls that one bot made in that time. */
  readonly calls: number;
  /** Of one processor each, from the first call to the last confirmation. */
  readonly relayShare: number | undefined;
  readonly platformShare: number | undefined;
}

export interface Measured {
  readonly restarts: readonly Restart[];
  readonly sizes: readonly number[];
  readonly topics: number;
  readonly latencyMs: number;
  readonly database: string;
}

/** A list, to know what is there, and a create for each topic: one bot's calls go out one after another. */
export const idealMs = ({ topics, latencyMs }: Pick<Measured, 'topics' | 'latencyMs'>): number =>
  (1 + topics) * latencyMs;

const of = (measured: Measured, bots: number, pick: (restart: Restart) => number): Summary =>
  summaryOf(measured.restarts.filter((restart) => restart.bots === bots).map(pick));

const ratio = (measured: Measured, bots: number): number =>
  rounded(of(measured, bots, ({ subscribeMs }) => subscribeMs).median / idealMs(measured), 3);

/** The line of `--json`: flat, with the number of bots in the names. */
export function lineOf(measured: Measured): Record<string, number> {
  const { sizes, topics, latencyMs } = measured;
  const perSize = sizes.flatMap((bots) => [
    [`bots_${bots}_start_up_ms`, of(measured, bots, ({ startUpMs }) => startUpMs).median],
    [`bots_${bots}_subscribe_ms`, of(measured, bots, ({ subscribeMs }) => subscribeMs).median],
    [`bots_${bots}_vs_ideal`, ratio(measured, bots)],
  ]);
  return {
    rounds: of(measured, sizes[0] ?? 0, ({ calls }) => calls).rounds,
    topics,
    latency_ms: latencyMs,
    ideal_ms: idealMs(measured),
    ...(Object.fromEntries(perSize) as Record<string, number>),
    restart_vs_ideal: Math.max(...sizes.map((bots) => ratio(measured, bots))),
  };
}

export function render(measured: Measured): string {
  const { sizes, topics, latencyMs, database, restarts } = measured;
  const middle = (bots: number, pick: (restart: Restart) => number | undefined) =>
    percent(
      summaryOf(
        restarts.filter((restart) => restart.bots === bots).map((restart) => pick(restart) ?? Number.NaN),
        2,
      ).median,
    );
  return [
    `${topics} topics of each bot, ${latencyMs} ms for each answer, ${database}; milliseconds; ideal ${idealMs(measured)} ms`,
    '',
    asTable([
      ['bots', 'start-up', 'ready', 'subscribing', 'by the ideal', 'calls', 'relay', 'platform'],
      ...sizes.map((bots) => [
        String(bots),
        spread(of(measured, bots, ({ startUpMs }) => startUpMs)),
        spread(of(measured, bots, ({ readyMs }) => readyMs)),
        spread(of(measured, bots, ({ subscribeMs }) => subscribeMs)),
        String(ratio(measured, bots)),
        String(of(measured, bots, ({ calls }) => calls).max),
        middle(bots, ({ relayShare }) => relayShare),
        middle(bots, ({ platformShare }) => platformShare),
      ]),
    ]),
    '',
    'Start-up: from the start of the process to its first call. Subscribing: from there to the last confirmation.',
    'Calls: the most of one bot. Processors: of one each, while it subscribes.',
  ].join('\n');
}
