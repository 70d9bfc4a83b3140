// The table of EventSub types: what each asks for in its condition and scopes, and whether it goes over a WebSocket.
// Source: dev.twitch.tv/docs/eventsub/eventsub-subscription-types and /docs/eventsub/eventsub-reference, 2026-11.
// Add a type by adding a line; no code may treat one type specially by its name.
import { nearestNames } from '../../domain/edit-distance.ts';
import type { EventTypeCatalogue, EventTypeRule } from '../../domain/event-type.ts';

type Shape = Pick<EventTypeRule, 'condition' | 'tokenUser'> &
  Partial<Pick<EventTypeRule, 'optionalCondition' | 'websocket'>>;
type Extra = Partial<
  Pick<EventTypeRule, 'optionalCondition' | 'exactlyOneOf' | 'scopesAllOf' | 'status' | 'batched' | 'note'>
>;

function row(
  type: string,
  version: string,
  shape: Shape,
  scopesAnyOf: readonly string[],
  extra: Extra = {},
): EventTypeRule {
  return {
    type,
    version,
    optionalCondition: [],
    scopesAnyOf,
    scopesAllOf: [],
    websocket: true,
    status: 'live',
    ...shape,
    ...extra,
  };
}

// Whom the condition names, and which of them must be the token's own user.
const owner: Shape = { condition: ['broadcaster_user_id'], tokenUser: 'broadcaster_user_id' };
const ofReward: Shape = { ...owner, optionalCondition: ['reward_id'] };
const moderator: Shape = {
  condition: ['broadcaster_user_id', 'moderator_user_id'],
  tokenUser: 'moderator_user_id',
};
const chatter: Shape = { condition: ['broadcaster_user_id', 'user_id'], tokenUser: 'user_id' };
const self: Shape = { condition: ['user_id'], tokenUser: 'user_id' };
const anyChannel: Shape = { condition: ['broadcaster_user_id'], tokenUser: null };
const anyUser: Shape = { condition: ['user_id'], tokenUser: null };
const nobody: Shape = { condition: [], tokenUser: null };
/** Created with an app access token, which a WebSocket refuses. */
const appOnly = (condition: readonly string[]): Shape => ({ condition, tokenUser: null, websocket: false });
const raidEnds = ['from_broadcaster_user_id', 'to_broadcaster_user_id'];

const redemptions = ['channel:read:redemptions', 'channel:manage:redemptions'];
const polls = ['channel:read:polls', 'channel:manage:polls'];
const predictions = ['channel:read:predictions', 'channel:manage:predictions'];
const vips = ['channel:read:vips', 'channel:manage:vips'];
const warnings = ['moderator:read:warnings', 'moderator:manage:warnings'];
const shoutouts = ['moderator:read:shoutouts', 'moderator:manage:shoutouts'];
const shieldMode = ['moderator:read:shield_mode', 'moderator:manage:shield_mode'];
const unbanRequests = ['moderator:read:unban_requests', 'moderator:manage:unban_requests'];
const whispers = ['user:read:whispers', 'user:manage:whispers'];
const guestStar = [
  'channel:read:guest_star',
  'channel:manage:guest_star',
  'moderator:read:guest_star',
  'moderator:manage:guest_star',
];
const moderate = [
  ['moderator:read:blocked_terms', 'moderator:manage:blocked_terms'],
  ['moderator:read:chat_settings', 'moderator:manage:chat_settings'],
  ['moderator:read:unban_requests', 'moderator:manage:unban_requests'],
  ['moderator:read:banned_users', 'moderator:manage:banned_users'],
  ['moderator:read:chat_messages', 'moderator:manage:chat_messages'],
  ['moderator:read:moderators'],
  ['moderator:read:vips'],
];
const hypeTrainV1: Extra = { status: 'removed', note: 'withdrawn January 2026; use version 2' };

