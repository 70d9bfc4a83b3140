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
  session_id: z.string().describe('Names this connection in the log of the relay.'),
  consumer: z.string().describe('Who the connection is, as the query named it.'),
  position: z.string().describe('Everything up to this cursor is acknowledged.'),
  head: z.string().describe('The end of the log.'),
  floor: z.string().describe('The oldest cursor from which nothing has been removed.'),
  resumed: z.boolean().describe('False for a consumer that the relay meets for the first time.'),
  heartbeat_ms: z.number().describe('After so long without an event comes a heartbeat.'),
  max_in_flight: z.number().describe('So many events are sent ahead of the acknowledgements, at most.'),
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

export const heartbeatFrame = z.looseObject({
  type: z.literal('heartbeat'),
  head: z.string().describe('The end of the log.'),
});

export const lagFrame = z.looseObject({
  type: z.literal('lag'),
  behind_events: z.number().describe('How many events are still to be read.'),
  behind_ms: z.number().describe('How old the oldest of them is.'),
  floor_in_ms: z.number().describe('Until the oldest unread event is removed.'),
});

export const reconnectFrame = z.looseObject({
  type: z.literal('reconnect'),
  in_ms: z.number().describe('Come back after so long; the socket closes with 1012.'),
  reason: z.string(),
});

export const errorFrame = z.looseObject({
  type: z.literal('error'),
  code: z.string().describe('For programs.'),
  message: z.string().describe('For people.'),
  reconnect: z.boolean().describe('Whether coming back may help.'),
  retry_after_ms: z.number().optional().describe('Not before so long.'),
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
export const ackFrame = z.looseObject({
  type: z.literal('ack'),
  cursor: z.string().max(200).describe('Everything up to it is done.'),
});
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
    .default(connectLimits.consumerDefault)
    .describe('Who reads: a name that keeps its position.'),
  after: z
    .string()
    .max(200)
    .optional()
    .describe('Cursor to start behind; without it a consumer goes on where it stood.'),
  ack: z
    .enum(['cumulative', 'auto'])
    .default('cumulative')
    .describe('auto: what was sent counts as acknowledged.'),
  max_in_flight: z.coerce
    .number()
    .int()
    .min(1)
    .max(connectLimits.maxInFlightMax)
    .default(connectLimits.maxInFlightDefault)
    .describe('How many events may be sent ahead of the acknowledgements.'),
  on_expired: z
    .enum(['reject', 'earliest', 'live'])
    .default('reject')
    .describe('What to do when events behind the position are gone.'),
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
