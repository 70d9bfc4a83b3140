// Shapes of the HTTP API: requests as the server validates them, answers as the client may rely on them. Those of webhook
// delivery are in rest-webhooks.ts.
import { z } from 'zod';
import { relayEvent } from './event.ts';
import { graceText, numberText, uuid } from './scalars.ts';

/** The `type` of a problem: a name, not an address. */
export const problemType = (code: string): string => `urn:eventsub-relay:problem:${code}`;

/** RFC 9457. `code` is stable and for programs; `detail` is for people. */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof problem>;

export const botView = z.looseObject({
  id: uuid,
  name: z.string(),
  provider: z.string(),
  twitch_user_id: z.string(),
  twitch_login: z.string(),
  enabled: z.boolean(),
  state: z.enum(['ok', 'reauth_required']),
  scopes: z.array(z.string()),
  token_expires_at: z.string().nullable(),
  session: z.looseObject({
    state: z.enum(['none', 'connecting', 'live']),
    sockets: z.number(),
    connected_at: z.string().nullable(),
    last_frame_at: z.string().nullable(),
    reconnects: z.number(),
  }),
  subscriptions: z.object({ used: z.number(), limit: z.number() }),
  cost: z.object({ used: z.number(), limit: z.number() }),
  topics: z.record(z.string(), z.number()).describe('How many topics are in each state.'),
});
export type BotView = z.infer<typeof botView>;

/** What a service may see of a bot. */
export const accessibleBot = botView.pick({
  id: true,
  name: true,
  provider: true,
  twitch_user_id: true,
  twitch_login: true,
  enabled: true,
  state: true,
  scopes: true,
});
export const accessibleBots = z.object({
  access_mode: z.enum(['all', 'restricted']),
  bots: z.array(accessibleBot),
});

export const importBotBody = z.object({
  name: z
    .string()
    .trim()
    .min(1, 'expected a name of 1 to 64 characters')
    .max(64, 'expected a name of 1 to 64 characters')
    .optional()
    .describe("Defaults to the token's login."),
  access_token: z.string().min(1, 'expected the access token text').max(512),
  refresh_token: z.string().min(1).max(512).optional(),
  scopes: z.array(z.string()).optional().describe('If given, the token must carry all of them.'),
});
export type ImportBotBody = z.infer<typeof importBotBody>;

export const serviceName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'expected 1 to 64 letters, digits, spaces or . _ -');
export const graceSeconds = graceText.default(0);
export const serviceView = z.looseObject({
  name: z.string(),
  client_id: z.string(),
  enabled: z.boolean(),
  created_at: z.string(),
  last_seen_at: z.string().nullable(),
});
export const serviceCreated = z.object({
  name: z.string(),
  client_id: z.string(),
  client_secret: z.string(),
});
export const serviceRegenerated = z.object({
  client_id: z.string(),
  client_secret: z.string(),
  previous_valid_until: z.string().nullable(),
});
export const servicePatch = z.strictObject({ enabled: z.boolean('expected true or false') });

export const interestStates = ['pending', 'active', 'rejected', 'revoked', 'degraded'] as const;
export type InterestState = (typeof interestStates)[number];

/** A longer URL would not fit the index that makes one endpoint of equal ones. */
export const maxWebhookUrlLength = 2048;

/** The wish. See the catalogue (GET /v1/eventsub/subscription-types) for what a type needs. */
export const createInterestBody = z.object({
  bot_account_id: uuid,
  event_type: z.string().trim().min(1, 'expected an EventSub type such as channel.follow').max(128),
  broadcaster_user_id: z
    .string()
    .min(1)
    .max(200)
    .nullish()
    .describe('A user id, a login, or a channel URL; fills the condition.'),
  version: z.string().min(1).max(16).nullish().describe('Defaults to the newest live one.'),
  condition: z.record(z.string().max(64), z.string().max(128)).nullish(),
  transport: z.enum(['websocket', 'webhook'], 'expected "websocket" or "webhook"'),
  webhook_url: z
    .string()
    .max(maxWebhookUrlLength, 'expected a URL of at most 2048 characters')
    .nullish()
    .describe('Required with transport webhook, and only with it. Events of one URL go to one endpoint.'),
});
export type CreateInterestBody = z.infer<typeof createInterestBody>;

export const interestView = z.looseObject({
  id: uuid,
  service_account_id: uuid,
  bot_account_id: uuid,
  event_type: z.string(),
  version: z.string(),
  condition: z.record(z.string(), z.string()),
  broadcaster_user_id: z.string().nullable(),
  transport: z.enum(['websocket', 'webhook']),
  webhook_url: z.string().nullable(),
  endpoint_id: uuid.nullable().describe('The webhook endpoint of that URL; null for websocket.'),
  topic_id: uuid,
  state: z.enum(interestStates),
  reason: z.string().nullable(),
  created_at: z.string(),
});
export type InterestView = z.infer<typeof interestView>;
/** The answer of the call that creates an interest. */
export const createdInterest = interestView.extend({
  webhook_secret: z
    .string()
    .optional()
    .describe('Signs the requests to the endpoint. Given once: to the call that created the endpoint.'),
});
export type CreatedInterest = z.infer<typeof createdInterest>;

export const waitSeconds = numberText(
  /^\d{1,2}(\.\d{1,6})?$/,
  0,
  30,
  'expected a number of seconds, 0 to 30',
).default(0);
export const pageLimit = numberText(/^\d{1,4}$/, 1, 1000, 'expected a whole number from 1 to 1000').default(
  100,
);

export const eventsQuery = z.object({
  after: z
    .string()
    .max(200)
    .optional()
    .describe('Cursor; without it the page starts at the oldest kept event.'),
  limit: pageLimit,
  types: z.string().max(4000).optional(),
  wait: waitSeconds,
});
export const eventsPage = z.object({
  events: z.array(relayEvent),
  next: z.string().describe('Pass as `after` to go on.'),
  head: z.string(),
});
export type EventsPage = z.infer<typeof eventsPage>;

export const consumerView = z.looseObject({
  name: z.string(),
  position: z.string(),
  head: z.string(),
  behind_events: z.number(),
  connected: z.boolean(),
  updated_at: z.string(),
});
export type ConsumerView = z.infer<typeof consumerView>;
export const ackBody = z.object({ cursor: z.string('expected a cursor').max(200) });

export const wsTokenView = z.object({ ws_token: z.string(), expires_in_seconds: z.number() });
/** How long a browser token may wait for its one use. */
export const wsTokenTtlSeconds = 120;

export const subscriptionTypeView = z.looseObject({
  type: z.string(),
  version: z.string(),
  condition: z.array(z.string()),
  optional_condition: z.array(z.string()),
  scopes_any_of: z.array(z.string()),
  scopes_all_of: z.array(z.array(z.string())),
  websocket: z.boolean(),
  token_user: z.string().nullable(),
  status: z.enum(['live', 'beta', 'deprecated', 'removed']),
});
