// Who is measured: the relay, two job queues on the same PostgreSQL, and a loop that keeps nothing. Each is a process of its
// own that gets the platform's frames over one session and sends to one receiver.
import { join } from 'node:path';
import type { GapEvent } from '../../src/client/index.ts';
import { isGap } from '../../src/client/index.ts';
import type { RelayClient } from '../../src/client/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import type { Closing } from '../kit/clean-up.ts';
import { startRelay } from '../kit/relay-process.ts';
import type { BenchTopics } from '../kit/stage.ts';
import { startPeer } from './peer-process.ts';
import { concurrency, setStage } from './stage.ts';

/** `queue`: as durable as the relay. `ceiling`: nothing is kept. */
export type Role = 'ours' | 'queue' | 'ceiling';

export interface Running extends BenchTopics {
  readonly pid: number | undefined;
  /** What the requests are signed with. */
  readonly secret: string;
  /** Throws when the process has ended. */
  readonly check: () => void;
  /** What it says that it has lost. */
  readonly gaps: () => Promise<readonly GapEvent[]>;
}

export interface StartOptions {
  readonly sim: Simulator;
  readonly databaseUrl: string | undefined;
  readonly receiverUrl: string;
  readonly profileDir: string | undefined;
  /** Where the relay starts. */
  readonly program: string;
  readonly signal: AbortSignal;
}

export interface Contender {
  readonly name: string;
  readonly role: Role;
  readonly start: (options: StartOptions, closing: Closing) => Promise<Running>;
}

const peerProgram = (name: string) => join(import.meta.dirname, '..', 'peers', `webhooks-${name}.ts`);

const peer = (name: string, role: Role): Contender => ({
  name,
  role,
  start: (options, closing) =>
    startPeer({ ...options, name, program: peerProgram(name), concurrency }, closing),
});

export const ours: Contender = { name: 'relay', role: 'ours', start: startOurs };

/** In the order of the table. */
export const contenders: readonly Contender[] = [
  ours,
  peer('pg-boss', 'queue'),
  peer('graphile-worker', 'queue'),
  peer('undici', 'ceiling'),
];

async function startOurs(options: StartOptions, closing: Closing): Promise<Running> {
  const relay = await startRelay(options, closing);
  const stage = await setStage(options.sim, relay, options.receiverUrl);
  return {
    ...stage,
    pid: relay.pid,
    check: () => {
      if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
    },
    gaps: () => gapsOf(stage.relay),
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
