// The bench from start to end: opens what it needs, sends, waits, counts, and leaves nothing behind.
import { setTimeout as sleep } from 'node:timers/promises';
import { isGap } from '../../src/client/index.ts';
import type { GapEvent, RelayClient } from '../../src/client/index.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import { cleaningUp } from './clean-up.ts';
import type { BenchDeps, Closing } from './clean-up.ts';
import { cpuSeconds } from './cpu.ts';
import { createDatabase } from './database.ts';
import { burst, paced } from './load.ts';
import type { Load } from './load.ts';
import type { BenchOptions } from './options.ts';
import { startReceiver } from './receiver-process.ts';
import type { ReceiverProcess } from './receiver-process.ts';
import { startRelay } from './relay-process.ts';
import type { RelayProcess } from './relay-process.ts';
import type { Measured, Phase, Shares } from './result.ts';
import { broadcasters, concurrency, setStage } from './stage.ts';
import type { BenchStage } from './stage.ts';
import { now, waitWhileItMoves } from './wait.ts';

/** Ten seconds at the pace; a smaller bench paces a tenth of its events. */
const mostPaced = 2_000;
const pacedShare = 0.1;
/** Far below what any machine delivers, so that nothing waits for anything. */
const pacedPerSecond = 200;
/** Longer than an opened circuit waits for its first probe. */
const stalledMs = 45_000;
/** A second request for an event would come after the first. */
const lingerMs = 500;

/** Undefined when it was interrupted. Rejects when it could not be done. Nothing is left behind in either case. */
export const runBench = (options: BenchOptions, deps: BenchDeps): Promise<Measured | undefined> =>
  cleaningUp(deps, (closing) => measure(options, deps, closing));

interface Parts {
  readonly sim: Simulator;
  readonly relay: RelayProcess;
  readonly receiver: ReceiverProcess;
  readonly stage: BenchStage;
}

async function measure(
  options: BenchOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  say('Starting the relay on a database of its own, the platform and the receiver…');
  const database = await createDatabase(options.databaseUrl);
  closing.push(() => database.drop());
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const receiver = await startReceiver(signal, closing);
  const { profileDir } = options;
  const relay = await startRelay({ sim, databaseUrl: database.url, profileDir, signal }, closing);
  const stage = await setStage(sim, relay, receiver.url);
  const parts = { sim, relay, receiver, stage };

  const pacedCount = Math.min(mostPaced, Math.floor(options.events * pacedShare));
  const burstCount = options.events - pacedCount;
  say(`Sending ${burstCount} events at once…`);
  const { phase: first, shares } = await burstPhase(parts, burstCount, signal);
  say(`Sending ${pacedCount} events at ${pacedPerSecond} per second…`);
  const load = await paced(sim, stage, { count: pacedCount, perSecond: pacedPerSecond, signal });
  await arrived(parts, options.events, signal);
  await sleep(lingerMs);
  return {
    burst: first,
    paced: phaseOf(load),
    pacedPerSecond,
    arrivals: await receiver.report(),
    gaps: await gapsOf(stage.relay),
    shares,
    setting: { broadcasters, concurrency, database: database.version },
  };
}

async function burstPhase(
  parts: Parts,
  count: number,
  signal: AbortSignal,
): Promise<{ phase: Phase; shares: Shares }> {
  const before = await usage(parts);
  const load = await burst(parts.sim, parts.stage, { count, signal });
  await arrived(parts, count, signal);
  return { phase: phaseOf(load), shares: sharesBetween(before, await usage(parts)) };
}

const phaseOf = ({ sent, startedAt, endedAt }: Load): Phase => ({ sent, startedAt, sentAt: endedAt });

/** Until so many events have arrived, or nothing comes any more, which the books will show. */
async function arrived({ relay, receiver }: Parts, events: number, signal: AbortSignal): Promise<void> {
  await waitWhileItMoves({
    enough: () => {
      if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
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

async function usage({ relay, receiver }: Parts): Promise<Usage> {
  const { user, system } = process.cpuUsage();
  return {
    at: now(),
    relay: await cpuSeconds(relay.pid),
    receiver: await cpuSeconds(receiver.pid),
    generator: (user + system) / 1_000_000,
  };
}

function sharesBetween(before: Usage, after: Usage): Shares {
  const seconds = (after.at - before.at) / 1_000;
  const share = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : (to - from) / seconds;
  return {
    relay: share(before.relay, after.relay),
    receiver: share(before.receiver, after.receiver),
    generator: share(before.generator, after.generator),
  };
}

/** Every gap that the service was told of. */
async function gapsOf(relay: RelayClient): Promise<GapEvent[]> {
  const gaps: GapEvent[] = [];
  let after: string | undefined;
  for (;;) {
    const { events, next } = await relay.pull({ after, limit: 1_000 });
    gaps.push(...events.filter(isGap).map(({ event }) => event));
    if (events.length === 0) return gaps;
    after = next;
  }
}
