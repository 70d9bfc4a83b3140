// The bench from start to end: three relays, which are killed and started again in turns.
import { builtRelay } from '../kit/built.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { localPostgres } from '../kit/flags.ts';
import type { RestartOptions } from './flags.ts';
import { crashingRelay } from './relay.ts';
import type { CrashingRelay } from './relay.ts';
import type { Measured, Restart } from './result.ts';

const smallSizes = [1, 10] as const;

export async function measure(
  options: RestartOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  const program = await builtRelay(say);
  const { topics, 'latency-ms': latencyMs, profileDir } = options;
  const databaseUrl = options.databaseUrl ?? localPostgres;
  const relays: CrashingRelay[] = [];
  for (const bots of new Set([...smallSizes, options['most-bots']])) {
    say(`Setting up a relay with ${bots} bots…`);
    const wanted = { databaseUrl, program, bots, topics, latencyMs, profileDir, signal };
    relays.push(await crashingRelay(wanted, closing));
  }
  const restarts: Restart[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    say(`Round ${round} of ${options.rounds}…`);
    for (const relay of relays) restarts.push(await relay.restart());
  }
  return {
    restarts,
    sizes: relays.map(({ bots }) => bots),
    topics,
    latencyMs,
    database: relays[0]?.database ?? '',
  };
}
