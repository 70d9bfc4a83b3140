// One EventSub frame, from text to what the relay needs of it. Never throws: whatever Twitch sends gets a kind.
// Source: https://dev.twitch.tv/docs/eventsub/websocket-reference/
import { z } from 'zod';
import { memberSlice } from '../../domain/json-slice.ts';
import { canonicalCondition, type Condition } from '../../domain/topic.ts';
import { cutNotification, KnownSubscriptions } from './notification-text.ts';

export type UpstreamFrame =
  | { readonly kind: 'welcome'; readonly sessionId: string; readonly keepaliveMs: number }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'reconnect'; readonly url: string }
  | {
      readonly kind: 'notification';
      readonly messageId: string;
      readonly timestamp: string;
      readonly subscription: SubscriptionRef;
      readonly body: string;
    }
  | {
      readonly kind: 'revocation';
      readonly messageId: string;
      readonly timestamp: string;
      readonly subscription: SubscriptionRef;
    }
  | { readonly kind: 'unknown'; readonly messageType: string }
  | { readonly kind: 'malformed'; readonly problem: string };

/** The subscription as the frame names it; routing goes by this, never by remembered ids. */
export interface SubscriptionRef {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly status: string;
  readonly condition: Condition;
}

const metadata = z.looseObject({
  message_id: z.string().min(1),
  message_type: z.string(),
  message_timestamp: z.string(),
});
const subscription = z.looseObject({
  id: z.string().min(1),
  type: z.string().min(1),
  version: z.string().min(1),
  status: z.string(),
  condition: z.record(z.string(), z.unknown()),
});
const envelope = z.looseObject({ metadata, payload: z.looseObject({}) });
const welcome = z.looseObject({
  session: z.looseObject({
    id: z.string().min(1),
    // A welcome is never refused for this: without it the default holds.
    keepalive_timeout_seconds: z.number().positive().nullish().catch(null),
  }),
});
const reconnect = z.looseObject({ session: z.looseObject({ reconnect_url: z.url({ protocol: /^wss?$/ }) }) });
const notification = z.looseObject({ subscription, event: z.unknown() });
const subscriptionOnly = z.looseObject({ subscription });

/** Twitch's default when the welcome does not say. */
const defaultKeepaliveSeconds = 10;

type Parsed = z.infer<typeof envelope>;

type Parse = (frame: Parsed, text: string) => UpstreamFrame;

/** A map and no object: "constructor" is a message type that is not known, too. */
const parsers: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  [
    'session_welcome',
    (frame) => {
      const { session } = welcome.parse(frame.payload);
      return {
        kind: 'welcome',
        sessionId: session.id,
        keepaliveMs: (session.keepalive_timeout_seconds ?? defaultKeepaliveSeconds) * 1000,
      };
    },
  ],
  ['session_keepalive', () => ({ kind: 'keepalive' })],
  [
    'session_reconnect',
    (frame) => ({ kind: 'reconnect', url: reconnect.parse(frame.payload).session.reconnect_url }),
  ],
  [
    'notification',
    (frame, text) => ({
      kind: 'notification',
      messageId: frame.metadata.message_id,
      timestamp: frame.metadata.message_timestamp,
      subscription: reference(notification.parse(frame.payload).subscription),
      body: spliceBody(text),
    }),
  ],
  [
    'revocation',
    (frame) => ({
      kind: 'revocation',
      messageId: frame.metadata.message_id,
      timestamp: frame.metadata.message_timestamp,
      subscription: reference(subscriptionOnly.parse(frame.payload).subscription),
    }),
  ],
]);

/** The frame, and when the platform says it sent it (milliseconds since the epoch); null if it does not say. */
export function readFrame(text: string): { frame: UpstreamFrame; sentAt: number | null } {
  try {
    const usual = usualNotification(text);
    if (usual) return usual;
    const raw = envelope.parse(JSON.parse(text));
    const sentAt = Date.parse(raw.metadata.message_timestamp);
    return { frame: interpret(raw, text), sentAt: Number.isNaN(sentAt) ? null : sentAt };
  } catch (error) {
    return { frame: { kind: 'malformed', problem: describe(error) }, sentAt: null };
  }
}

const knownSubscriptions = new KnownSubscriptions();

/**
 * Nearly all frames are notifications as Twitch writes them: what the schemas below would say of one, without asking them.
 * Undefined for everything else, be it valid or not; throws only for what is not JSON.
 */
function usualNotification(text: string): ReturnType<typeof readFrame> | undefined {
  const cut = cutNotification(text);
  if (!cut) return undefined;
  const given: unknown = JSON.parse(cut.metadata);
  if (memberOf(given, 'message_type') !== 'notification') return undefined;
  const messageId = memberOf(given, 'message_id');
  const timestamp = memberOf(given, 'message_timestamp');
  if (typeof messageId !== 'string' || messageId === '' || typeof timestamp !== 'string') return undefined;
  const reference = knownSubscriptions.of(cut.subscription, referenceIn);
  // Not looked at, but what is passed on has to be JSON.
  JSON.parse(cut.event);
  const sentAt = Date.parse(timestamp);
  return {
    frame: { kind: 'notification', messageId, timestamp, subscription: reference, body: cut.body },
    sentAt: Number.isNaN(sentAt) ? null : sentAt,
  };
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

function referenceIn(text: string): SubscriptionRef {
  const given: unknown = JSON.parse(text);
  return reference(subscriptionOnly.parse({ subscription: given }).subscription);
}

export const parseFrame = (text: string): UpstreamFrame => readFrame(text).frame;

function interpret(frame: Parsed, text: string): UpstreamFrame {
  const parse = parsers.get(frame.metadata.message_type);
  return parse
    ? parse(frame, text)
    : { kind: 'unknown', messageType: frame.metadata.message_type.slice(0, 64) };
}

function reference(raw: z.infer<typeof subscription>): SubscriptionRef {
  return {
    id: raw.id,
    type: raw.type,
    version: raw.version,
    status: raw.status,
    condition: canonicalCondition(raw.condition),
  };
}

/** The payload's two members as they stand in the frame: what goes out is what came in, byte for byte. */
function spliceBody(text: string): string {
  const payload = memberSlice(text, 'payload');
  const subscriptionText = payload === undefined ? undefined : memberSlice(payload, 'subscription');
  const eventText = payload === undefined ? undefined : memberSlice(payload, 'event');
  if (subscriptionText === undefined) throw new TypeError('payload.subscription is missing');
  return `"subscription":${subscriptionText},"event":${eventText ?? 'null'}`;
}

/** What was wrong, without any of the frame's content. */
function describe(error: unknown): string {
  if (error instanceof z.ZodError) {
    const issue = error.issues[0];
    return issue ? `${issue.path.join('.') || 'frame'}: ${issue.message}` : 'invalid';
  }
  return error instanceof SyntaxError ? 'not JSON' : 'unreadable';
}
