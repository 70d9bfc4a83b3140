// `npm run bench:latency`: how soon an event that the platform sends is read by its consumers, at a steady pace; beside what one
// would use instead.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from './contenders/contender.ts';
import { startNats, startSocketIo, startWs, requirePeers } from './contenders/peers.ts';
import { startOurs } from './contenders/relay.ts';
import { startAll } from './fanout/race.ts';
import { localPostgres } from './kit/flags.ts';
import { paced } from './kit/load.ts';
import { runProgram } from './kit/program.ts';
import { median, percentile, rounded } from './kit/statistics.ts';
import { waitWhileItMoves } from './kit/wait.ts';
import { asTable } from './kit/table.ts';

const numbers = {
  events: { default: 2_000, min: 100, max: 1_000_000, what: 'events in a round' },
  pace: { default: 200, min: 1, max: 10_000, what: 'events a second' },
  consumers: { default: 50, min: 1, max: 900, what: 'consumers of the one topic' },
  rounds: { default: 3, min: 1, max: 100, what: 'rounds' },
  peers: { default: 1, min: 0, max: 1, what: '0 measures the relay alone' },
} as const;

const stalledMs = 10_000;
const settleMs = 300;
/** Before each turn: who waited while others were measured has given memory back, and is not to be measured taking it again. */
const warmSeconds = 2;

/** Milliseconds, from the sending to the reading. */
interface Lap {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly lost: number;
}

interface Timed {
  readonly name: string;
  readonly laps: readonly Lap[];
}

const medianOf = (timed: readonly Timed[], name: string, of: 'p50' | 'p99' | 'p999') =>
  rounded(median(timed.find((each) => each.name === name)?.laps.map((lap) => lap[of]) ?? []), 2);
const lostOf = (timed: readonly Timed[]) =>
  timed.reduce((sum, { laps }) => sum + laps.reduce((lost, lap) => lost + lap.lost, 0), 0);
const ratioOf = (timed: readonly Timed[], peer: string) =>
  timed.some(({ name }) => name === peer)
    ? rounded(medianOf(timed, 'relay', 'p99') / medianOf(timed, peer, 'p99'), 2)
    : null;

await runProgram({
  flags: {
    name: 'latency',
    about:
      'From the sending by the platform to the reading by each consumer, at a steady pace: the relay, ws, socket.io, NATS.',
    numbers,
    defaultDatabaseUrl: localPostgres,
  },
  async measure(options, deps, closing): Promise<Timed[]> {
    if (options.peers > 0) requirePeers();
    const { events, pace, consumers, rounds } = options;
    const peers = options.peers > 0 ? [startWs, startSocketIo, startNats] : [];
    deps.say('Starting everybody…');
    const { task, all } = await startAll(
      {
        ...deps,
        options,
        topics: 1,
        consumersPerTopic: consumers,
        contenders: [startOurs, ...peers],
      },
      closing,
    );
    const lap = async (contender: Contender, count: number): Promise<Lap> => {
      const { swarm, topics } = contender;
      await swarm.begin({ keepTimes: true });
      const { sent } = await paced(task.sim, topics, { count, perSecond: pace, signal: deps.signal });
      const expected = count * consumers;
      const enough = () => {
        contender.check();
        return swarm.deliveries() >= expected;
      };
      await waitWhileItMoves({ enough, progress: () => swarm.deliveries(), stalledMs, signal: deps.signal });
      const { times } = await swarm.report();
      const latencies = sent
        .flatMap(({ id, at }) => (times[id] ?? []).map((arrived) => arrived - at))
        .toSorted((a, b) => a - b);
      const of = (share: number) => percentile(latencies, share, 3) ?? Number.NaN;
      return { p50: of(0.5), p99: of(0.99), p999: of(0.999), lost: expected - latencies.length };
    };
    const laps = new Map(all.map(({ name }) => [name, [] as Lap[]]));
    // A whole turn that does not count: what is called most is then compiled, as in a process that has run for a while.
    for (const contender of all) await lap(contender, events);
    for (let round = 1; round <= rounds; round++) {
      for (const contender of all) {
        await sleep(settleMs);
        await lap(contender, warmSeconds * pace);
        const done = await lap(contender, events);
        laps.get(contender.name)?.push(done);
        deps.say(`round ${round}, ${contender.name}: p50 ${done.p50} ms, p99 ${done.p99} ms`);
      }
    }
    return all.map(({ name }) => ({ name, laps: laps.get(name) ?? [] }));
  },
  line: (timed) => ({
    latency_p99_vs_ws: ratioOf(timed, 'ws'),
    latency_p99_vs_nats: ratioOf(timed, 'nats'),
    ...Object.fromEntries(
      timed.flatMap(({ name }) =>
        (['p50', 'p99', 'p999'] as const).map((of) => [`${name}_${of}_ms`, medianOf(timed, name, of)]),
      ),
    ),
    lost: lostOf(timed),
  }),
  render: (timed) =>
    asTable([
      ['milliseconds', 'p50', 'p99', 'spread of p99', 'p99.9', 'lost'],
      ...timed.map(({ name, laps }) => {
        const p99s = laps.map(({ p99 }) => p99);
        return [
          name,
          String(medianOf(timed, name, 'p50')),
          String(medianOf(timed, name, 'p99')),
          `${rounded(Math.min(...p99s), 2)} – ${rounded(Math.max(...p99s), 2)}`,
          String(medianOf(timed, name, 'p999')),
          String(laps.reduce((sum, { lost }) => sum + lost, 0)),
        ];
      }),
    ]),
  lost: lostOf,
});
