// `npm run soak`: the stage of the fault programme for a long time, with nothing but everyday trouble: 300 events a second, a
// server-requested reconnect every minute, consumers coming and going. Measures whether anything in the relay's process
// grows, and has the oracle judge every minute. Ends with 1 when something was lost or is certainly not flat.
import { parseArgs } from 'node:util';
import type { DatabaseKind, FaultKind, Verdict } from '../test/faults/contract.ts';
import { ScratchPostgres } from '../test/faults/own-postgres.ts';
import { flatness, lineThrough, type Flatness, type Line, type Sample } from '../test/faults/slope.ts';
import type { Settled } from '../test/faults/settle.ts';
import { openStage, type FaultStage } from '../test/faults/stage.ts';

const usualRate = 300;
const usage = `npm run soak -- [options]
  --minutes NUMBER     how long (default 30)
  --database WHICH     postgres (a server of its own, default) or embedded
  --rate NUMBER        events a second (default ${usualRate})
  --seed NUMBER        default 1
  --json               only the JSON line on stdout`;

/** Message ids are remembered for a quarter of an hour in life; here the window is full when the measuring begins. */
const dedupeWindowMs = 60_000;
/** Until the windows of ids and of the newest records are full. A short run measures its second half. */
const warmUpMs = 150_000;
const cycleMs = 10_000;
const cyclesPerRound = 6;
const crowdSize = 25;
const cutsPerCycle = 3;
const crowdStaysMs = 3_000;
/** After the crowd has gone, before what is left of it is measured. */
const calmMs = 4_000;
const megabyte = 1024 * 1024;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    database: { type: 'string', default: 'postgres' },
    rate: { type: 'string', default: String(usualRate) },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const say = (line: string) => void process.stderr.write(`${line}\n`);
const minutes = Number(values.minutes);
const perSecond = Number(values.rate);
const seed = Number(values.seed);
if (values.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}
if (
  !(minutes > 0) ||
  !(perSecond > 0) ||
  Number.isNaN(seed) ||
  !['postgres', 'embedded'].includes(values.database)
) {
  say(usage);
  process.exit(2);
}
const database = values.database as DatabaseKind;

/** What is measured, and how much of it may be gained in an hour. */
interface Figure {
  readonly name: string;
  /** Null: told, not judged. */
  readonly limitPerHour: number | null;
}
/**
 * Bytes: eight for each event would be this much. Counts: an hour has sixty reconnects and ten thousand consumers that come
 * and go; what is left behind for every one of either is at least sixty.
 */
const limits = { bytes: 8, counts: 12 };
const figures: readonly Figure[] = [
  { name: 'heap MB', limitPerHour: limits.bytes },
  { name: 'external MB', limitPerHour: limits.bytes },
  { name: 'rss MB', limitPerHour: null },
  { name: 'handles', limitPerHour: limits.counts },
  { name: 'sockets', limitPerHour: limits.counts },
  { name: 'timers', limitPerHour: limits.counts },
  { name: 'database connections', limitPerHour: limits.counts },
];
const rule =
  `Rule: a line is laid through the samples after the warm-up. Flat: it rises by no more than ${limits.bytes} MB or ` +
  `${limits.counts} pieces an hour, at the most that two standard errors allow; not flat: by more, at the least.`;

type Measured = Readonly<Record<string, number | null>>;

