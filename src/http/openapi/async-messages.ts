// What travels over /ws/events, message by message, with an example of each. The shapes are those of src/protocol.
import { z } from 'zod';
import * as shapes from '../../protocol/index.ts';
import { cursor, event, ids } from './examples.ts';
import type { Named } from './json-schema.ts';

export interface Message extends Named {
  readonly title: string;
  readonly summary: string;
  readonly example: unknown;
}

const message = <T extends z.ZodType>(
  schema: T,
  about: { readonly title: string; readonly summary: string; readonly example: z.input<T> },
  io: Named['io'] = 'output',
): Message => ({ schema, io, ...about });

/** One of the relay's own events: told apart by its type, kept in the same log. */
const own = <T extends z.ZodType>(types: readonly [string, ...string[]], member: T) =>
  shapes.relayEvent.extend({ provider: z.literal('relay'), type: z.enum(types), event: member });

const ownExample = {
  ...event,
  id: 'relay-0c9c9a3e-52fd-4c7e-9f7e-6d1b1f6a0c77',
  provider: 'relay' as const,
  version: '1',
  event_timestamp: '2026-11-21T03:04:05.000Z',
  received_at: '2026-11-21T03:04:05.000Z',
  topic_id: null,
  subscription: null,
};
const serviceExample = { ...ownExample, bot_account_id: null };

export const interestTypes = [
  'relay.interest.active',
  'relay.interest.rejected',
  'relay.interest.revoked',
  'relay.interest.degraded',
] as const;
export const endpointTypes = [
  'relay.endpoint.degraded',
  'relay.endpoint.disabled',
  'relay.endpoint.recovered',
] as const;

/** Each is a text frame of a plain connection, and the `event` of an event frame of relay.v1. */
export const eventMessages = {
  Event: message(shapes.relayEvent, {
    title: 'Event',
    summary: 'One record of the log. `subscription` and `event` are what Twitch sent, member for member.',
    example: event,
  }),
  GapEvent: message(own(['relay.gap'], shapes.gapEvent), {
    title: 'Gap',
    summary: 'Between `from` and `to` an event of these topics may have been missed.',
    example: {
      ...ownExample,
      type: 'relay.gap',
      event: {
        cause: 'upstream_reconnect',
        bot_account_id: ids.botId,
        topic_ids: [event.topic_id ?? ''],
        from: '2026-11-21T03:03:55.000Z',
        to: '2026-11-21T03:04:05.000Z',
      },
    },
  }),
  InterestEvent: message(own(interestTypes, shapes.interestEvent), {
    title: 'Change of an interest',
    summary: 'What became of a wish.',
    example: {
      ...ownExample,
      type: 'relay.interest.active',
      event: { interest_id: ids.interestId, reason: null, code: null },
    },
  }),
  ReauthEvent: message(own(['relay.bot.reauth_required'], shapes.reauthEvent), {
    title: 'Lost grant',
    summary: 'A bot has to be authorised again; until then its topics are not covered.',
    example: {
      ...ownExample,
      type: 'relay.bot.reauth_required',
      event: {
        bot_account_id: ids.botId,
        name: 'night-bot',
        topic_ids: [event.topic_id ?? ''],
        reason: 'Twitch no longer takes its refresh token',
      },
    },
  }),
  EndpointEvent: message(own(endpointTypes, shapes.endpointEvent), {
    title: 'Change of an endpoint',
    summary: 'A webhook endpoint changed for the worse or the better.',
    example: {
      ...serviceExample,
      type: 'relay.endpoint.disabled',
      event: {
        endpoint_id: ids.endpointId,
        code: 'gone',
        reason: 'it answered 410',
        since: '2026-11-21T03:04:05.000Z',
      },
    },
  }),
} as const satisfies Record<string, Message>;

/** What the relay sends over relay.v1. */
export const serverMessages = {
  HelloFrame: message(shapes.helloFrame, {
    title: 'hello',
    summary: 'Always first.',
    example: {
      type: 'hello',
      protocol: shapes.subprotocol,
      session_id: '7f0e6a52-1df1-4c58-9a0c-2b1a4f0e5d88',
      consumer: 'default',
      position: cursor(41),
      head: cursor(42),
      floor: cursor(0),
      resumed: true,
      heartbeat_ms: shapes.connectLimits.heartbeatMs,
      max_in_flight: shapes.connectLimits.maxInFlightDefault,
    },
  }),
  EventFrame: message(shapes.eventFrame, {
    title: 'event',
    summary: 'One record of the log, with its position.',
    example: { type: 'event', cursor: cursor(42), attempt: 1, event },
  }),
  HeartbeatFrame: message(shapes.heartbeatFrame, {
    title: 'heartbeat',
    summary: 'Nothing happened for a while.',
    example: { type: 'heartbeat', head: cursor(42) },
  }),
  LagFrame: message(shapes.lagFrame, {
    title: 'lag',
    summary: 'So far behind that events are about to be removed unread: at 50, 80 and 95 % of the retention.',
    example: { type: 'lag', behind_events: 120_000, behind_ms: 43_200_000, floor_in_ms: 43_200_000 },
  }),
  ReconnectFrame: message(shapes.reconnectFrame, {
    title: 'reconnect',
    summary: 'A planned restart: come back.',
    example: { type: 'reconnect', in_ms: 350, reason: 'restart' },
  }),
  ErrorFrame: message(shapes.errorFrame, {
    title: 'error',
    summary: 'Why the relay closes the socket; precedes a close.',
    example: {
      type: 'error',
      code: 'unauthorized',
      message: 'the credentials were rotated',
      reconnect: false,
    },
  }),
} as const satisfies Record<string, Message>;

/** What a client sends over relay.v1. */
export const clientMessages = {
  AckFrame: message(
    shapes.ackFrame,
    {
      title: 'ack',
      summary: 'Everything up to the cursor is done. Late and repeated ones are harmless.',
      example: { type: 'ack', cursor: cursor(42) },
    },
    'input',
  ),
} as const satisfies Record<string, Message>;
