// Who takes part in a measurement: a server that gets the platform's notifications and hands them to consumers, with its own
// bot at the platform and its own swarm. All of them run all the time; one is measured at a time, in turns.
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { cpuSeconds } from '../kit/cpu.ts';
import type { Options } from '../kit/flags.ts';
import type { BenchTopics } from '../kit/stage.ts';
import { now } from '../kit/wait.ts';
import { startSwarm } from '../swarm/process.ts';
import type { Swarm } from '../swarm/process.ts';

/** What all of them are to do. */
export interface Task extends BenchDeps {
  readonly sim: Simulator;
  readonly options: Options<Record<never, never>>;
  /** Each is one topic. */
  readonly broadcasters: readonly SimUser[];
  /** Of each topic. */
  readonly consumersPerTopic: number;
}

export interface Contender {
  readonly name: string;
  readonly topics: BenchTopics;
  readonly swarm: Swarm;
  /** Its server processes. */
  readonly pids: readonly (number | undefined)[];
  /** Throws when it cannot go on. */
  check(): void;
}

export type StartContender = (task: Task, closing: Closing) => Promise<Contender>;

export const swarmOf = ({ signal }: Task, closing: Closing): Swarm => startSwarm(signal, closing);

/** Of one processor, from one call to the next. */
export interface Shares {
  readonly server: number;
  readonly swarm: number;
  readonly generator: number;
}

interface Usage {
  readonly at: number;
  readonly server: number;
  readonly swarm: number;
  readonly generator: number;
}

export async function usageOf({ pids, swarm }: Contender): Promise<Usage> {
  const servers = await Promise.all(pids.map((pid) => cpuSeconds(pid)));
  const { user, system } = process.cpuUsage();
  return {
    at: now(),
    server: servers.reduce<number>((sum, seconds) => sum + (seconds ?? Number.NaN), 0),
    swarm: (await cpuSeconds(swarm.pid)) ?? Number.NaN,
    generator: (user + system) / 1_000_000,
  };
}

export function sharesBetween(before: Usage, after: Usage): Shares {
  const seconds = (after.at - before.at) / 1_000;
  return {
    server: (after.server - before.server) / seconds,
    swarm: (after.swarm - before.swarm) / seconds,
    generator: (after.generator - before.generator) / seconds,
  };
}