async function measure(stage: FaultStage): Promise<Measured> {
  const got = await stage.relay.measure();
  if (!got.collected) throw new Error('the relay may not collect garbage');
  const [row] = stage.postgres
    ? await stage.postgres.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'eventsub-relay'`,
      )
    : [];
  return {
    'heap MB': got.heapBytes / megabyte,
    'external MB': got.externalBytes / megabyte,
    'rss MB': got.rssBytes / megabyte,
    handles: got.handles,
    sockets: got.sockets,
    timers: got.timers,
    'database connections': row?.count ?? null,
  };
}

/** Everyday trouble: nothing of it may cost an event or declare a gap. */
const everyday: FaultKind = {
  name: 'soak',
  group: 'session',
  what: 'a server-requested reconnect, and consumers that come and go',
  databases: ['embedded', 'postgres'],
  mayLose: false,
  play: async () => ({ fired: 1, from: Date.now(), to: Date.now() }),
};

class Soak {
  readonly #stage: FaultStage;
  readonly #startedAt = Date.now();
  readonly #samples: { readonly at: number; readonly measured: Measured }[] = [];
  readonly verdicts: Verdict[] = [];
  /** Of each judging. */
  readonly loopDelaysMs: number[] = [];
  readonly errors: string[] = [];
  reconnects = 0;
  consumers = 0;

  constructor(stage: FaultStage) {
    this.#stage = stage;
  }

  async run(forMs: number): Promise<void> {
    while (Date.now() - this.#startedAt < forMs) {
      const from = Date.now();
      this.#stage.begin();
      await this.#reconnect();
      for (let n = 0; n < cyclesPerRound; n++) await this.#cycle();
      const settled = await this.#stage.settle(everyday, { fired: 1, from, to: Date.now() });
      const { verdict, error, loopDelayMs } = settled;
      this.verdicts.push(verdict);
      this.loopDelaysMs.push(loopDelayMs);
      if (error !== null) this.errors.push(error);
      this.#tell(settled);
    }
  }

  lines(): { figure: Figure; line: Line; verdict: Flatness | 'told only' }[] {
    const lastedMs = (this.#samples.at(-1)?.at ?? 0) - this.#startedAt;
    const since = this.#startedAt + Math.min(warmUpMs, lastedMs / 2);
    const settled = this.#samples.filter(({ at }) => at >= since);
    return figures.flatMap((figure) => {
      const series: Sample[] = settled.flatMap(({ at, measured }) => {
        const value = measured[figure.name];
        return value === null || value === undefined ? [] : [{ at, value }];
      });
      if (series.length === 0) return [];
      const line = lineThrough(series);
      const { limitPerHour } = figure;
      return [{ figure, line, verdict: limitPerHour === null ? 'told only' : flatness(line, limitPerHour) }];
    });
  }

  async #reconnect(): Promise<void> {
    const { bots, sim } = this.#stage;
    const bot = bots[this.reconnects % bots.length];
    if (!bot) return;
    const old = await this.#stage.session(bot);
    sim.requestReconnect(old);
    await this.#stage.session(bot, old);
    this.reconnects += 1;
  }

  async #cycle(): Promise<void> {
    const { crowd, consumers, random } = this.#stage;
    const next = Date.now() + cycleMs;
    await crowd.open(crowdSize);
    await this.#stage.lasts(crowdStaysMs);
    this.consumers += crowd.cut();
    const places = Array.from({ length: cutsPerCycle }, () => Math.floor(random() * consumers.sockets));
    this.consumers += consumers.cut(places);
    await this.#stage.lasts(calmMs);
    this.#samples.push({ at: Date.now(), measured: await measure(this.#stage) });
    await this.#stage.lasts(Math.max(0, next - Date.now()));
  }

  #tell({ verdict, loopDelayMs }: Settled): void {
    const minute = ((Date.now() - this.#startedAt) / 60_000).toFixed(1);
    const measured = Object.entries(this.#samples.at(-1)?.measured ?? {})
      .map(([name, value]) => `${name} ${value === null ? '-' : Math.round(value * 10) / 10}`)
      .join(', ');
    const delay = `event loop ${loopDelayMs.toFixed(0)} ms late`;
    say(
      `${minute} min: ${verdict.sent} sent, ${wrongs(verdict)} wrong, judged with the ${delay}; ${measured}`,
    );
    for (const finding of verdict.findings) say(`     ${finding}`);
  }
}

const wrongs = ({ lost, undeclared, unmarkedDuplicates, disordered, tooWide }: Verdict) =>
  lost + undeclared + unmarkedDuplicates + disordered + tooWide;

const open: AsyncDisposable[] = [];
/** The last opened first: what stands on something else goes before it. */
async function closeAll(): Promise<void> {
  for (let thing = open.pop(); thing; thing = open.pop()) await thing[Symbol.asyncDispose]();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void closeAll().finally(() => process.exit(130)));
}

async function soak(): Promise<Soak> {
  const postgres = database === 'postgres' ? await ScratchPostgres.open() : null;
  if (postgres) open.push(postgres);
  const stage = await openStage({
    database,
    seed,
    postgres,
    isLong: true,
    perSecond,
    special: { nodeFlags: ['--expose-gc'], dedupeWindowMs },
  });
  open.push(stage);
  say(`${database}, ${perSecond} events a second, ${minutes} min`);
  const running = new Soak(stage);
  await running.run(minutes * 60_000);
  return running;
}

const done = await soak().catch(async (error: unknown) => {
  await closeAll();
  throw error;
});
await closeAll();
const lines = done.lines();
const sum = (of: (verdict: Verdict) => number) =>
  done.verdicts.reduce((total, verdict) => total + of(verdict), 0);
const rounded = (value: number) => (Number.isFinite(value) ? Math.round(value * 100) / 100 : null);
const isLossless = sum(wrongs) === 0 && done.errors.length === 0;
const worstLoopDelayMs = Math.max(...done.loopDelaysMs);
const isFlat = lines.every(({ verdict }) => verdict !== 'not flat');

if (!values.json) {
  for (const { figure, line, verdict } of lines) {
    const limit = figure.limitPerHour === null ? '' : ` (limit ${figure.limitPerHour})`;
    process.stdout.write(
      `${figure.name.padEnd(22)} ${line.first.toFixed(1).padStart(8)} to ${line.last.toFixed(1).padStart(8)}  ` +
        `${line.perHour.toFixed(1).padStart(8)} an hour ± ${line.plusMinus.toFixed(1)}${limit}: ${verdict}\n`,
    );
  }
  process.stdout.write(`${rule}\n`);
  process.stdout.write(
    `Judging kept the event loop of this programme, and with it Twitch's stand-in, ${worstLoopDelayMs.toFixed(0)} ms at most.\n`,
  );
}
for (const error of done.errors) say(error);
process.stdout.write(
  `${JSON.stringify({
    database,
    seed,
    minutes,
    sent: sum(({ sent }) => sent),
    logged: sum(({ logged }) => logged),
    reconnects: done.reconnects,
    consumers: done.consumers,
    lost: sum(({ lost }) => lost),
    undeclared: sum(({ undeclared }) => undeclared),
    unmarked_duplicates: sum(({ unmarkedDuplicates }) => unmarkedDuplicates),
    disordered: sum(({ disordered }) => disordered),
    too_wide: sum(({ tooWide }) => tooWide),
    errors: done.errors.length,
    judge_loop_delay_ms: rounded(worstLoopDelayMs),
    slopes: Object.fromEntries(
      lines.map(({ figure, line, verdict }) => [
        figure.name.replaceAll(' ', '_').toLowerCase(),
        {
          per_hour: rounded(line.perHour),
          plus_minus: rounded(line.plusMinus),
          limit: figure.limitPerHour,
          verdict,
        },
      ]),
    ),
    ok: isLossless && isFlat,
  })}\n`,
);
process.exit(isLossless && isFlat ? 0 : 1);
