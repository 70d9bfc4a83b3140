// Sends the load: as fast as the simulated platform can, or at a steady pace. It keeps what was sent, and never looks at
// what arrived.
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { Simulator } from '../../test/simulator/index.ts';
import type { BenchTopic, BenchTopics } from './stage.ts';
import { now } from './wait.ts';

export interface Sent {
  readonly id: string;
  readonly topicId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Load {
  readonly sent: readonly Sent[];
  readonly startedAt: number;
  /** The last event has left the platform's buffers. */
  readonly endedAt: number;
}

/** Of one topic in a row, unless told otherwise: few, so that webhook lanes fill evenly. */
const fewInARow = 4;
/** What the platform holds for a reader that is slower than it. */
const maxBufferedBytes = 4_000_000;
const drainWithinMs = 120_000;

/** All at once, the topics in turns. Slows down only for what the relay has not yet read. */
export async function burst(
  sim: Simulator,
  { topics, sessionId }: BenchTopics,
  { count, signal, inARow = fewInARow }: { count: number; signal: AbortSignal; inARow?: number },
): Promise<Load> {
  const sent: Sent[] = [];
  const startedAt = now();
  for (let index = 0; sent.length < count; index++) {
    const topic = pick(topics, index);
    const records = sim.sendBurst(topic.subscriptionId, Math.min(inARow, count - sent.length), {
      keepText: false,
    });
    for (const { messageId, sentAt } of records) {
      sent.push({ id: messageId, topicId: topic.topicId, at: sentAt });
    }
    if (index % topics.length !== topics.length - 1) continue;
    await turn();
    await drained(sim, sessionId, { toBytes: maxBufferedBytes, signal });
  }
  await drained(sim, sessionId, { toBytes: 0, signal });
  return { sent, startedAt, endedAt: now() };
}

/** One event at a time, evenly. One that is late through this process is sent at once, and timed from then. */
export async function paced(
  sim: Simulator,
  { topics }: Pick<BenchTopics, 'topics'>,
  { count, perSecond, signal }: { count: number; perSecond: number; signal: AbortSignal },
): Promise<Load> {
  const sent: Sent[] = [];
  const startedAt = now();
  while (sent.length < count) {
    signal.throwIfAborted();
    const leftMs = startedAt + (sent.length * 1_000) / perSecond - now();
    if (leftMs > 0) await sleep(leftMs);
    const { subscriptionId, topicId } = pick(topics, sent.length);
    const at = now();
    for (const { messageId } of sim.sendBurst(subscriptionId, 1, { keepText: false })) {
      sent.push({ id: messageId, topicId, at });
    }
  }
  return { sent, startedAt, endedAt: now() };
}

function pick(topics: readonly BenchTopic[], index: number): BenchTopic {
  const topic = topics[index % topics.length];
  if (!topic) throw new Error('there are no topics');
  return topic;
}

/** Resolves when the platform's socket holds no more than that, or is gone, which the books will show. */
async function drained(
  sim: Simulator,
  sessionId: string,
  { toBytes, signal }: { toBytes: number; signal: AbortSignal },
): Promise<void> {
  const deadline = now() + drainWithinMs;
  const isOpen = () => sim.sessions().some(({ id, open }) => id === sessionId && open);
  while (isOpen() && sim.bufferedBytes(sessionId) > toBytes) {
    signal.throwIfAborted();
    if (now() > deadline) throw new Error('the relay does not read what it is sent');
    await sleep(1);
  }
}
