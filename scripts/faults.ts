// `npm run faults`: breaks everything around the relay that can break, under load, and judges what its consumers got. Ends
// with 1 when anything was lost without a word, repeated without a mark, out of order, or could not be played.
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import type { DatabaseKind, FaultKind, Row } from '../test/faults/contract.ts';
import { kinds } from '../test/faults/kinds/index.ts';
import { shortKinds } from '../test/faults/kinds/short.ts';
import { isClean, progress, summarise, summaryTable, table } from '../test/faults/report.ts';
import { playAll } from '../test/faults/runner.ts';

const usage = `npm run faults -- [options]
  --short              one seed, embedded database, some fifty kinds, none longer than it must be
  --database WHICH     embedded, postgres (a server of its own), or both (default)
  --seeds NUMBER       how many seeds, from 1 on (default 3)
  --seed NUMBER        this seed alone
  --fault NAME,NAME    these kinds alone
  --rate NUMBER        events a second (default 220; less where others use the machine)
  --list               the kinds, and ends
  --json               only the JSON line on stdout
  --rows               with --json: a line for each run before it
  --from FILE,FILE     plays nothing: what --json --rows printed, as a table for a document`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    database: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    seed: { type: 'string' },
    fault: { type: 'string' },
    rate: { type: 'string' },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rows: { type: 'boolean', default: false },
    from: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const say = (line: string) => void process.stderr.write(`${line}\n`);

function wrong(why: string): never {
  say(`${why}\n${usage}`);
  process.exit(2);
}

function chosenKinds(): readonly FaultKind[] {
  const names = values.fault?.split(',');
  const unknown = names?.filter((name) => !kinds.some((kind) => kind.name === name)) ?? [];
  if (unknown.length > 0) wrong(`There is no fault ${unknown.join(', ')}; --list names them.`);
  const wanted = names ?? (values.short ? shortKinds : undefined);
  return wanted ? kinds.filter(({ name }) => wanted.includes(name)) : kinds;
}

function chosenDatabases(): readonly DatabaseKind[] {
  const which = values.database ?? (values.short ? 'embedded' : 'both');
  switch (which) {
    case 'both':
      return ['embedded', 'postgres'];
    case 'embedded':
    case 'postgres':
      return [which];
    default:
      return wrong(`There is no database ${which}.`);
  }
}

function chosenSeeds(): readonly number[] {
  const one = values.seed === undefined ? undefined : Number(values.seed);
  const count = values.short ? 1 : Number(values.seeds);
  if (Number.isNaN(one) || !Number.isInteger(count) || count < 1) wrong('A seed is a number.');
  return one === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [one];
}

function chosenRate(): number | undefined {
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  if (rate !== undefined && !(rate > 0)) wrong('A rate is a number above 0.');
  return rate;
}

if (values.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
if (values.list) {
  const width = Math.max(...kinds.map(({ name }) => name.length));
  for (const { name, group, what } of kinds)
    process.stdout.write(`${name.padEnd(width)}  ${group.padEnd(9)}  ${what}\n`);
  process.exit(0);
}

if (values.from !== undefined) {
  const lines = values.from.split(',').flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'));
  const rows = lines
    .map((line) => JSON.parse(line) as Partial<Row>)
    .filter((row): row is Row => 'fault' in row);
  rows.sort((a, b) => a.group.localeCompare(b.group) || a.fault.localeCompare(b.fault));
  process.stdout.write(`${summaryTable(rows)}\n\n${JSON.stringify(summarise(rows))}\n`);
  process.exit(isClean(summarise(rows)) ? 0 : 1);
}

const open = new Set<AsyncDisposable>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    // The last opened first: what stands on something else goes before it.
    const closing = [...open].toReversed().map((thing) => thing[Symbol.asyncDispose]());
    void Promise.allSettled(closing).then(() => process.exit(130));
  });
}

const rows = await playAll({
  open,
  kinds: chosenKinds(),
  databases: chosenDatabases(),
  seeds: chosenSeeds(),
  isLong: !values.short,
  perSecond: chosenRate(),
  say,
  onRow: (row) => {
    say(progress(row));
    if (values.json && values.rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  },
});
const summary = summarise(rows);
if (!values.json) process.stdout.write(`\n${table(rows)}\n\n`);
process.stdout.write(`${JSON.stringify(summary)}\n`);
// What a fault left open must not keep the programme.
process.exit(isClean(summary) ? 0 : 1);
