// What an answer looks like, by hand: the same few accounts, one event and one interest in every example. Nothing in it is
// real, and its secrets say so. The tests hold each against its schema.
import type * as shapes from '../../protocol/index.ts';
import { encodeCursor } from '../../domain/cursor.ts';

const botId = '0e0f2b1c-6a64-4a55-9c1d-6f7a2f0d9b10';
const topicId = '3f1f9a5e-8f0c-5b57-8a44-53a1c1f6c001';
const endpointId = '52a1c9d4-7c1b-4f3e-8a56-1d9d5b7e2c33';
const interestId = '6a8f2f9e-6a53-4e0c-9d0f-2f1f6a0f4a11';
const serviceId = '9b8f0a36-2c8e-4d2b-b0d1-6b0a5b7c8d22';
const clientId = 'b2b0a1de-5a9d-4a4c-8f3e-7e64c0c3f144';
export const replayId = 'c7d1e7b8-0d4e-4a0b-9a3c-2f5d8e6b7a55';
const authorizationId = 'd8e2f8c9-1e5f-4b1c-8b4d-3a6e9f7c8b66';
const messageId = 'e76c6bd4-55c9-4987-8304-da1588d8988b';
export const ids = { botId, endpointId, interestId, clientId, authorizationId };

const created = '2026-11-21T03:00:00.000Z';
const later = '2026-11-21T03:10:00.000Z';
const scopes = ['moderator:read:followers', 'user:read:chat'];
/** A position in the log of the examples. */
export const cursor = (seq: number): string => encodeCursor('example0', seq);
const exampleSecret = 'example-secret-that-is-shown-once';
const exampleWebhookSecret = `whsec_${Buffer.from('an example and not a real secret').toString('base64')}`;

const identity = {
  id: botId,
  name: 'night-bot',
  provider: 'twitch',
  twitch_user_id: '12826',
  twitch_login: 'night_bot',
  enabled: true,
  state: 'ok' as const,
  scopes,
};

export const bot: shapes.BotView = {
  ...identity,
  token_expires_at: '2026-11-21T07:00:00.000Z',
  session: {
    state: 'live',
    sockets: 1,
    connected_at: created,
    last_frame_at: '2026-11-21T03:04:05.000Z',
    reconnects: 0,
  },
  subscriptions: { used: 2, limit: 900 },
  cost: { used: 1, limit: 10 },
  topics: { active: 2 },
};

export const accessibleBots = { access_mode: 'restricted' as const, bots: [identity] };

export const importBot = {
  name: 'night-bot',
  access_token: 'the-access-token',
  refresh_token: 'the-refresh-token',
};

export const service: shapes.ServiceView = {
  name: 'overlay',
  client_id: clientId,
  enabled: true,
  access_mode: 'restricted',
  bot_account_ids: [botId],
  created_at: created,
  last_seen_at: null,
};
export const serviceCreated = { name: 'overlay', client_id: clientId, client_secret: exampleSecret };
export const serviceRegenerated = {
  client_id: clientId,
  client_secret: exampleSecret,
  previous_valid_until: later,
};

export const authorization: shapes.AuthorizationView = {
  id: authorizationId,
  kind: 'browser',
  state: 'completed',
  code: null,
  reason: null,
  scopes,
  bot_account_id: botId,
  created_at: created,
  expires_at: later,
};
const pending = { ...authorization, state: 'pending' as const, bot_account_id: null };
export const authorizationLink: shapes.AuthorizationLink = {
  ...pending,
  authorize_url: 'https://id.twitch.tv/oauth2/authorize?response_type=code&scope=user%3Aread%3Achat',
};
export const deviceCode: shapes.DeviceCode = {
  ...pending,
  kind: 'device',
  user_code: 'ABCDEFGH',
  verification_uri: 'https://www.twitch.tv/activate?device-code=ABCDEFGH',
  interval_seconds: 5,
};

