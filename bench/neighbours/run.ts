// The bench from start to end: a round alone, a round beside the hung receiver, and so on; waits, and leaves nothing behind.
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../../test/simulator/index.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { createDatabase } from '../kit/database.ts';
import { paced } from '../kit/load.ts';
import { startReceiver } from '../webhooks/receiver-process.ts';
import { startRelay } from '../kit/relay-process.ts';
import { waitWhileItMoves } from '../kit/wait.ts';
import type { NeighboursOptions } from './flags.ts';
import type { Measured, Round } from './result.ts';
import { paths, setStage } from './stage.ts';

/** Times a hundred receivers: about half of what two processors do. */
const perSecond = 12;
/**
 * More than a hundred, so that one event that is late everywhere is not yet the p99; ten seconds, so that the round is over
 * before the requests that hang come to their deadline, which is 15 s.
 */
const perRound = 120;
/** After a switch, so that its own work is not measured. */
const settleMs = 500;
const stalledMs = 45_000;

export async function measure(
  options: NeighboursOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  say('Starting the relay on a database of its own, the platform and the receivers…');
  const database = await createDatabase(options.databaseUrl, closing);
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const receiver = await startReceiver(signal, closing);
  const hanging = await startReceiver(signal, closing, { hangs: true });
  const relay = await startRelay({ sim, databaseUrl: database.url, signal }, closing);
  const { topic, switchOn } = await setStage(sim, relay, { receiver, hanging, signal });

  let expected = 0;
  /** One event at a time to all of them, until each has each, or nothing comes any more, which the books will show. */
  const round = async (kind: Round['kind']): Promise<Round> => {
    const hung = kind === 'beside' ? await switchOn() : undefined;
    await sleep(settleMs);
    const { sent } = await paced(sim, { topics: [topic] }, { count: perRound, perSecond, signal });
    expected += sent.length * paths.length;
    const enough = () => {
      if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
      return receiver.events() >= expected;
    };
    await waitWhileItMoves({ enough, progress: receiver.requests, stalledMs, signal });
    const unanswered = hung?.requests() ?? 0;
    await hung?.switchOff();
    return { kind, sent, unanswered };
  };
  say('Warming up…');
  const rounds = [await round('warm-up')];
  for (let n = 1; n <= options.rounds; n++) {
    say(`Round ${n} of ${options.rounds}: alone, then beside a hung receiver…`);
    rounds.push(await round('alone'), await round('beside'));
  }
  return {
    rounds,
    paths,
    perSecond,
    arrivals: await receiver.report(),
    database: database.name,
  };
}
