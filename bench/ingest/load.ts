// Sends over many sessions as fast as they are read: each one gets its part, a few events of a topic at a time. Waits only for
// what the relay has not read.
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { EventFields, Simulator } from '../../test/simulator/index.ts';
import type { BenchTopics } from '../kit/stage.ts';

/** Of one topic in a row. */
const inARow = 16;
/** What the platform holds for a reader that is slower than it, over all sessions. */
const maxBufferedBytes = 8_000_000;

/** A chat message as Twitch sends it, with a line of usual length: about 700 bytes of event. */
export const chatLine: EventFields = {
  message: {
    text: 'that was the closest finish of the whole season',
    fragments: [
      {
        type: 'text',
        text: 'that was the closest finish of the whole season',
        cheermote: null,
        emote: null,
        mention: null,
      },
    ],
  },
  badges: [],
};

/** Resolves with how many were sent when the last one has left this process. */
export async function flood(
  sim: Simulator,
  sessions: readonly BenchTopics[],
  { events, signal }: { events: number; signal: AbortSignal },
): Promise<number> {
  const perSession = maxBufferedBytes / sessions.length;
  let sent = 0;
  for (let pass = 0; sent < events; pass++) {
    signal.throwIfAborted();
    let isStuck = true;
    for (const { topics, sessionId } of sessions) {
      const topic = topics[pass % topics.length];
      if (!topic || sent >= events || sim.bufferedBytes(sessionId) > perSession) continue;
      isStuck = false;
      const count = Math.min(inARow, events - sent);
      const records = sim.sendBurst(topic.subscriptionId, count, { event: chatLine, keepText: false });
      if (records.some(({ delivered }) => !delivered)) throw new Error('a session ended during the burst');
      sent += records.length;
    }
    await (isStuck ? sleep(1) : turn());
  }
  while (sessions.some(({ sessionId }) => sim.bufferedBytes(sessionId) > 0)) {
    signal.throwIfAborted();
    await sleep(1);
  }
  return sent;
}
