// The same load for each contender in turns: a warm-up, then the rounds. All events have to reach every consumer of their topic.
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../../test/simulator/index.ts';
import { sharesBetween, usageOf } from '../contenders/contender.ts';
import type { Contender, Shares, StartContender, Task } from '../contenders/contender.ts';
import type { Closing } from '../kit/clean-up.ts';
import { burst } from '../kit/load.ts';
import { addBroadcaster } from '../kit/stage.ts';
import { median, rounded } from '../kit/statistics.ts';
import { figure, percent, spread, summaryOf } from '../kit/summary.ts';
import { asTable } from '../kit/table.ts';
import { waitWhileItMoves } from '../kit/wait.ts';

const stalledMs = 30_000;
const patienceMs = 600_000;
/** Between the turns, so that what one leaves to be collected is not the next one's. */
const settleMs = 300;
/** Before each turn: who waited while others were measured has given memory back, and is not to be measured taking it again. */
const warmShare = 10;

export interface Field extends Omit<Task, 'sim' | 'broadcasters'> {
  readonly topics: number;
  readonly contenders: readonly StartContender[];
}

export interface Course extends Field {
  readonly events: number;
  readonly rounds: number;
  /** Of one topic in a row. */
  readonly inARow: number;
}

export interface Lap {
  readonly seconds: number;
  /** Deliveries. */
  readonly perSecond: number;
  readonly expected: number;
  readonly lost: number;
  readonly bytes: number;
  /** Processor time of the server. */
  readonly serverSeconds: number;
  readonly shares: Shares;
}

export interface Raced {
  readonly name: string;
  readonly laps: readonly Lap[];
}

/** All of them, subscribed and with their consumers connected. */
export async function startAll(field: Field, closing: Closing): Promise<{ task: Task; all: Contender[] }> {
  // A peer whose loop takes ten seconds is slow, not dead: nobody is cut off for not answering a ping meanwhile.
  const sim = await startSimulator({
    rateLimitPerMinute: 100_000,
    pingIntervalMs: patienceMs,
    keepaliveSeconds: patienceMs / 1_000,
  });
  closing.push(() => sim.close());
  const broadcasters = Array.from({ length: field.topics }, (_, index) => addBroadcaster(sim, index));
  const task: Task = { ...field, sim, broadcasters };
  const all: Contender[] = [];
  for (const start of field.contenders) all.push(await start(task, closing));
  return { task, all };
}

export async function race(course: Course, closing: Closing): Promise<Raced[]> {
  const { say } = course;
  say('Starting everybody…');
  const { task, all } = await startAll(course, closing);
  const laps = new Map(all.map(({ name }) => [name, [] as Lap[]]));
  for (const contender of all) await lap(task, course, contender, Math.ceil(course.events / 4));
  for (let round = 1; round <= course.rounds; round++) {
    for (const contender of all) {
      await sleep(settleMs);
      await lap(task, course, contender, Math.ceil(course.events / warmShare));
      const done = await lap(task, course, contender, course.events);
      laps.get(contender.name)?.push(done);
      say(
        `round ${round}, ${contender.name}: ${Math.round(done.perSecond).toLocaleString('en')} deliveries/s`,
      );
    }
  }
  return all.map(({ name }) => ({ name, laps: laps.get(name) ?? [] }));
}

async function lap(
  { sim, signal, consumersPerTopic }: Task,
  { inARow }: Course,
  contender: Contender,
  events: number,
): Promise<Lap> {
  const { swarm, topics } = contender;
  const expected = events * consumersPerTopic;
  await swarm.begin();
  const before = await usageOf(contender);
  const load = await burst(sim, topics, { count: events, signal, inARow });
  const enough = () => {
    contender.check();
    if (!sim.sessions().some(({ id, open }) => open && id === topics.sessionId))
      throw new Error(`${contender.name} lost its session`);
    return swarm.deliveries() >= expected;
  };
  await waitWhileItMoves({ enough, progress: () => swarm.deliveries(), stalledMs, signal });
  const after = await usageOf(contender);
  const { deliveries, lastAt, bytes } = await swarm.report();
  const got = deliveries.reduce((sum, each) => sum + each, 0);
  const seconds = (lastAt - load.startedAt) / 1_000;
  return {
    seconds,
    perSecond: got / seconds,
    expected,
    lost: expected - got,
    bytes,
    serverSeconds: after.server - before.server,
    shares: sharesBetween(before, after),
  };
}

/** Ours by the peer's; null without that peer. */
export const ratioOf = (raced: readonly Raced[], peer: string): number | null =>
  raced.some(({ name }) => name === peer)
    ? rounded(medianOf(raced, 'relay') / medianOf(raced, peer), 2)
    : null;

export const perSecondLine = (raced: readonly Raced[]): Record<string, number> =>
  Object.fromEntries(raced.map(({ name }) => [`${name}_per_second`, Math.round(medianOf(raced, name))]));

/** Of the rounds' deliveries per second. */
const medianOf = (raced: readonly Raced[], name: string): number =>
  median(raced.find((each) => each.name === name)?.laps.map(({ perSecond }) => perSecond) ?? []);

export const lostOf = (raced: readonly Raced[]): number =>
  raced.reduce((sum, { laps }) => sum + laps.reduce((lost, each) => lost + each.lost, 0), 0);

export function table(raced: readonly Raced[]): string {
  const rows = raced.map(({ name, laps }) => {
    const speeds = summaryOf(laps.map(({ perSecond }) => perSecond));
    const share = (of: keyof Shares) => percent(median(laps.map(({ shares }) => shares[of])));
    return [
      name,
      spread(speeds),
      share('server'),
      share('swarm'),
      share('generator'),
      figure(laps.reduce((sum, { lost }) => sum + lost, 0)),
    ];
  });
  return asTable([['', 'deliveries/s', 'server', 'swarm', 'generator', 'lost'], ...rows]);
}