export const createInterest = {
  bot_account_id: botId,
  event_type: 'channel.follow',
  broadcaster_user_id: 'night_bot',
  transport: 'webhook' as const,
  webhook_url: 'https://overlay.example/hooks/relay',
};
export const interest: shapes.InterestView = {
  id: interestId,
  service_account_id: serviceId,
  bot_account_id: botId,
  event_type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: '12826', moderator_user_id: '12826' },
  broadcaster_user_id: '12826',
  transport: 'webhook',
  webhook_url: 'https://overlay.example/hooks/relay',
  endpoint_id: endpointId,
  topic_id: topicId,
  state: 'active',
  reason: null,
  code: null,
  retry_at: null,
  created_at: created,
};
export const createdInterest: shapes.CreatedInterest = {
  ...interest,
  state: 'pending',
  webhook_secret: exampleWebhookSecret,
};
export const subscriptionType = {
  type: 'channel.follow',
  version: '2',
  condition: ['broadcaster_user_id', 'moderator_user_id'],
  optional_condition: [],
  exactly_one_of: [],
  scopes_any_of: ['moderator:read:followers'],
  scopes_all_of: [],
  websocket: true,
  token_user: 'moderator_user_id',
  status: 'live' as const,
};

export const event: shapes.RelayEvent = {
  id: messageId,
  cursor: cursor(42),
  provider: 'twitch',
  type: 'channel.follow',
  version: '2',
  event_timestamp: '2026-11-21T03:04:05.123456789Z',
  received_at: '2026-11-21T03:04:05.301Z',
  bot_account_id: botId,
  topic_id: topicId,
  subscription: { id: 'f1c2a387-161a-49f9-a165-0f21d7a4e1c4', type: 'channel.follow', version: '2' },
  event: {
    user_id: '1337',
    user_login: 'awesome_user',
    user_name: 'Awesome_User',
    broadcaster_user_id: '12826',
    followed_at: '2026-11-21T03:04:05.11111Z',
  },
};
export const eventsPage = { events: [event], next: cursor(42), head: cursor(42) };
export const consumer: shapes.ConsumerView = {
  name: 'default',
  position: cursor(41),
  head: cursor(42),
  behind_events: 1,
  connected: false,
  updated_at: created,
};
export const ack = { cursor: cursor(41) };
export const wsToken = { ws_token: 'example-token-for-one-use', expires_in_seconds: 120 };

export const endpoint: shapes.EndpointView = {
  id: endpointId,
  url: 'https://overlay.example/hooks/relay',
  description: 'The overlay',
  state: 'open',
  code: 'server_error',
  reason: 'five failures in a row; the last one: it answered 502',
  state_since: later,
  failing_since: created,
  next_probe_at: '2026-11-21T03:10:30.000Z',
  retry_profile: 'durable',
  order: 'broadcaster',
  max_age_seconds: null,
  concurrency: 8,
  position: cursor(41),
  head: cursor(42),
  behind_events: 1,
  waiting: 2,
  previous_secret_valid_until: null,
  created_at: created,
};
export const endpointSecret = {
  id: endpointId,
  webhook_secret: exampleWebhookSecret,
  previous_valid_until: '2026-11-22T03:00:00.000Z',
};
export const attemptOutcome = { outcome: 'success', status: 204, duration_ms: 31, response: null };
export const attempt: shapes.AttemptView = {
  ...attemptOutcome,
  id: '1207',
  endpoint_id: endpointId,
  event_id: messageId,
  cursor: cursor(42),
  event_type: 'channel.follow',
  run: null,
  attempt: 1,
  state: 'delivered',
  started_at: '2026-11-21T03:04:05.310Z',
  next_attempt_at: null,
};
export const replay = { endpoint_id: endpointId, from: created, to: later, dry_run: true };
export const replayed = { run: null, events: 17, dry_run: true };

export const check: shapes.CheckView = {
  name: 'scopes',
  bot_account_id: botId,
  status: 'warning',
  detail: 'night-bot lacks channel:read:subscriptions for 1 interest',
  advice: 'Authorise the bot again with that scope.',
};
export const checks = {
  checks: [
    { name: 'database', bot_account_id: null, status: 'ok' as const, detail: 'postgres', advice: null },
    check,
  ],
};
export const ready = { ready: true, checks: [{ name: 'database', ok: true, detail: 'postgres' }] };
export const notReady = {
  ready: false,
  checks: [{ name: 'database', ok: false, detail: 'no answer within 2000 ms' }],
};
