// The rows as a table for people and as one line for machines. Pure.
import type { Row } from './contract.ts';

export interface Summary {
  readonly faults: number;
  readonly runs: number;
  readonly fired: number;
  readonly lost: number;
  readonly undeclared: number;
  readonly unmarked_duplicates: number;
  readonly disordered: number;
  readonly too_wide: number;
  readonly errors: number;
  readonly recovered: number;
}

export function summarise(rows: readonly Row[]): Summary {
  const sum = (count: (row: Row) => number) => rows.reduce((total, row) => total + count(row), 0);
  const names = [...new Set(rows.map(({ fault }) => fault))];
  const quiet = new Set(rows.filter(({ fired }) => fired === 0).map(({ fault }) => fault));
  return {
    faults: names.length,
    runs: rows.length,
    fired: names.length - quiet.size,
    lost: sum(({ lost }) => lost),
    undeclared: sum(({ undeclared }) => undeclared),
    unmarked_duplicates: sum(({ unmarkedDuplicates }) => unmarkedDuplicates),
    disordered: sum(({ disordered }) => disordered),
    too_wide: sum(({ tooWide }) => tooWide),
    errors: sum(({ error }) => (error === null ? 0 : 1)),
    recovered: sum(({ recoveredMs }) => (recoveredMs === null ? 0 : 1)),
  };
}

export function isClean(summary: Summary): boolean {
  const {
    faults,
    runs,
    fired,
    lost,
    undeclared,
    unmarked_duplicates,
    disordered,
    too_wide,
    errors,
    recovered,
  } = summary;
  const wrong = lost + undeclared + unmarked_duplicates + disordered + too_wide + errors;
  return runs > 0 && wrong === 0 && fired === faults && recovered === runs;
}

const columns: readonly { readonly head: string; readonly of: (row: Row) => string | number }[] = [
  { head: 'fault', of: ({ fault }) => fault },
  { head: 'database', of: ({ database }) => database },
  { head: 'seed', of: ({ seed }) => seed },
  { head: 'fired', of: ({ fired }) => fired },
  { head: 'sent', of: ({ sent }) => sent },
  { head: 'lost', of: ({ lost }) => lost },
  { head: 'gaps/ms', of: ({ gaps, gapMs }) => `${gaps}/${gapMs}` },
  { head: 'undeclared', of: ({ undeclared }) => undeclared },
  { head: 'dup marked/un', of: (row) => `${row.markedDuplicates}/${row.unmarkedDuplicates}` },
  { head: 'disordered', of: ({ disordered }) => disordered },
  { head: 'too wide', of: ({ tooWide }) => tooWide },
  {
    head: 'healthy after s',
    of: ({ recoveredMs }) => (recoveredMs === null ? 'never' : (recoveredMs / 1_000).toFixed(1)),
  },
];

export function table(rows: readonly Row[]): string {
  const cells = [
    columns.map(({ head }) => head),
    ...rows.map((row) => columns.map(({ of }) => String(of(row)))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

/** All runs of a kind as one line of a Markdown table, for a document. */
export function summaryTable(rows: readonly Row[]): string {
  const kinds = [...new Set(rows.map(({ fault }) => fault))];
  const sum = (some: readonly Row[], of: (row: Row) => number) => some.reduce((all, row) => all + of(row), 0);
  const lines = kinds.map((fault) => {
    const some = rows.filter((row) => row.fault === fault);
    const seconds = some.flatMap(({ recoveredMs }) => recoveredMs ?? []).toSorted((a, b) => a - b);
    const recovered = [seconds[Math.floor(seconds.length / 2)], seconds.at(-1)];
    return [
      fault,
      some.length,
      sum(some, ({ sent }) => sent),
      sum(some, ({ lost }) => lost),
      sum(some, ({ gaps }) => gaps),
      (sum(some, ({ gapMs }) => gapMs) / 1_000).toFixed(1),
      sum(some, ({ undeclared }) => undeclared),
      sum(some, ({ markedDuplicates }) => markedDuplicates),
      sum(some, ({ unmarkedDuplicates }) => unmarkedDuplicates),
      ...recovered.map((ms) => (ms === undefined ? 'never' : (ms / 1_000).toFixed(1))),
    ];
  });
  const head = [
    'fault',
    'runs',
    'sent',
    'lost',
    'gaps',
    'their seconds',
    'undeclared',
    'repeated',
    'unmarked',
    'healthy after s',
    'at worst',
  ];
  const rule = head.map((_, at) => (at === 0 ? '---' : '--:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** One row while the programme runs, with what was found. */
export function progress(row: Row): string {
  const isWrong =
    row.lost + row.undeclared + row.unmarkedDuplicates + row.disordered + row.tooWide > 0 ||
    row.error !== null;
  const parts = columns.slice(3).map(({ head, of }) => `${head} ${of(row)}`);
  const lines = [`${isWrong ? 'FAIL' : 'ok  '} ${row.fault}: ${parts.join(', ')}`];
  if (row.error !== null) lines.push(`     ${row.error}`);
  for (const finding of row.findings) lines.push(`     ${finding}`);
  return lines.join('\n');
}
