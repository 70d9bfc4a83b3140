// Drafts and notifications for the tests of log, ingest and fan-out: small, valid, and told apart by a number.
import type { Audience, EventDraft } from '../../src/domain/event.ts';
import type { Notification } from '../../src/upstream/port.ts';

/** A valid UUID that carries a number. */
export const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

export const bot = uuid(0xb07);

export function draft(id: string, options: Partial<EventDraft> & { topic?: number } = {}): EventDraft {
  const { topic = 1, ...rest } = options;
  const audience: Audience = { kind: 'topic', topicId: uuid(topic) };
  return {
    id,
    provider: 'twitch',
    type: 'channel.follow',
    version: '2',
    eventTimestamp: '2026-11-21T03:00:00.123456789Z',
    receivedAt: 1_795_230_000_123,
    botAccountId: bot,
    audience,
    body: `"subscription":{"id":"s${topic}"},"event":{"n":${JSON.stringify(id)}}`,
    ...rest,
  };
}

export function notification(id: string, options: Partial<Notification> = {}): Notification {
  return {
    provider: 'twitch',
    botAccountId: bot,
    messageId: id,
    type: 'channel.follow',
    version: '2',
    condition: { broadcaster_user_id: '1' },
    subscriptionId: 'sub-1',
    eventTimestamp: '2026-11-21T03:00:00.123456789Z',
    receivedAt: 1_795_230_000_123,
    body: `"subscription":{"id":"sub-1"},"event":{"n":"${id}"}`,
    ...options,
  };
}

/** Waits until the condition holds, looking once per turn of the event loop; fails after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('The condition did not come to hold.');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
