// Shapes of the HTTP API: requests as the server validates them, answers as the client may rely on them. Those of webhook
// delivery are in rest-webhooks.ts.
import { z } from 'zod';
import { relayEvent } from './event.ts';
import { graceText, numberText, uuid, wholeText } from './scalars.ts';

/** The `type` of a problem: a name, not an address. */
export const problemType = (code: string): string => `urn:eventsub-relay:problem:${code}`;

/** RFC 9457. `code` is stable and for programs; `detail` is for people. */
export const problem = z.looseObject({
  type: z.string().describe('`urn:eventsub-relay:problem:` and the code.'),
  title: z.string(),
  status: z.number(),
  detail: z.string().describe('What is wrong and how to mend it, for people.'),
  code: z.string().describe('Stable, for programs.'),
  request_id: z.string().describe("Finds the request in the relay's log."),
  errors: z
    .array(z.object({ path: z.string().describe('The field, dotted.'), message: z.string() }))
    .optional()
    .describe('Each field that is missing or wrong.'),
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
  token_expires_at: z.string().nullable().describe('RFC 3339; the relay renews it before that.'),
  session: z
    .looseObject({
      state: z.enum(['none', 'connecting', 'live']),
      sockets: z.number(),
      connected_at: z.string().nullable(),
      last_frame_at: z.string().nullable(),
      reconnects: z.number(),
    })
    .describe('Its WebSocket to Twitch. None is open while nothing is wanted.'),
  subscriptions: z.object({ used: z.number(), limit: z.number() }).describe("Against Twitch's limit."),
  cost: z.object({ used: z.number(), limit: z.number() }).describe("Against Twitch's limit."),
  topics: z.record(z.string(), z.number()).describe('How many topics are in each state.'),
});
export type BotView = z.infer<typeof botView>;

/** One thing that was looked at just now, and what to do about it. */
export const checkView = z.looseObject({
  name: z
    .string()
    .describe('database, migrations, log, twitch, clock, or one of a bot: token, scopes, budget, session.'),
  bot_account_id: uuid.nullable(),
  status: z.enum(['ok', 'warning', 'failed']),
  detail: z.string(),
  advice: z.string().nullable().describe('What to do about it; null when it is well.'),
});
export type CheckView = z.infer<typeof checkView>;
export const checksView = z.object({ checks: z.array(checkView) });

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
export const accessModes = ['all', 'restricted'] as const;
export type AccessMode = (typeof accessModes)[number];
export const accessibleBots = z.object({
  access_mode: z.enum(accessModes),
  bots: z.array(accessibleBot),
});

export const botName = z
  .string()
  .trim()
  .min(1, 'expected a name of 1 to 64 characters')
  .max(64, 'expected a name of 1 to 64 characters');

export const importBotBody = z.object({
  name: botName.optional().describe("Defaults to the token's login."),
  access_token: z.string().min(1, 'expected the access token text').max(512),
  refresh_token: z.string().min(1).max(512).optional(),
  scopes: z.array(z.string()).optional().describe('If given, the token must carry all of them.'),
});
export type ImportBotBody = z.infer<typeof importBotBody>;

/** A member that is left out stays as it is. A disabled bot has no socket, and its topics are not covered. */
export const botPatch = z.strictObject({
  name: botName.optional(),
  enabled: z.boolean('expected true or false').optional(),
});
export type BotPatch = z.infer<typeof botPatch>;
export const botRemoved = z.object({
  deleted: z.literal(true),
  interests: z.number().describe('How many interests of services go with it; their owners are told.'),
  revoked: z
    .boolean()
    .describe(
      'Whether Twitch has taken the token back already. If not, the relay goes on trying in the background.',
    ),
});
export type BotRemoved = z.infer<typeof botRemoved>;

