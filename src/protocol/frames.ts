// Frames of the `relay.v1` subprotocol on /ws/events: one JSON object per text frame, told apart by `type`.
// Unknown types and members are to be ignored by both sides, so that either can be newer.
import { z } from 'zod';
import { relayEvent } from './event.ts';

export const subprotocol = 'relay.v1';
/** Browsers cannot set headers: a token travels as a second offered subprotocol with this prefix. */
export const bearerProtocolPrefix = 'bearer.';

export const helloFrame = z.looseObject({
  type: z.literal('hello'),
  protocol: z.literal(subprotocol),
  session_id: z.string(),
  consumer: z.string(),
  position: z.string().describe('Everything up to this cursor is acknowledged.'),
  head: z.string(),
  floor: z.string().describe('The oldest cursor from which nothing has been removed.'),
  resumed: z.boolean().describe('False for a consumer that the relay meets for the first time.'),
  heartbeat_ms: z.number(),
  max_in_flight: z.number(),
});

export const eventFrame = z.looseObject({
  type: z.literal('event'),
  cursor: z.string(),
  attempt: z
    .number()
    .int()
    .min(1)
    .describe('Above 1: this event may have been sent to this consumer before.'),
  event: relayEvent,
});

/** The text of an event frame around an event that is JSON already; nothing is parsed or written anew. */
export const eventFrameText = (cursor: string, attempt: number, eventJson: string): string =>
  `{"type":"event","cursor":"${cursor}","attempt":${attempt},"event":${eventJson}}`;

export const heartbeatFrame = z.looseObject({ type: z.literal('heartbeat'), head: z.string() });

export const lagFrame = z.looseObject({
  type: z.literal('lag'),
  behind_events: z.number(),
  behind_ms: z.number(),
  floor_in_ms: z.number().describe('Until the oldest unread event is removed.'),
});

export const reconnectFrame = z.looseObject({
  type: z.literal('reconnect'),
  in_ms: z.number(),
  reason: z.string(),
});

export const errorFrame = z.looseObject({
  type: z.literal('error'),
  code: z.string(),
  message: z.string(),
  reconnect: z.boolean(),
  retry_after_ms: z.number().optional(),
});

export const serverFrame = z.discriminatedUnion('type', [
  helloFrame,
  eventFrame,
  heartbeatFrame,
  lagFrame,
  reconnectFrame,
  errorFrame,
]);
export type ServerFrame = z.infer<typeof serverFrame>;
export type HelloFrame = z.infer<typeof helloFrame>;
export type EventFrame = z.infer<typeof eventFrame>;

/** Everything up to `cursor` is done. Idempotent; late or repeated acks are harmless. */
export const ackFrame = z.looseObject({ type: z.literal('ack'), cursor: z.string().max(200) });
/** What a client may send. A frame that is no JSON object with a string `type` is malformed (4400). */
export const clientFrame = z.looseObject({ type: z.string().max(64) });
export type AckFrame = z.infer<typeof ackFrame>;

export const connectLimits = {
  maxInFlightDefault: 256,
  maxInFlightMax: 4096,
  heartbeatMs: 25_000,
  consumerDefault: 'default',
} as const;

/** Query of a `relay.v1` connection (a plain one reads `after` and `types` only). */
export const connectQuery = z.object({
  consumer: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 . _ -')
    .default(connectLimits.consumerDefault),
  after: z.string().max(200).optional(),
  ack: z.enum(['cumulative', 'auto']).default('cumulative'),
  max_in_flight: z.coerce
    .number()
    .int()
    .min(1)
    .max(connectLimits.maxInFlightMax)
    .default(connectLimits.maxInFlightDefault),
  on_expired: z.enum(['reject', 'earliest', 'live']).default('reject'),
  types: z
    .string()
    .max(4000)
    .transform((text) =>
      text
        .split(',')
        .map((type) => type.trim())
        .filter(Boolean),
    )
    .optional()
    .describe('Comma separated event types; relay.* events come regardless.'),
});
export type ConnectQuery = z.infer<typeof connectQuery>;
