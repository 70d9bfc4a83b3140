// The event types that most bots are for, in words, so that nobody needs to know Twitch's names to add one. No catalogue:
// whatever else is wanted is typed in, and the relay has the last word. A test holds the names against the catalogue.
import { RelayApiError } from '../../client/index.ts';
import type { Room } from './menu.ts';
import { tell } from './menu.ts';

export const usualTypes: readonly (readonly [type: string, words: string])[] = [
  ['channel.chat.message', 'Chat messages'],
  ['channel.follow', 'Followers'],
  ['channel.subscribe', 'Subscriptions'],
  ['channel.subscription.message', 'Resubscriptions'],
  ['channel.subscription.gift', 'Gifted subscriptions'],
  ['channel.cheer', 'Cheers'],
  ['channel.raid', 'Raids'],
  ['channel.channel_points_custom_reward_redemption.add', 'Channel point redemptions'],
  ['stream.online', 'Stream goes online'],
  ['stream.offline', 'Stream goes offline'],
  ['channel.update', 'Title and category'],
  ['channel.moderate', 'Moderation'],
  ['channel.poll.begin', 'Polls'],
  ['channel.prediction.begin', 'Predictions'],
];

/** `channel.a, channel.b` or with spaces. */
export const typeList = (text: string): string[] => [
  ...new Set(
    text
      .split(/[\s,;]+/u)
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  ),
];

/**
 * Asks what it shall be for, and calls with the answer until the relay accepts it: a name that it does not know is shown
 * with the nearest ones, and asked for again.
 */
export async function withTypes<T>(room: Room, call: (types: readonly string[]) => Promise<T>): Promise<T> {
  const { ui } = room;
  const chosen = await ui.ask.checkbox(
    'What shall it be used for? (decides the scopes that are asked for)',
    usualTypes.map(([type, words]) => ({ name: words, value: type, description: type })),
  );
  for (;;) {
    const others = await ui.ask.text('Other event types, with commas (Enter: none)');
    try {
      return await call([...new Set([...chosen, ...typeList(others)])]);
    } catch (error) {
      if (!(error instanceof RelayApiError) || error.status !== 422) throw error;
      await tell(room, error);
    }
  }
}
