// Owns what an event looks like: one row per type that matters, a plausible shape for all others. It must never
// decide who gets it. Shapes: https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/
import type { Ids } from './ids.ts';
import type { Condition, SimUser } from './types.ts';

export interface PayloadContext {
  readonly ids: Ids;
  readonly condition: Condition;
  readonly nowMs: number;
  readonly user: (id: string) => SimUser;
  /** Somebody in the audience; the same one every time it is asked within one event. */
  readonly viewer: SimUser;
}

export type EventFields = Record<string, unknown>;

function named(prefix: string, user: SimUser): EventFields {
  return {
    [`${prefix}user_id`]: user.id,
    [`${prefix}user_login`]: user.login,
    [`${prefix}user_name`]: user.displayName,
  };
}

function broadcasterOf(context: PayloadContext): SimUser {
  return context.user(context.condition.broadcaster_user_id ?? context.viewer.id);
}

function broadcaster(context: PayloadContext): EventFields {
  return named('broadcaster_', broadcasterOf(context));
}

interface Fragment {
  readonly type: string;
  readonly text: string;
  readonly emote?: object;
  readonly mention?: object;
}

// Quotes, backslash, line break, astral and combining characters and the ones that Go escapes: whatever a careless
// re-serialisation or a split at the wrong byte would change.
const CHAT_LINES: readonly (readonly Fragment[])[] = [
  [
    { type: 'text', text: 'Hi chat 👋 "quoted" \\ <b>&amp;</b> ' },
    {
      type: 'emote',
      text: 'Kappa',
      emote: { id: '25', emote_set_id: '0', owner_id: '0', format: ['static'] },
    },
  ],
  [{ type: 'text', text: 'gg\tこんにちは – naïve e\u0301clair\u2028second line 👩‍👩‍👧‍👦' }],
  [
    {
      type: 'mention',
      text: '@someone',
      mention: { user_id: '1', user_login: 'someone', user_name: 'Someone' },
    },
    { type: 'text', text: ' 1 < 2 && "3" > 2 /path\\to' },
  ],
];

function chatMessage(context: PayloadContext): EventFields {
  const line = CHAT_LINES[Math.floor(context.ids.random() * CHAT_LINES.length)] ?? [];
  return {
    ...broadcaster(context),
    source_broadcaster_user_id: null,
    source_broadcaster_user_login: null,
    source_broadcaster_user_name: null,
    ...named('chatter_', context.viewer),
    message_id: context.ids.uuid(),
    source_message_id: null,
    is_source_only: null,
    message: {
      text: line.map((fragment) => fragment.text).join(''),
      fragments: line.map((fragment) => ({
        type: fragment.type,
        text: fragment.text,
        cheermote: null,
        emote: fragment.emote ?? null,
        mention: fragment.mention ?? null,
      })),
    },
    color: '#00FF7F',
    badges: [
      { set_id: 'moderator', id: '1', info: '' },
      { set_id: 'subscriber', id: '12', info: '16' },
    ],
    source_badges: null,
    message_type: 'text',
    cheer: null,
    reply: null,
    channel_points_custom_reward_id: null,
    channel_points_animation_id: null,
  };
}

function raid(context: PayloadContext): EventFields {
  const { from_broadcaster_user_id: from, to_broadcaster_user_id: to } = context.condition;
  return {
    ...named('from_broadcaster_', from === undefined ? context.viewer : context.user(from)),
    ...named('to_broadcaster_', to === undefined ? context.viewer : context.user(to)),
    viewers: 1 + Math.floor(context.ids.random() * 9_000),
  };
}

const BUILDERS: Readonly<Record<string, (context: PayloadContext) => EventFields>> = {
  'channel.chat.message': chatMessage,
  'channel.follow': (context) => ({
    ...named('', context.viewer),
    ...broadcaster(context),
    followed_at: context.ids.timestamp(context.nowMs),
  }),
  'channel.subscribe': (context) => ({
    ...named('', context.viewer),
    ...broadcaster(context),
    tier: '1000',
    is_gift: false,
  }),
  'channel.cheer': (context) => ({
    is_anonymous: false,
    ...named('', context.viewer),
    ...broadcaster(context),
    message: 'Cheer100 pogchamp <3 👏',
    bits: 100,
  }),
  'channel.raid': raid,
  'stream.online': (context) => ({
    id: String(9_000_000_000 + Math.floor(context.ids.random() * 999_999_999)),
    ...broadcaster(context),
    type: 'live',
    started_at: new Date(context.nowMs).toISOString().replace(/\.\d+Z$/u, 'Z'),
  }),
  'stream.offline': broadcaster,
  'channel.update': (context) => ({
    ...broadcaster(context),
    title: 'Best Stream Ever: "finale" & friends <3',
    language: 'en',
    category_id: '12453',
    category_name: 'Grand Theft Auto',
    content_classification_labels: ['MatureGame'],
  }),
  'channel.ban': (context) => ({
    ...named('', context.viewer),
    ...broadcaster(context),
    ...named('moderator_', context.user(context.condition.moderator_user_id ?? broadcasterOf(context).id)),
    reason: 'Offensive language, "again"',
    banned_at: context.ids.timestamp(context.nowMs),
    ends_at: context.ids.timestamp(context.nowMs + 600_000),
    is_permanent: false,
  }),
};

/** Every user named by the condition, a viewer where none is, and a made-up id: enough to route and to display. */
function plausible(context: PayloadContext): EventFields {
  const fields: EventFields = { id: context.ids.uuid() };
  for (const [field, value] of Object.entries(context.condition)) {
    const prefix = /^(?<prefix>.*_|)user_id$/u.exec(field)?.groups?.prefix;
    Object.assign(fields, prefix === undefined ? { [field]: value } : named(prefix, context.user(value)));
  }
  return 'user_id' in fields ? fields : { ...fields, ...named('', context.viewer) };
}

/** A complete event of this type, with `overrides` laid over its top level. */
export function buildEvent(type: string, context: PayloadContext, overrides: EventFields = {}): EventFields {
  return { ...(BUILDERS[type] ?? plausible)(context), ...overrides };
}
