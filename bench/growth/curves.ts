// The curves: each point is a relay, or its stages, of its own; the points take turns, and of the rounds the median counts.
import { join } from 'node:path';
import { startOurs } from '../contenders/relay.ts';
import { race } from '../fanout/race.ts';
import { startChild, stopChild } from '../kit/child.ts';
import { cleaningUp } from '../kit/clean-up.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { createPostgres } from '../kit/database.ts';
import { localPostgres } from '../kit/flags.ts';
import type { Options } from '../kit/flags.ts';
import { median } from '../kit/statistics.ts';
import { waitFor } from '../kit/wait.ts';
import { pointResult } from './messages.ts';
import type { PointResult, PointTask } from './messages.ts';

export interface Growth {
  readonly name: 'consumers' | 'topics' | 'interests';
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly lost: number;
}

export interface GrowthTask extends BenchDeps {
  readonly options: Options<
    Readonly<Record<'rounds', { default: number; min: number; max: number; what: string }>>
  >;
}

const consumers = [10, 50, 200, 500, 1_000, 2_000];
/** In a round, however many consumers there are. */
const deliveries = 400_000;
const topics = [10, 100, 1_000, 10_000];
const interests = [10, 1_000, 10_000, 100_000];
const events = 20_000;
const pointWithinMs = 180_000;

/** The relay's processor time per delivery, on real sockets. */
export async function consumersCurve({ options, say, signal }: GrowthTask): Promise<Growth> {
  const points: [number, number][] = [];
  let lost = 0;
  for (const count of consumers) {
    say(`${count} consumers…`);
    const raced = await cleaningUp({ say, signal }, (closing) => {
      const course = {
        topics: 1,
        consumersPerTopic: count,
        events: Math.ceil(deliveries / count),
        inARow: 64,
      };
      return race(
        { say: () => undefined, signal, options, ...course, rounds: options.rounds, contenders: [startOurs] },
        closing,
      );
    });
    const laps = raced?.[0]?.laps ?? [];
    signal.throwIfAborted();
    lost += laps.reduce((sum, lap) => sum + lap.lost, 0);
    const cost = laps.map((lap) => (lap.serverSeconds * 1_000_000) / (lap.expected - lap.lost));
    points.push([count, median(cost)]);
  }
  const title = 'Processor time of the relay per delivery';
  return { name: 'consumers', title, x: 'consumers', y: 'µs per delivery', points, lost };
}

export const topicsCurve = (task: GrowthTask, closing: Closing): Promise<Growth> =>
  stagesCurve(task, closing, {
    name: 'topics',
    title: 'Processor time per event, from ingest to fan-out',
    x: 'topics with an interest each',
    counts: topics,
    taskOf: (count) => ({ topics: count, otherInterests: 0 }),
  });

export const interestsCurve = (task: GrowthTask, closing: Closing): Promise<Growth> =>
  stagesCurve(task, closing, {
    name: 'interests',
    title: 'Processor time per event, from ingest to fan-out',
    x: 'interests, nearly all in other topics',
    counts: interests,
    taskOf: (count) => ({ topics: 10, otherInterests: Math.max(0, count - 10) }),
  });

async function stagesCurve(
  { options, say, signal }: GrowthTask,
  closing: Closing,
  of: Pick<Growth, 'name' | 'title' | 'x'> & {
    readonly counts: readonly number[];
    readonly taskOf: (count: number) => Pick<PointTask, 'topics' | 'otherInterests'>;
  },
): Promise<Growth> {
  const costs = new Map(of.counts.map((count) => [count, [] as number[]]));
  let lost = 0;
  for (let round = 1; round <= options.rounds; round++) {
    for (const count of of.counts) {
      say(`${count} ${of.name}, round ${round}…`);
      const { url } = await createPostgres(options.databaseUrl ?? localPostgres, closing);
      const result = await measured({ databaseUrl: url, events, ...of.taskOf(count) }, signal, closing);
      costs.get(count)?.push(result.microsecondsPerEvent);
      lost += events + Math.ceil(events / 4) - result.delivered;
    }
  }
  const points = of.counts.map((count): [number, number] => [count, median(costs.get(count) ?? [])]);
  return { name: of.name, title: of.title, x: of.x, y: 'µs per event', points, lost };
}

async function measured(task: PointTask, signal: AbortSignal, closing: Closing): Promise<PointResult> {
  const child = startChild({
    program: join(import.meta.dirname, 'point-main.ts'),
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  let result: PointResult | undefined;
  child.on('message', (message) => (result = pointResult.parse(message)));
  child.send(task);
  const answer = () => {
    if (!result && child.exitCode !== null) throw new Error('a point of the curve ended without a result');
    return result;
  };
  return waitFor(answer, { what: 'a point of the curve', withinMs: pointWithinMs, signal });
}
