// The result as a person reads it. Pure.
import { contendersIn, ratioTo, spreadOf } from './result.ts';
import type { BenchResult, Shares, Spread, Turn } from './result.ts';

export function render(result: BenchResult): string {
  const { broadcasters, concurrency, pacedPerSecond, database, fsync, synchronousCommit } = result.setting;
  const table = [
    ['', 'per second', 'range', 'p50', 'p99', 'lost', 'own time', 'processors during the burst, each of one'],
    ...contendersIn(result).map(([name, turns]) => rowOf(name, turns)),
  ];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [
    `${broadcasters} broadcasters, one endpoint, ${concurrency} requests at once, ${database}, fsync ${fsync}, ` +
      `synchronous_commit ${synchronousCommit}; latency at ${pacedPerSecond} per second`,
    ...lines.map((line) => line.trimEnd()),
    ...ratio('webhooks_vs_queue', ratioTo('queue', result)),
    ...ratio('webhooks_vs_ceiling', ratioTo('ceiling', result)),
  ].join('\n');
}

function rowOf(name: string, turns: readonly Turn[]): string[] {
  const rates = spreadOf(
    turns.map(({ per_second }) => per_second),
    0,
  );
  const lost = turns.reduce((sum, turn) => sum + turn.lost, 0);
  return [
    name,
    count(rates.median),
    `${count(rates.min)}–${count(rates.max)}`,
    ms(turns.map(({ p50_ms }) => p50_ms)),
    ms(turns.map(({ p99_ms }) => p99_ms)),
    count(lost),
    ownTime(turns),
    sharesText(turns.map(({ shares }) => shares)),
  ];
}

const ratio = (name: string, spread: Spread | undefined): string[] =>
  spread ? [`${name} ${spread.median} (${spread.min}–${spread.max})`] : [];

const count = (value: number): string => value.toLocaleString('en');

function ms(values: readonly (number | null)[]): string {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? '–' : `${spreadOf(known, 1).median} ms`;
}

/** Of its own processor, for one event: what stays comparable while others use the machine as well. */
function ownTime(turns: readonly Turn[]): string {
  const known = turns.flatMap(({ shares, per_second }) =>
    shares.contender === undefined || per_second === 0 ? [] : (1e6 * shares.contender) / per_second,
  );
  return known.length === 0 ? 'unknown' : `${spreadOf(known, 0).median} µs`;
}

const parts = ['contender', 'receiver', 'generator', 'machine'] as const;

const sharesText = (all: readonly Shares[]): string =>
  parts
    .map((part) => {
      const known = all.flatMap((shares) => shares[part] ?? []);
      return `${part} ${known.length === 0 ? 'unknown' : `${Math.round(100 * spreadOf(known, 2).median)} %`}`;
    })
    .join(', ');
