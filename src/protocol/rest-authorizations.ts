// Shapes of the calls by which a Twitch user's grant reaches the relay: a link for a browser, a code for a device, and
// what became of either. The third way, a token that somebody has already, is `importBotBody` in rest.ts.
import { z } from 'zod';
import { botName } from './rest.ts';
import { uuid } from './scalars.ts';

/** How long a link can be used. Twitch decides it for a device code. */
export const authorizationTtlSeconds = 600;

const maxTypes = 100;

/** What is asked of the user. Scopes follow from the event types by the catalogue; more can be named. */
const asked = z.strictObject({
  event_types: z
    .array(z.string().trim().min(1).max(128))
    .max(maxTypes)
    .optional()
    .describe('Types that the account shall be used for; the scopes they need are asked for.'),
  scopes: z
    .array(z.string().regex(/^[a-z]+(:[a-z_]+)*$/, 'expected a scope such as channel:read:subscriptions'))
    .max(maxTypes)
    .optional()
    .describe('Scopes to ask for beside those of the types.'),
});

/**
 * Without types, scopes and bot: what reading chat needs, since that is what a bot is most often for. An empty list of
 * either asks for nothing but signing in.
 */
export const authorizeBotBody = asked.extend({
  name: botName
    .optional()
    .describe(
      'What a new bot is called; its login otherwise. A known Twitch user keeps its name without it.',
    ),
  bot_account_id: uuid
    .optional()
    .describe(
      'Renews the grant of this bot and of no other: its present scopes, and what its interests need, are asked for too.',
    ),
});
export type AuthorizeBotBody = z.infer<typeof authorizeBotBody>;

/** Empty: nothing but signing in, which already makes the channel free of cost. */
export const authorizeBroadcasterBody = asked;
export type AuthorizeBroadcasterBody = z.infer<typeof authorizeBroadcasterBody>;

export const authorizationStates = ['pending', 'completed', 'denied', 'failed', 'expired'] as const;
export type AuthorizationState = (typeof authorizationStates)[number];

export const authorizationView = z.looseObject({
  id: uuid,
  kind: z.enum(['browser', 'device', 'broadcaster']),
  state: z.enum(authorizationStates),
  code: z.string().nullable().describe('Why it was denied or failed, for programs.'),
  reason: z.string().nullable().describe('The same for people, with what to do about it.'),
  scopes: z.array(z.string()).describe('What is asked for.'),
  bot_account_id: uuid.nullable().describe('The account that came of it.'),
  created_at: z.string(),
  expires_at: z.string(),
});
export type AuthorizationView = z.infer<typeof authorizationView>;

/** The link is as good as the grant it asks for: whoever opens it and says yes becomes an account of this relay. */
export const authorizationLink = authorizationView.extend({
  authorize_url: z
    .string()
    .describe('Open it in a browser that is signed in as the account, or send it to its owner.'),
});
export type AuthorizationLink = z.infer<typeof authorizationLink>;

export const deviceCode = authorizationView.extend({
  user_code: z.string().describe('What the user types in at `verification_uri`.'),
  verification_uri: z.string(),
  interval_seconds: z
    .number()
    .describe('How often the relay asks Twitch; asking the relay more often gains nothing.'),
});
export type DeviceCode = z.infer<typeof deviceCode>;