/** Every type and version, oldest version of a type first. */
export const eventTypes: readonly EventTypeRule[] = [
  row('automod.message.hold', '1', moderator, ['moderator:manage:automod']),
  row('automod.message.hold', '2', moderator, ['moderator:manage:automod']),
  row('automod.message.update', '1', moderator, ['moderator:manage:automod']),
  row('automod.message.update', '2', moderator, ['moderator:manage:automod']),
  row('automod.settings.update', '1', moderator, ['moderator:read:automod_settings']),
  row('automod.terms.update', '1', moderator, ['moderator:manage:automod']),
  row('channel.ad_break.begin', '1', owner, ['channel:read:ads']),
  row('channel.ban', '1', owner, ['channel:moderate']),
  row('channel.bits.use', '1', owner, ['bits:read']),
  row('channel.channel_points_automatic_reward_redemption.add', '1', owner, redemptions),
  row('channel.channel_points_automatic_reward_redemption.add', '2', owner, redemptions),
  row('channel.channel_points_custom_reward.add', '1', owner, redemptions),
  row('channel.channel_points_custom_reward.remove', '1', ofReward, redemptions),
  row('channel.channel_points_custom_reward.update', '1', ofReward, redemptions),
  row('channel.channel_points_custom_reward_redemption.add', '1', ofReward, redemptions),
  row('channel.channel_points_custom_reward_redemption.update', '1', ofReward, redemptions),
  row('channel.charity_campaign.donate', '1', owner, ['channel:read:charity']),
  row('channel.charity_campaign.progress', '1', owner, ['channel:read:charity']),
  row('channel.charity_campaign.start', '1', owner, ['channel:read:charity']),
  row('channel.charity_campaign.stop', '1', owner, ['channel:read:charity']),
  row('channel.chat.clear', '1', chatter, ['user:read:chat']),
  row('channel.chat.clear_user_messages', '1', chatter, ['user:read:chat']),
  row('channel.chat.message', '1', chatter, ['user:read:chat']),
  row('channel.chat.message_delete', '1', chatter, ['user:read:chat']),
  row('channel.chat.notification', '1', chatter, ['user:read:chat']),
  row('channel.chat.user_message_hold', '1', chatter, ['user:read:chat']),
  row('channel.chat.user_message_update', '1', chatter, ['user:read:chat']),
  row('channel.chat_settings.update', '1', chatter, ['user:read:chat']),
  row('channel.cheer', '1', owner, ['bits:read']),
  row('channel.custom_power_up_redemption.add', '1', ofReward, ['bits:read'], {
    note: "was version 'beta' during open beta; some code still uses 'beta'",
  }),
  row('channel.follow', '1', anyChannel, [], { status: 'removed', note: 'removed; creation answers 410' }),
  row('channel.follow', '2', moderator, ['moderator:read:followers']),
  row('channel.goal.begin', '1', owner, ['channel:read:goals']),
  row('channel.goal.end', '1', owner, ['channel:read:goals']),
  row('channel.goal.progress', '1', owner, ['channel:read:goals']),
  row('channel.guest_star_guest.update', 'beta', moderator, guestStar, { status: 'beta' }),
  row('channel.guest_star_session.begin', 'beta', moderator, guestStar, { status: 'beta' }),
  row('channel.guest_star_session.end', 'beta', moderator, guestStar, { status: 'beta' }),
  row('channel.guest_star_settings.update', 'beta', moderator, guestStar, { status: 'beta' }),
  row('channel.hype_train.begin', '1', owner, ['channel:read:hype_train'], hypeTrainV1),
  row('channel.hype_train.begin', '2', owner, ['channel:read:hype_train']),
  row('channel.hype_train.end', '1', owner, ['channel:read:hype_train'], hypeTrainV1),
  row('channel.hype_train.end', '2', owner, ['channel:read:hype_train']),
  row('channel.hype_train.progress', '1', owner, ['channel:read:hype_train'], hypeTrainV1),
  row('channel.hype_train.progress', '2', owner, ['channel:read:hype_train']),
  row('channel.moderate', '1', moderator, [], { scopesAllOf: moderate }),
  row('channel.moderate', '2', moderator, [], { scopesAllOf: [...moderate, warnings] }),
  row('channel.moderator.add', '1', owner, ['moderation:read']),
  row('channel.moderator.remove', '1', owner, ['moderation:read']),
  row('channel.poll.begin', '1', owner, polls),
  row('channel.poll.end', '1', owner, polls),
  row('channel.poll.progress', '1', owner, polls),
  row('channel.prediction.begin', '1', owner, predictions),
  row('channel.prediction.end', '1', owner, predictions),
  row('channel.prediction.lock', '1', owner, predictions),
  row('channel.prediction.progress', '1', owner, predictions),
  row('channel.raid', '1', nobody, [], { optionalCondition: raidEnds, exactlyOneOf: raidEnds }),
  row('channel.shared_chat.begin', '1', anyChannel, []),
  row('channel.shared_chat.end', '1', anyChannel, []),
  row('channel.shared_chat.update', '1', anyChannel, []),
  row('channel.shield_mode.begin', '1', moderator, shieldMode),
  row('channel.shield_mode.end', '1', moderator, shieldMode),
  row('channel.shoutout.create', '1', moderator, shoutouts),
  row('channel.shoutout.receive', '1', moderator, shoutouts),
  row('channel.subscribe', '1', owner, ['channel:read:subscriptions']),
  row('channel.subscription.end', '1', owner, ['channel:read:subscriptions']),
  row('channel.subscription.gift', '1', owner, ['channel:read:subscriptions']),
  row('channel.subscription.message', '1', owner, ['channel:read:subscriptions']),
  row('channel.suspicious_user.message', '1', moderator, ['moderator:read:suspicious_users']),
  row('channel.suspicious_user.update', '1', moderator, ['moderator:read:suspicious_users']),
  row('channel.unban', '1', owner, ['channel:moderate']),
  row('channel.unban_request.create', '1', moderator, unbanRequests),
  row('channel.unban_request.resolve', '1', moderator, unbanRequests),
  row('channel.update', '1', anyChannel, [], {
    status: 'deprecated',
    note: 'absent from the current Twitch reference; superseded by version 2',
  }),
  row('channel.update', '2', anyChannel, []),
  row('channel.vip.add', '1', owner, vips),
  row('channel.vip.remove', '1', owner, vips),
  row('channel.warning.acknowledge', '1', moderator, warnings),
  row('channel.warning.send', '1', moderator, warnings),
  row('conduit.shard.disabled', '1', appOnly(['client_id']), [], {
    optionalCondition: ['conduit_id'],
    note: 'the newest Twitch page lists WebSocket among transports but authorises only an app access token, which WebSocket refuses',
  }),
  row('drop.entitlement.grant', '1', appOnly(['organization_id']), [], {
    optionalCondition: ['category_id', 'campaign_id'],
    batched: true,
  }),
  row('extension.bits_transaction.create', '1', appOnly(['extension_client_id']), []),
  row('stream.offline', '1', anyChannel, []),
  row('stream.online', '1', anyChannel, []),
  row('user.authorization.grant', '1', appOnly(['client_id']), []),
  row('user.authorization.revoke', '1', appOnly(['client_id']), []),
  row('user.update', '1', anyUser, [], {
    note: 'no scope needed; with user:read:email the payload also carries email',
  }),
  row('user.whisper.message', '1', self, whispers),
];

