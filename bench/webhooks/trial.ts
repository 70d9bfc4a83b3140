// One contender's turn: a database, a platform and a receiver of its own, some events to warm up, then the burst and the pace.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { cpuSeconds } from '../kit/cpu.ts';
import { builtRelay } from '../kit/built.ts';
import { createDatabase } from '../kit/database.ts';
import { burst, paced } from '../kit/load.ts';
import type { Load } from '../kit/load.ts';
import { now, waitWhileItMoves } from '../kit/wait.ts';
import type { Contender, Running } from './contenders.ts';
import type { WebhooksOptions } from './flags.ts';
import { startReceiver } from './receiver-process.ts';
import type { ReceiverProcess } from './receiver-process.ts';
import type { Measured, Phase, Shares } from './result.ts';

/** Ten seconds at the pace; a smaller bench paces a twentieth of its events. */
const mostPaced = 1_000;
const pacedShare = 0.05;
/** Far below what any machine delivers, so that nothing waits for anything. */
export const pacedPerSecond = 100;
/** Longer than an opened circuit waits for its first probe. */
const stalledMs = 45_000;
/** What is still written beside the deliveries of a phase, such as history and completed jobs, is not the next one's. */
const lingerMs = 1_000;

interface Parts {
  readonly sim: Simulator;
  readonly receiver: ReceiverProcess;
  readonly running: Running;
}

export async function trial(
  { start }: Contender,
  options: WebhooksOptions,
  { signal, say }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  const database = await createDatabase(options.databaseUrl, closing);
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const receiver = await startReceiver(signal, closing);
  const { profileDir } = options;
  const running = await start(
    {
      sim,
      databaseUrl: database.url,
      receiverUrl: receiver.url,
      profileDir,
      program: await builtRelay(say),
      signal,
    },
    closing,
  );
  receiver.trust(running.secret);
  const parts = { sim, receiver, running };

  const warm = await burst(sim, running, { count: options.warm, signal });
  await arrived(parts, options.warm, signal);
  await sleep(lingerMs);
  const { phase: first, shares } = await burstPhase(parts, options, signal);
  await sleep(lingerMs);
  const pacedCount = Math.min(mostPaced, Math.ceil(options.events * pacedShare));
  const load = await paced(sim, running, { count: pacedCount, perSecond: pacedPerSecond, signal });
  await arrived(parts, options.warm + options.events + pacedCount, signal);
  await sleep(lingerMs);
  return {
    warm: phaseOf(warm),
    burst: first,
    paced: phaseOf(load),
    arrivals: await receiver.report(),
    gaps: await running.gaps(),
    shares,
    database: database.name,
  };
}

async function burstPhase(
  parts: Parts,
  { events: count, warm }: WebhooksOptions,
  signal: AbortSignal,
): Promise<{ phase: Phase; shares: Shares }> {
  const before = await usage(parts);
  const load = await burst(parts.sim, parts.running, { count, signal });
  await arrived(parts, warm + count, signal);
  return { phase: phaseOf(load), shares: sharesBetween(before, await usage(parts)) };
}

const phaseOf = ({ sent, startedAt, endedAt }: Load): Phase => ({ sent, startedAt, sentAt: endedAt });

/** Until so many events have arrived, or nothing comes any more, which the books will show. */
async function arrived({ running, receiver }: Parts, events: number, signal: AbortSignal): Promise<void> {
  await waitWhileItMoves({
    enough: () => {
      running.check();
      return receiver.events() >= events;
    },
    progress: () => receiver.requests(),
    stalledMs,
    signal,
  });
}

interface Usage extends Shares {
  readonly at: number;
}

async function usage({ running, receiver }: Parts): Promise<Usage> {
  const { user, system } = process.cpuUsage();
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return {
    at: now(),
    contender: await cpuSeconds(running.pid),
    receiver: await cpuSeconds(receiver.pid),
    generator: (user + system) / 1_000_000,
    machine: busyMs / 1_000 / cpus().length,
  };
}

function sharesBetween(before: Usage, after: Usage): Shares {
  const seconds = (after.at - before.at) / 1_000;
  const share = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : (to - from) / seconds;
  return {
    contender: share(before.contender, after.contender),
    receiver: share(before.receiver, after.receiver),
    generator: share(before.generator, after.generator),
    machine: share(before.machine, after.machine),
  };
}
