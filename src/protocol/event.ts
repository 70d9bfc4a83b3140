// The event as every binding carries it: WebSocket, webhook and pull. Shapes only.
import { z } from 'zod';

/** One record of the log. `subscription` and `event` are what the platform sent, member for member. */
export const relayEvent = z.looseObject({
  id: z.string().describe("The platform's message id, or a relay id for relay.* events. Dedupe on it."),
  cursor: z.string().describe('Position in the log, opaque.'),
  provider: z.enum(['twitch', 'relay']).describe("relay: one of the relay's own, type relay.*"),
  type: z.string(),
  version: z.string(),
  event_timestamp: z.string().describe("The platform's timestamp as sent, nanoseconds kept."),
  received_at: z.string().describe('When the relay read it, RFC 3339.'),
  bot_account_id: z.string().nullable(),
  topic_id: z.string().nullable(),
  subscription: z.unknown().describe('As the platform sent it; null for relay.* events.'),
  event: z.unknown().describe('As the platform sent it, or what the relay has to say.'),
});
export type RelayEvent = z.infer<typeof relayEvent>;

/**
 * Why events may be missing. The first five are the reasons a subscription was not covered; `relay_overflow`: the
 * database was away for longer than the relay could hold notifications; `upstream_malformed`: the platform sent
 * frames that could not be read. `delivery_failed` and `delivery_expired`: deliveries to a webhook endpoint that ended
 * without success, the retries used up or the event too old.
 */
export const gapCauses = [
  'upstream_reconnect',
  'upstream_silence',
  'revoked',
  'restart',
  'retention',
  'relay_overflow',
  'upstream_malformed',
  'delivery_failed',
  'delivery_expired',
] as const;
export type GapCause = (typeof gapCauses)[number];

/** The `event` member of a `relay.gap`: between `from` and `to` an event of these topics may have been missed. */
export const gapEvent = z.looseObject({
  cause: z.enum(gapCauses),
  bot_account_id: z.string().nullable(),
  topic_ids: z.array(z.string()),
  from: z.string().describe('Nothing before it is missing. RFC 3339.'),
  to: z.string().describe('Nothing from it on is missing. RFC 3339.'),
  consumer: z
    .string()
    .optional()
    .describe('With cause retention: the consumer whose unread events were removed.'),
  endpoint_id: z
    .string()
    .optional()
    .describe('The webhook endpoint that did not get the events; the log may still hold them.'),
  events: z.number().optional().describe('How many events are concerned, where that is known.'),
  event_ids: z.array(z.string()).optional().describe('Which ones, as far as they are listed.'),
});
export type GapEvent = z.infer<typeof gapEvent>;

/** The `event` member of `relay.interest.active | rejected | revoked | degraded`. */
export const interestEvent = z.looseObject({
  interest_id: z.string(),
  reason: z.string().nullable().describe('For people.'),
  code: z.string().nullable().describe('The same for programs.'),
  retry_at: z.string().optional().describe('When the relay asks Twitch again.'),
});
export type InterestEvent = z.infer<typeof interestEvent>;

/** The `event` member of `relay.endpoint.degraded | disabled | recovered`. */
export const endpointEvent = z.looseObject({
  endpoint_id: z.string(),
  code: z.string().nullable().describe('Why, for programs; null when it has recovered.'),
  reason: z.string().nullable(),
  since: z.string().describe('Since when the endpoint is in this state, RFC 3339.'),
  retry_at: z.string().optional().describe('When the next probe is due.'),
});
export type EndpointEvent = z.infer<typeof endpointEvent>;

/** The `event` member of `relay.bot.reauth_required`: until then the bot's topics are not covered. */
export const reauthEvent = z.looseObject({
  bot_account_id: z.string(),
  name: z.string().describe("The bot's."),
  topic_ids: z.array(z.string()).describe('What is not covered.'),
  reason: z.string(),
});
export type ReauthEvent = z.infer<typeof reauthEvent>;