/** Names that people use for a type which Twitch calls otherwise. */
export const aliases: Readonly<Record<string, string>> = {
  'channel.online': 'stream.online',
  'channel.offline': 'stream.offline',
};

const byType = new Map<string, readonly EventTypeRule[]>();
for (const entry of eventTypes) byType.set(entry.type, [...(byType.get(entry.type) ?? []), entry]);

/** Every version of the type, oldest first; empty for an unknown type. */
export const versionsOf = (type: string): readonly EventTypeRule[] => byType.get(type) ?? [];

/** The newest version that can be subscribed to: a live one, else beta, else deprecated; never a removed one. */
export function newestLive(type: string): EventTypeRule | undefined {
  const versions = versionsOf(type);
  for (const status of ['live', 'beta', 'deprecated'] as const) {
    const found = versions.findLast((entry) => entry.status === status);
    if (found) return found;
  }
  return undefined;
}

/** The entry of that version, removed ones too; without a version, the newest that can be subscribed to. */
export function findType(type: string, version?: string): EventTypeRule | undefined {
  if (version === undefined) return newestLive(type);
  return versionsOf(type).find((entry) => entry.version === version);
}

/** The type's real name, if the text is another name for it. */
export const canonicalName = (type: string): string =>
  Object.hasOwn(aliases, type) ? (aliases[type] ?? type) : type;

/** The `count` types whose names are most like the text, likest first. */
export const nearestTypes = (text: string, count: number): readonly string[] =>
  nearestNames(text, [...byType.keys()], count);

export const catalogue: EventTypeCatalogue = {
  findType,
  newestLive,
  versionsOf,
  nearestTypes,
  canonicalName,
};
