// What the rounds come to. It counts what it was shown. Pure.
import { percent, spread, summaryOf } from '../kit/summary.ts';
import type { Summary } from '../kit/summary.ts';
import { asTable } from '../kit/table.ts';
import { rounded } from '../kit/statistics.ts';
import type { InsertForm } from './insert-messages.ts';

/** Of one processor each. */
export interface Shares {
  /** The relay, or the program that inserts. */
  readonly program: number | undefined;
  readonly postgres: number | undefined;
  /** The platform's stand-in; 0 where nothing is sent. */
  readonly generator: number | undefined;
}

export interface Turn {
  readonly contender: string;
  readonly events: number;
  readonly seconds: number;
  readonly lost: number;
  readonly shares: Shares;
}

export interface Insertion {
  readonly contender: string;
  readonly form: InsertForm;
  readonly batchRows: number;
}

export interface Measured {
  readonly turns: readonly Turn[];
  readonly bots: number;
  readonly topics: number;
  readonly eventBytes: number;
  readonly insertions: readonly Insertion[];
  /** What the relay's commits held on average, in the burst of one bot. */
  readonly batchRows: number;
  readonly database: string;
}

export const oneBot = 'relay, 1 bot';
export const allBots = 'relay, all bots';

/** The line of `--json`. */
export interface IngestLine {
  readonly rounds: number;
  readonly events: number;
  readonly one_bot_per_second: number;
  readonly all_bots: number;
  readonly all_bots_per_second: number;
  /** The best of those that were tried. */
  readonly insert_per_second: number;
  readonly insert_batch_rows: number;
  readonly ingest_vs_insert: number;
  readonly all_bots_vs_insert: number;
  readonly lost: number;
}

const perSecond = ({ turns }: Measured, contender: string): Summary =>
  summaryOf(
    turns.filter((turn) => turn.contender === contender).map(({ events, seconds }) => events / seconds),
  );

function bestInsertion(measured: Measured): { insertion: Insertion; rate: Summary } {
  const [best] = measured.insertions
    .map((insertion) => ({ insertion, rate: perSecond(measured, insertion.contender) }))
    .toSorted((a, b) => b.rate.median - a.rate.median);
  if (!best) throw new Error('nothing was inserted');
  return best;
}

export const lostOf = ({ turns }: Measured): number => turns.reduce((sum, { lost }) => sum + lost, 0);

export function lineOf(measured: Measured): IngestLine {
  const [one, all, best] = [
    perSecond(measured, oneBot),
    perSecond(measured, allBots),
    bestInsertion(measured),
  ];
  return {
    rounds: one.rounds,
    events: measured.turns[0]?.events ?? 0,
    one_bot_per_second: one.median,
    all_bots: measured.bots,
    all_bots_per_second: all.median,
    insert_per_second: best.rate.median,
    insert_batch_rows: best.insertion.batchRows,
    ingest_vs_insert: rounded(one.median / best.rate.median, 3),
    all_bots_vs_insert: rounded(all.median / best.rate.median, 3),
    lost: lostOf(measured),
  };
}

export function render(measured: Measured): string {
  const { turns, bots, topics, eventBytes, insertions, batchRows, database } = measured;
  const line = lineOf(measured);
  const contenders = [oneBot, allBots, ...insertions.map(({ contender }) => contender)];
  const sharesOf = (contender: string, part: keyof Shares): string => {
    const values = turns
      .filter((turn) => turn.contender === contender)
      .flatMap(({ shares }) => shares[part] ?? []);
    return percent(values.length === 0 ? undefined : summaryOf(values, 2).median);
  };
  return [
    `${line.events.toLocaleString('en')} events per turn, ${line.rounds} rounds, ${database}; ` +
      `one bot and ${bots} bots with ${topics} topics each, ${eventBytes} bytes of event`,
    '',
    asTable([
      ['', 'events per second', 'program', 'postgres', 'generator'],
      ...contenders.map((contender) => [
        contender,
        spread(perSecond(measured, contender)),
        sharesOf(contender, 'program'),
        sharesOf(contender, 'postgres'),
        sharesOf(contender, 'generator'),
      ]),
    ]),
    '',
    `The relay's commits held ${batchRows} events on average. Processors: of one each, in the middle round.`,
    `ingest_vs_insert ${line.ingest_vs_insert} (one bot by the best of the inserts); all bots ${line.all_bots_vs_insert}; lost ${line.lost}`,
  ].join('\n');
}
