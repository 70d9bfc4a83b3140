// A peer's process: started with the same upstream, the same receiver and the same secret form as the relay, and with a
// database of its own if it wants one.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { hasEnded, startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { topicsOn } from '../kit/stage.ts';
import { waitFor } from '../kit/wait.ts';
import type { Running, StartOptions } from './contenders.ts';
import { broadcasters } from './stage.ts';

const startWithinMs = 60_000;
const type = 'channel.follow';
const welcome = z.object({ sessionId: z.string() });

export interface PeerOptions extends StartOptions {
  readonly name: string;
  readonly program: string;
  readonly concurrency: number;
}

/** Resolves when its session has the subscriptions. What it opens, it adds to `closing`. */
export async function startPeer(options: PeerOptions, closing: Closing): Promise<Running> {
  const { sim, name, program, profileDir, signal } = options;
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const child = startChild({
    program,
    nodeFlags: profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}/${name}`],
    env: {
      PEER_EVENTSUB_URL: sim.eventSubUrl,
      PEER_TARGET_URL: options.receiverUrl,
      PEER_SECRET: secret,
      PEER_CONCURRENCY: String(options.concurrency),
      DATABASE_URL: options.databaseUrl ?? '',
    },
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  let sessionId: string | undefined;
  child.on('message', (message) => {
    sessionId = welcome.parse(message).sessionId;
  });
  const check = (): void => {
    if (hasEnded(child)) throw new Error(`${name} ended`);
  };
  const session = await waitFor(
    () => {
      check();
      return sessionId;
    },
    { what: `${name} to connect`, withinMs: startWithinMs, signal },
  );
  const userId = sim.addUser({ login: 'benchbot' }).id;
  const topicIds = new Map<string, string>();
  for (let index = 0; index < broadcasters; index++) {
    const { id } = sim.addUser({ login: `channel${index}` });
    const condition = { broadcaster_user_id: id, moderator_user_id: userId };
    sim.plant({ sessionId: session, userId, type, condition });
    topicIds.set(id, id);
  }
  return { ...topicsOn(sim, topicIds), pid: child.pid, secret, check, gaps: () => Promise.resolve([]) };
}
