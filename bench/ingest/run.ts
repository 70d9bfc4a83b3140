// The bench from start to end: one relay with many bots; bursts over one session, over all, and plain inserts, in turns.
import pg from 'pg';
import { createAdminClient } from '../../src/client/index.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import { addBots } from '../kit/bots.ts';
import { builtRelay } from '../kit/built.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { cpuSeconds } from '../kit/cpu.ts';
import { createPostgres } from '../kit/database.ts';
import { localPostgres } from '../kit/flags.ts';
import { startRelay } from '../kit/relay-process.ts';
import type { RelayProcess } from '../kit/relay-process.ts';
import type { BenchTopics } from '../kit/stage.ts';
import { share } from '../kit/summary.ts';
import { now, waitFor } from '../kit/wait.ts';
import type { IngestOptions } from './flags.ts';
import { startInserter } from './insert-process.ts';
import type { Inserter } from './insert-process.ts';
import { chatLine, flood } from './load.ts';
import { allBots, oneBot } from './result.ts';
import type { Insertion, Measured, Shares, Turn } from './result.ts';

const chat = { type: 'channel.chat.message', scopes: ['user:read:chat', 'user:bot', 'channel:bot'] } as const;
/** Around the relay's own batches, in both ways in which programs insert many rows. */
const insertions: readonly Insertion[] = [
  { contender: 'pg, unnest, batches of 100', form: 'unnest', batchRows: 100 },
  { contender: 'pg, unnest, batches of 500', form: 'unnest', batchRows: 500 },
  { contender: 'pg, unnest, batches of 2,000', form: 'unnest', batchRows: 2_000 },
  { contender: 'pg, values, batches of 500', form: 'values', batchRows: 500 },
];
/** Of the events of a turn, for a turn that does not count: compiled code, grown buffers, warm caches. */
const warmUpShare = 0.2;
const committedWithinMs = 60_000;

interface Parts {
  readonly sim: Simulator;
  readonly relay: RelayProcess;
  readonly inserter: Inserter;
  readonly database: pg.Client;
  readonly signal: AbortSignal;
}

export async function measure(
  options: IngestOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  const program = await builtRelay(say);
  say('Starting the relay on a database of its own, the platform and its bots…');
  const { url, name } = await createPostgres(options.databaseUrl ?? localPostgres, closing);
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const { profileDir } = options;
  const relay = await startRelay({ sim, databaseUrl: url, program, profileDir, signal }, closing);
  const { bots } = await addBots(sim, relay, {
    ...chat,
    bots: options.bots,
    topicsPerBot: options.topics,
    signal,
  });
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  closing.push(() => database.end());
  const [first] = bots;
  if (!first) throw new Error('there are no bots');

  // The rows that are copied are in the log before the program that copies them starts.
  const relayTurn = (contender: string, sessions: readonly BenchTopics[], events: number) =>
    overRelay({ sim, relay, database, signal }, { contender, sessions, events });
  say('Warming up…');
  const warmUp = Math.ceil(options.events * warmUpShare);
  await relayTurn(oneBot, [first], warmUp);
  await relayTurn(allBots, bots, warmUp);
  const inserter = await startInserter(url, signal, closing);
  const parts = { sim, relay, inserter, database, signal };
  for (const insertion of insertions) await overInserts(parts, insertion, warmUp);

  const turns: Turn[] = [];
  let batches = { events: 0, commits: 0 };
  for (let round = 1; round <= options.rounds; round++) {
    say(`Round ${round} of ${options.rounds}…`);
    const before = await commits(relay);
    turns.push(await relayTurn(oneBot, [first], options.events));
    batches = sum(batches, before, await commits(relay));
    turns.push(await relayTurn(allBots, bots, options.events));
    for (const insertion of insertions) turns.push(await overInserts(parts, insertion, options.events));
  }
  return {
    turns,
    bots: bots.length,
    topics: options.topics,
    eventBytes: await eventBytes(database),
    insertions,
    batchRows: Math.round(batches.events / batches.commits),
    database: name,
  };
}

