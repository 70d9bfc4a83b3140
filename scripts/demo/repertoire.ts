// What can happen on the demo's channel: the interests that listen for it, and events that look like a real evening.
// Pure but for the dice it is given.

export type BotName = 'relaybot' | 'streamer';

export interface Act {
  readonly type: string;
  /** Whose token listens: some types need the broadcaster's own. */
  readonly bot: BotName;
  /** How often it happens, relative to the others. */
  readonly weight: number;
  readonly fields: (pick: Pick) => Readonly<Record<string, unknown>>;
  /** Overrides what `broadcaster_user_id` would fill in. */
  readonly condition?: (streamerId: string) => Readonly<Record<string, string>>;
}

export type Pick = <T>(from: readonly [T, ...T[]]) => T;

const viewers = [
  'Mira',
  'Oskar_77',
  'jellyfishtea',
  'Nadia',
  'tomasz_w',
  'Kestrel',
  'PixelOma',
  'harbourlight',
  'ZoeCodes',
  'Bramble',
] as const;
const lines = [
  'good evening everyone',
  'that was so close',
  'what is the plan for today?',
  'first time here, hi!',
  'gg',
  'LUL',
  'the lamp behind you is new',
  'can you read the error again?',
  'こんにちは 👋',
  'again! again!',
  'who else is on mobile',
  'that jump "worked" before…',
  'brb, tea',
  '10/10 would fall again',
] as const;
const titles = ['One more try, then bed', 'Building a shelf, live', 'Viewers choose the route'] as const;
const categories = ['Software and Game Development', 'Celeste', 'Makers & Crafting'] as const;

const user = (pick: Pick, prefix = '') => {
  const name = pick(viewers);
  return { [`${prefix}user_name`]: name, [`${prefix}user_login`]: name.toLowerCase() };
};

export const acts: readonly Act[] = [
  {
    type: 'channel.chat.message',
    bot: 'relaybot',
    weight: 12,
    fields: (pick) => {
      const text = pick(lines);
      const fragment = { type: 'text', text, cheermote: null, emote: null, mention: null };
      return { ...user(pick, 'chatter_'), message: { text, fragments: [fragment] } };
    },
  },
  { type: 'channel.follow', bot: 'relaybot', weight: 3, fields: user },
  {
    type: 'channel.raid',
    bot: 'relaybot',
    weight: 1,
    condition: (streamerId) => ({ to_broadcaster_user_id: streamerId }),
    fields: (pick) => user(pick, 'from_broadcaster_'),
  },
  { type: 'stream.online', bot: 'relaybot', weight: 0.5, fields: () => ({}) },
  { type: 'stream.offline', bot: 'relaybot', weight: 0.5, fields: () => ({}) },
  {
    type: 'channel.update',
    bot: 'relaybot',
    weight: 1,
    fields: (pick) => ({ title: pick(titles), category_name: pick(categories) }),
  },
  {
    type: 'channel.subscribe',
    bot: 'streamer',
    weight: 2,
    fields: (pick) => ({ ...user(pick), tier: pick(['1000', '1000', '2000', '3000']) }),
  },
  {
    type: 'channel.cheer',
    bot: 'streamer',
    weight: 2,
    fields: (pick) => {
      const bits = pick([50, 100, 100, 500]);
      return { ...user(pick), bits, message: `Cheer${bits} nice one` };
    },
  },
  {
    type: 'channel.ban',
    bot: 'streamer',
    weight: 0.5,
    fields: (pick) => ({ ...user(pick), reason: pick(['spam', 'spoilers', 'being a bot']) }),
  },
];

export const botScopes: Readonly<Record<BotName, readonly string[]>> = {
  relaybot: ['user:read:chat', 'moderator:read:followers'],
  streamer: ['channel:read:subscriptions', 'bits:read', 'channel:moderate'],
};
