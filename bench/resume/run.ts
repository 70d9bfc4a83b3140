// The bench from start to end: three filled logs, each with its relay; in turns a quiet part, and one in which somebody reads on
// from far behind.
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCursor, decodeCursor } from '../../src/domain/cursor.ts';
import { builtRelay } from '../kit/built.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { cpuSeconds } from '../kit/cpu.ts';
import { localPostgres } from '../kit/flags.ts';
import { paced } from '../kit/load.ts';
import type { Load } from '../kit/load.ts';
import { share } from '../kit/summary.ts';
import { now } from '../kit/wait.ts';
import { startConsumer } from './consumer.ts';
import type { ConsumerProcess } from './consumer.ts';
import type { ConsumerRequest } from './consumer-messages.ts';
import type { ResumeOptions } from './flags.ts';
import type { Measured, Pass, Turn } from './result.ts';
import { setStage } from './stage.ts';
import type { FilledRelay } from './stage.ts';

const smallRows = 10_000;
const middleRows = 1_000_000;
/** Of the rows: every second one is for the consumer that is behind. */
const wantedShare = 0.5;
const perSecond = 200;
const partSeconds = 4;
/** After the last one was sent, before the one at the end of the log is asked what it got. */
const lingerMs = 1_000;

interface Readers {
  readonly reader: ConsumerProcess;
  readonly follower: ConsumerProcess;
}

export async function measure(
  options: ResumeOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  const program = await builtRelay(say);
  const { profileDir } = options;
  const databaseUrl = options.databaseUrl ?? localPostgres;
  const sizes = [smallRows, middleRows, options.rows].filter((rows) => rows <= options.rows);
  const relays: FilledRelay[] = [];
  for (const rows of new Set(sizes)) {
    relays.push(await setStage({ databaseUrl, program, rows, profileDir }, { say, signal }, closing));
  }
  const readers: Readers = {
    reader: await startConsumer(signal, closing),
    follower: await startConsumer(signal, closing),
  };
  say('Warming up…');
  // Of other rows than those that are measured, where there are others.
  for (const [index] of relays.entries())
    await turn(at(relays, index), readers, { options, round: 0, signal });
  const turns: Turn[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    say(`Round ${round} of ${options.rounds}…`);
    for (const [index] of relays.entries())
      turns.push(await turn(at(relays, index), readers, { options, round, signal }));
  }
  return {
    turns,
    sizes: relays.map(({ rows }) => rows),
    behind: options.behind,
    perSecond,
    database: relays[0]?.databaseName ?? '',
  };
}

function at(relays: readonly FilledRelay[], index: number): FilledRelay {
  const relay = relays[index];
  if (!relay) throw new Error('a relay is missing');
  return relay;
}

interface Round {
  readonly options: ResumeOptions;
  readonly round: number;
  readonly signal: AbortSignal;
}

async function turn(
  filled: FilledRelay,
  { reader, follower }: Readers,
  { options, round, signal }: Round,
): Promise<Turn> {
  const { sim, bot, relay } = filled;
  const count = perSecond * partSeconds;
  const load = () => paced(sim, bot, { count, perSecond, signal });
  await follower.ask({ kind: 'follow', ...placeOf(filled, 'live', `live${round}`) }, 'following');
  const quiet = await load();
  const reading = async () => {
    const before = await usage(relay.pid, reader.pid);
    const passes = await readOn(filled, reader, { options, round });
    return { before, passes, after: await usage(relay.pid, reader.pid) };
  };
  const [beside, { before, passes, after }] = await Promise.all([load(), reading()]);
  await sleep(lingerMs, undefined, { signal });
  const { arrivals } = await follower.ask({ kind: 'report' }, 'report');
  const arrivedAt = new Map(arrivals);
  const seconds = (after.at - before.at) / 1_000;
  return {
    rows: filled.rows,
    passes,
    quietMs: latencies(quiet.sent, arrivedAt),
    besideMs: latencies(
      beside.sent.filter((sent) => before.at <= sent.at && sent.at <= after.at),
      arrivedAt,
    ),
    lostNew: [...quiet.sent, ...beside.sent].filter(({ id }) => !arrivedAt.has(id)).length,
    relayShare: share(before.relay, after.relay, seconds),
    readerShare: share(before.reader, after.reader, seconds),
  };
}

const latencies = (sent: Load['sent'], arrivedAt: ReadonlyMap<string, number>): number[] =>
  sent
    .flatMap(({ id, at: sentAt }) => {
      const arrived = arrivedAt.get(id);
      return arrived === undefined ? [] : [arrived - sentAt];
    })
    .toSorted((a, b) => a - b);

/** As many connections as it takes for the events: one, unless there are fewer rows. Rows that no earlier round has read, if any. */
async function readOn(
  filled: FilledRelay,
  reader: ConsumerProcess,
  { options, round }: Omit<Round, 'signal'>,
): Promise<Pass[]> {
  const { from, to } = filled.filled;
  const rows = Math.min(options.events / wantedShare, filled.rows);
  const begin = Math.max(from, to - options.behind) + round * rows;
  const after = begin + rows <= to ? begin : Math.max(from, to - options.behind);
  const events = Math.floor(rows * wantedShare);
  const passes: Pass[] = [];
  for (let left = options.events; left >= events; left -= events)
    passes.push(await onePass(filled, reader, { after, events, name: `behind${round}-${left}` }));
  return passes;
}

async function onePass(
  filled: FilledRelay,
  reader: ConsumerProcess,
  { after, events, name }: { after: number; events: number; name: string },
): Promise<Pass> {
  const { database, wantedTopics } = filled;
  const { epoch } = filled.filled;
  const place = placeOf(filled, 'behind', name, encodeCursor(epoch, after));
  const read = await reader.ask({ kind: 'read', ...place, events }, 'read');
  const last = decodeCursor(read.lastCursor)?.seq ?? 0;
  const { rows } = await database.query<{ owed: number }>(
    'SELECT count(*)::int AS owed FROM event WHERE seq > $1 AND seq <= $2 AND topic_id = ANY($3::uuid[])',
    [after, last, wantedTopics],
  );
  return {
    events: read.events,
    // Between the first and the last.
    seconds: (read.lastAt - read.firstAt) / 1_000,
    firstMs: read.firstAt - read.askedAt,
    lost: (rows[0]?.owed ?? 0) - read.events,
  };
}

type Place = Omit<Extract<ConsumerRequest, { kind: 'follow' }>, 'kind'>;

function placeOf(filled: FilledRelay, who: 'behind' | 'live', consumer: string, after?: string): Place {
  const url = new URL('/ws/events', filled.relay.url);
  url.protocol = 'ws:';
  url.searchParams.set('consumer', consumer);
  if (after !== undefined) url.searchParams.set('after', after);
  return { url: url.href, ...filled[who] };
}

async function usage(relay: number | undefined, reader: number | undefined) {
  return { at: now(), relay: await cpuSeconds(relay), reader: await cpuSeconds(reader) };
}