/** From the first frame that is sent to the commit that the log's head tells of. */
async function overRelay(
  { sim, relay, database, signal }: Omit<Parts, 'inserter'>,
  turn: { contender: string; sessions: readonly BenchTopics[]; events: number },
): Promise<Turn> {
  const { contender, sessions, events } = turn;
  const head = await headOf(database);
  const before = await usage(database, relay.pid);
  const sending = flood(sim, sessions, { events, signal });
  await waitFor(
    async () => {
      if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
      return (await headOf(database)) >= head + events ? true : undefined;
    },
    { what: 'the last commit', withinMs: committedWithinMs, signal },
  );
  const after = await usage(database, relay.pid);
  const sent = await sending;
  const answer = await database.query<{ kept: number }>(
    `SELECT count(*)::int AS kept FROM event WHERE seq > $1 AND provider = 'twitch'`,
    [head],
  );
  const kept = answer.rows[0]?.kept ?? 0;
  return {
    contender,
    events,
    seconds: secondsOf(before, after),
    lost: sent - kept,
    shares: sharesOf(before, after),
  };
}

async function overInserts({ inserter, database }: Parts, insertion: Insertion, rows: number): Promise<Turn> {
  const { contender, form, batchRows } = insertion;
  const before = await usage(database, undefined);
  const { seconds, cpuSeconds: program } = await inserter.insert({ form, batchRows, rows });
  const after = await usage(database, undefined);
  // The rows are made before the clock starts; what the server did meanwhile is nothing.
  const postgres = share(before.postgres, after.postgres, seconds);
  return {
    contender,
    events: rows,
    seconds,
    lost: 0,
    shares: { program: program / seconds, postgres, generator: 0 },
  };
}

async function headOf(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ seq: number }>('SELECT seq::float8 AS seq FROM log_head');
  return rows[0]?.seq ?? 0;
}

/** Of the burst's event: what is in the log of it. */
async function eventBytes(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ body: string }>(
    `SELECT body FROM event WHERE provider = 'twitch' ORDER BY seq DESC LIMIT 1`,
  );
  const { event } = JSON.parse(`{${rows[0]?.body ?? '"event":null'}}`) as { event: typeof chatLine | null };
  return JSON.stringify(event).length;
}

interface Commits {
  readonly events: number;
  readonly commits: number;
}

/** As the relay's own numbers say. */
async function commits({ url, adminKey }: RelayProcess): Promise<Commits> {
  const text = await createAdminClient({ url, adminKey }).metrics();
  const read = (name: string) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'mu').exec(text)?.[1] ?? 0);
  return {
    events: read('relay_log_append_batch_events_sum'),
    commits: read('relay_log_append_batch_events_count'),
  };
}

const sum = (total: Commits, before: Commits, after: Commits): Commits => ({
  events: total.events + after.events - before.events,
  commits: total.commits + after.commits - before.commits,
});

interface Usage {
  readonly at: number;
  readonly program: number | undefined;
  readonly postgres: number | undefined;
  readonly generator: number;
}

async function usage(database: pg.Client, pid: number | undefined): Promise<Usage> {
  const { user, system } = process.cpuUsage();
  const at = now();
  return {
    at,
    program: await cpuSeconds(pid),
    postgres: await serverSeconds(database),
    generator: (user + system) / 1e6,
  };
}

/** Of the processes that serve this database's connections, where they run on this machine. */
async function serverSeconds(database: pg.Client): Promise<number | undefined> {
  const { rows } = await database.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE datname = current_database()',
  );
  const times = await Promise.all(rows.map(({ pid }) => cpuSeconds(pid)));
  return times.every((time) => time === undefined)
    ? undefined
    : times.reduce<number>((all, time) => all + (time ?? 0), 0);
}

const secondsOf = (before: Usage, after: Usage): number => (after.at - before.at) / 1_000;

function sharesOf(before: Usage, after: Usage): Shares {
  const seconds = secondsOf(before, after);
  return {
    program: share(before.program, after.program, seconds),
    postgres: share(before.postgres, after.postgres, seconds),
    generator: share(before.generator, after.generator, seconds),
  };
}
