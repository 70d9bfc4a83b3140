// Owns the text of every frame: built once, so that a test can compare bytes. It must never parse one back.
import type { Ids } from './ids.ts';
import type { Subscription } from './types.ts';

/**
 * JSON as Twitch's Go services write it: `<`, `>` and `&` leave as \u escapes, other characters raw. So a relay that
 * parses and re-serialises what it was told to keep verbatim changes the bytes, and a test can see it.
 */
export function verbatimJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', String.raw`\u003c`)
    .replaceAll('>', String.raw`\u003e`)
    .replaceAll('&', String.raw`\u0026`)
    .replaceAll('\u2028', String.raw`\u2028`);
}

export interface SessionInFrame {
  readonly id: string;
  readonly connectedAt: string;
  readonly keepaliveSeconds: number;
}

function frame(ids: Ids, messageType: string, payload: unknown): string {
  return verbatimJson({
    metadata: {
      message_id: ids.uuid(),
      message_type: messageType,
      message_timestamp: ids.timestamp(Date.now()),
    },
    payload,
  });
}

export function welcomeFrame(ids: Ids, session: SessionInFrame): string {
  return frame(ids, 'session_welcome', {
    session: {
      id: session.id,
      status: 'connected',
      connected_at: session.connectedAt,
      keepalive_timeout_seconds: session.keepaliveSeconds,
      reconnect_url: null,
    },
  });
}

export function keepaliveFrame(ids: Ids): string {
  return frame(ids, 'session_keepalive', {});
}

export function reconnectFrame(ids: Ids, session: SessionInFrame, reconnectUrl: string): string {
  return frame(ids, 'session_reconnect', {
    session: {
      id: session.id,
      status: 'reconnecting',
      connected_at: session.connectedAt,
      keepalive_timeout_seconds: null,
      reconnect_url: reconnectUrl,
    },
  });
}

export function unknownFrame(ids: Ids, messageType: string): string {
  return frame(ids, messageType, { note: 'a message type that did not exist when the client was written' });
}

function subscriptionInFrame(subscription: Subscription): object {
  return {
    id: subscription.id,
    status: subscription.status,
    type: subscription.type,
    version: subscription.version,
    cost: subscription.cost,
    condition: subscription.condition,
    transport: { method: 'websocket', session_id: subscription.sessionId },
    created_at: subscription.createdAt,
  };
}

function subscriptionMetadata(
  messageType: string,
  subscription: Subscription,
  messageId: string,
  timestamp: string,
): object {
  return {
    message_id: messageId,
    message_type: messageType,
    message_timestamp: timestamp,
    subscription_type: subscription.type,
    subscription_version: subscription.version,
  };
}

export function revocationFrame(ids: Ids, subscription: Subscription): string {
  return verbatimJson({
    metadata: subscriptionMetadata('revocation', subscription, ids.uuid(), ids.timestamp(Date.now())),
    payload: { subscription: subscriptionInFrame(subscription) },
  });
}

/** A batched type (drop.entitlement.grant) carries `events` where all others carry `event`. */
export function notificationFrame(
  subscription: Subscription,
  content: { event: object } | { events: readonly object[] },
  messageId: string,
  timestamp: string,
): string {
  return verbatimJson({
    metadata: subscriptionMetadata('notification', subscription, messageId, timestamp),
    payload: { subscription: subscriptionInFrame(subscription), ...content },
  });
}

/** Splits one frame around its id and time stamp, so that a burst costs two concatenations per frame. */
export function frameTemplate(
  subscription: Subscription,
  event: object,
): (messageId: string, timestamp: string) => string {
  const idSlot = '@@message-id@@';
  const timeSlot = '@@timestamp@@';
  const [head = '', rest = ''] = notificationFrame(subscription, { event }, idSlot, timeSlot).split(
    idSlot,
    2,
  );
  const [middle = '', tail = ''] = rest.split(timeSlot, 2);
  return (messageId, timestamp) => head + messageId + middle + timestamp + tail;
}
