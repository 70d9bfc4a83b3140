// What a service of one's own does without a relay: one EventSub socket, its subscriptions, and JSON.parse of every frame.
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { PeerTask } from './messages.ts';
import { peerMessage, peerTask } from './messages.ts';

/** What a consumer needs of a notification: about what the relay hands on. */
export interface PeerEvent {
  readonly type: 'event';
  readonly id: string;
  readonly event_type: string;
  readonly event_timestamp: string;
  readonly subscription: unknown;
  readonly event: unknown;
}

const frame = z.object({
  metadata: z.looseObject({ message_type: z.string() }),
  payload: z.looseObject({ session: z.looseObject({ id: z.string() }).optional() }),
});

interface Notification {
  readonly metadata: {
    readonly message_id: string;
    readonly message_type: string;
    readonly message_timestamp: string;
    readonly subscription_type: string;
  };
  readonly payload: {
    readonly subscription: { readonly condition: { readonly broadcaster_user_id: string } };
    readonly event: unknown;
  };
}

/** The task that the bench sends when the process has started. */
export const taken = (): Promise<PeerTask> =>
  new Promise((resolve) => process.once('message', (message) => resolve(peerTask.parse(message))));

/** Tells the bench, and ends with it. */
export function ready(port: number): void {
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined);
  process.send?.(peerMessage.parse({ kind: 'ready', port }));
}

/** Resolves when everything is subscribed. The topic is the broadcaster's id. */
export async function follow(
  task: PeerTask,
  onEvent: (topic: string, event: PeerEvent) => void,
): Promise<void> {
  const socket = new WebSocket(task.eventSubUrl, { perMessageDeflate: false });
  const sessionId = await new Promise<string>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      const parsed = JSON.parse(text) as Notification;
      if (parsed.metadata.message_type === 'notification') {
        const { metadata, payload } = parsed;
        onEvent(payload.subscription.condition.broadcaster_user_id, {
          type: 'event',
          id: metadata.message_id,
          event_type: metadata.subscription_type,
          event_timestamp: metadata.message_timestamp,
          subscription: payload.subscription,
          event: payload.event,
        });
      } else if (parsed.metadata.message_type === 'session_welcome')
        resolve(frame.parse(parsed).payload.session?.id ?? '');
    });
  });
  for (const id of task.broadcasterIds) {
    const answer = await fetch(`${task.helixUrl}/eventsub/subscriptions`, {
      method: 'POST',
      headers: {
        'client-id': task.clientId,
        authorization: `Bearer ${task.accessToken}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        type: 'channel.follow',
        version: '2',
        condition: { broadcaster_user_id: id, moderator_user_id: task.userId },
        transport: { method: 'websocket', session_id: sessionId },
      }),
    });
    if (answer.status !== 202)
      throw new Error(`subscribing was answered with ${answer.status}: ${await answer.text()}`);
  }
}