export const serviceName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'expected 1 to 64 letters, digits, spaces or . _ -');
export const graceSeconds = graceText.default(0);
export const serviceView = z.looseObject({
  name: z.string(),
  client_id: z.string(),
  enabled: z.boolean(),
  access_mode: z.enum(accessModes),
  bot_account_ids: z.array(uuid).describe('The bots that it may use while restricted.'),
  created_at: z.string(),
  last_seen_at: z.string().nullable(),
});
export type ServiceView = z.infer<typeof serviceView>;
export const serviceCreated = z.object({
  name: z.string(),
  client_id: z.string(),
  client_secret: z.string().describe('Given once; only its hash is kept.'),
});
export const serviceRegenerated = z.object({
  client_id: z.string(),
  client_secret: z.string().describe('Given once.'),
  previous_valid_until: z
    .string()
    .nullable()
    .describe('Until then the old secret works too; null: it does not.'),
});
/** A member that is left out stays as it is; `bot_account_ids` replaces the whole list. */
export const servicePatch = z.strictObject({
  enabled: z.boolean('expected true or false').optional(),
  access_mode: z.enum(accessModes, 'expected "all" or "restricted"').optional(),
  bot_account_ids: z.array(uuid).max(1_000).optional(),
});
export type ServicePatch = z.infer<typeof servicePatch>;

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
  condition: z
    .record(z.string().max(64), z.string().max(128))
    .nullish()
    .describe("Field to value, as Twitch has it. What must be the bot's own user is filled in."),
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
  reason: z.string().nullable().describe('Why it is not active, for people.'),
  code: z.string().nullable().describe('The same for programs.'),
  retry_at: z.string().nullable().describe('When the relay asks Twitch again.'),
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
export const pageLimit = wholeText(/^\d{1,4}$/, 1, 1000, 'expected a whole number from 1 to 1000').default(
  100,
);

export const eventsQuery = z.object({
  after: z
    .string()
    .max(200)
    .optional()
    .describe('Cursor; without it the page starts at the oldest kept event.'),
  limit: pageLimit.describe('How many events there are to be on a page.'),
  types: z.string().max(4000).optional().describe('Comma separated event types; without it all of them.'),
  wait: waitSeconds.describe('How many seconds to wait, at most, if there is nothing yet.'),
});
export const eventsPage = z.object({
  events: z.array(relayEvent),
  next: z.string().describe('Pass as `after` to go on.'),
  head: z.string().describe('The end of the log.'),
});
export type EventsPage = z.infer<typeof eventsPage>;

export const consumerView = z.looseObject({
  name: z.string(),
  position: z.string().describe('Everything up to this cursor is acknowledged.'),
  head: z.string().describe('The end of the log.'),
  behind_events: z.number().describe('Events that are still to be read; far behind it is an upper bound.'),
  connected: z.boolean().describe('Whether a socket of it is open.'),
  updated_at: z.string(),
});
export type ConsumerView = z.infer<typeof consumerView>;
export const ackBody = z.object({
  cursor: z.string('expected a cursor').max(200).describe('Everything up to it is done.'),
});

export const wsTokenView = z.object({
  ws_token: z.string().describe('Good for one connection.'),
  expires_in_seconds: z.number(),
});
/** How long a browser token may wait for its one use. */
export const wsTokenTtlSeconds = 120;

export const subscriptionTypeView = z.looseObject({
  type: z.string(),
  version: z.string(),
  condition: z.array(z.string()),
  optional_condition: z.array(z.string()),
  exactly_one_of: z.array(z.string()).describe('Of these optional fields exactly one must be given.'),
  scopes_any_of: z.array(z.string()).describe('One of them suffices; empty: none is needed.'),
  scopes_all_of: z.array(z.array(z.string())).describe('Of each inner list one is needed.'),
  websocket: z
    .boolean()
    .describe('Whether Twitch offers it over WebSocket, and so whether the relay can have it.'),
  token_user: z.string().nullable().describe("The condition field that must be the bot's own user."),
  status: z.enum(['live', 'beta', 'deprecated', 'removed']),
  note: z.string().optional(),
});
