// `npm run bench`: every bench, one after another, and the ratios that the relay is held to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asTable } from './kit/table.ts';

interface Ratio {
  readonly name: string;
  readonly what: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** In the order in which they run; each bench's line has its ratios. */
const benches: readonly { readonly bench: string; readonly ratios: readonly Ratio[] }[] = [
  {
    bench: 'fanout',
    ratios: [
      { name: 'fanout_vs_ws', what: 'fan-out, ours / plain ws loop', atLeast: 8 },
      { name: 'fanout_vs_nats', what: 'fan-out, ours / NATS over WebSocket', atLeast: 1 },
      { name: 'fanout_vs_socketio', what: 'fan-out, ours / socket.io', atLeast: 10 },
    ],
  },
  {
    bench: 'topics',
    ratios: [{ name: 'topics_vs_nats', what: 'many topics, ours / NATS over WebSocket', atLeast: 1 }],
  },
  {
    bench: 'latency',
    ratios: [{ name: 'latency_p99_vs_ws', what: 'p99 latency, ours / plain ws loop', atMost: 3 }],
  },
  {
    bench: 'webhooks',
    ratios: [
      { name: 'webhooks_vs_queue', what: 'webhooks, ours / the better of two job queues', atLeast: 1.5 },
      { name: 'webhooks_vs_ceiling', what: 'webhooks, ours / undurable loop', atLeast: 0.7 },
    ],
  },
  {
    bench: 'ingest',
    ratios: [
      { name: 'ingest_vs_insert', what: 'ingest, ours / batched inserts of the same rows', atLeast: 0.6 },
    ],
  },
  {
    bench: 'resume',
    ratios: [{ name: 'resume_growth', what: 'resume at the largest log / at 10,000 rows', atLeast: 0.8 }],
  },
  {
    bench: 'growth',
    ratios: [{ name: 'fanout_growth', what: 'CPU of a delivery at 2,000 consumers / at 10', atMost: 1.2 }],
  },
  {
    bench: 'restart',
    ratios: [{ name: 'restart_vs_ideal', what: 'time to be fully subscribed / the ideal', atMost: 1.3 }],
  },
  {
    bench: 'footprint',
    ratios: [{ name: 'kb_per_idle_consumer', what: 'memory per idle consumer, kB', atMost: 16 }],
  },
];

const usage = `npm run bench -- [options]

Runs every bench, one after another, and shows the ratios that the relay is held to. Each runs alone as well:
npm run bench:${benches.map(({ bench }) => bench).join(', bench:')}.

  --only NAME,NAME     these benches alone
  --database-url URL   for all of them (default DATABASE_URL, else the PostgreSQL of this machine)
  --json               the last line of stdout is the ratios as JSON
  --help               this text

Exit code: 0, whatever the ratios are; 1 if an event was lost or a bench could not run; 2 for a wrong option.`;

type Figures = Readonly<Record<string, unknown>>;

async function run(bench: string, databaseUrl: string | undefined): Promise<Figures | undefined> {
  process.stderr.write(`\n== bench:${bench}\n`);
  const args = ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, `${bench}.ts`), '--json'];
  const url = databaseUrl === undefined ? [] : ['--database-url', databaseUrl];
  const child = spawn(process.execPath, [...args, ...url], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString('utf8')));
  const [code] = (await once(child, 'close')) as [number | null];
  const line = printed.trim().split('\n').at(-1) ?? '';
  if (code !== 0) process.stderr.write(`bench:${bench} ended with ${code ?? 'a signal'}\n`);
  process.stderr.write(`${line}\n`);
  return code === 0 ? (JSON.parse(line) as Figures) : undefined;
}

const bound = ({ atLeast, atMost }: Ratio) => (atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`);
const holds = ({ atLeast, atMost }: Ratio, value: number) =>
  (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    'database-url': { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const only = values.only?.split(',');
const unknown = only?.filter((name) => !benches.some(({ bench }) => bench === name)) ?? [];
if (values.help) {
  console.log(usage);
} else if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(', ')}.\n\n${usage}\n`);
  process.exitCode = 2;
} else {
  const rows: string[][] = [];
  const line: Record<string, number | null> = {};
  for (const { bench, ratios } of benches) {
    if (only && !only.includes(bench)) continue;
    const figures = await run(bench, values['database-url']);
    if (!figures) process.exitCode = 1;
    for (const ratio of ratios) {
      const value = figures?.[ratio.name];
      line[ratio.name] = typeof value === 'number' ? value : null;
      const verdict = typeof value === 'number' ? (holds(ratio, value) ? 'yes' : 'no') : 'not measured';
      rows.push([
        ratio.what,
        ratio.name,
        bound(ratio),
        typeof value === 'number' ? String(value) : '–',
        verdict,
      ]);
    }
  }
  const table = asTable([['', 'ratio', 'required', 'measured', 'holds'], ...rows]);
  if (values.json) process.stderr.write(`\n${table}\n`);
  console.log(values.json ? JSON.stringify(line) : table);
}
