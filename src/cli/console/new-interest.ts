// A new interest: which bot, which event type, of whom, and how its events shall come; then Twitch's verdict.
import type { AccessibleBots, CreateInterestBody, SubscriptionType } from '../../client/index.ts';
import type { Room } from './menu.ts';
import type { Choice } from './prompts.ts';

type Bots = AccessibleBots['bots'];

/** How long to wait for the verdict. */
const verdictSeconds = 10;

export async function createInterest(room: Room, bots: Bots): Promise<void> {
  const { ui, relay } = room;
  if (bots.length === 0) return ui.warn('This service may use no bot: add one, or give it access to one.');
  const wish = await askWish(room, bots);
  const made = await relay.changeAsService('Waiting for the verdict of Twitch', (client) =>
    client.interests.create(wish, { waitSeconds: verdictSeconds }),
  );
  if (made.webhook_secret !== undefined) {
    await ui.secret({
      title: `Signing secret of ${made.webhook_url ?? 'the endpoint'}`,
      fields: [['webhook_secret', made.webhook_secret]],
      note: 'The receiver checks the signatures with it. This is the only time that it is shown.',
    });
  }
  const text = `${made.event_type} v${made.version} is ${made.state}`;
  if (made.state === 'active') await ui.done(`${text}.`);
  else if (made.state === 'pending')
    await ui.warn(`${text}: Twitch has not answered yet. Look again in a moment.`);
  else await ui.fail(`${text}.`, made.reason);
}

async function askWish({ ui, relay }: Room, bots: Bots): Promise<CreateInterestBody> {
  const types = await relay.lookAsService('Reading the catalogue', (client) => client.types());
  const bot = await ui.ask.select(
    'Which bot?',
    bots.map((each) => ({ name: `${each.name} (${each.twitch_login})`, value: each })),
  );
  const type = await ui.ask.search('Which event type?', (term) => matching(types, term));
  const { channel, fields } = asksFor(type);
  const broadcaster = channel
    ? await ui.ask.text('Channel: a login, an id or a URL', { default: bot.twitch_login })
    : '';
  const condition: Record<string, string> = {};
  for (const field of fields) condition[field] = await ui.ask.text(`Condition ${field}`, { validate: given });
  const transport = await ui.ask.select('How shall the events come?', [
    { name: 'Over a WebSocket', value: 'websocket' as const },
    { name: 'To a URL (webhook)', value: 'webhook' as const },
  ]);
  const url = transport === 'webhook' ? await ui.ask.text('URL', { validate: httpUrl }) : undefined;
  return {
    bot_account_id: bot.id,
    event_type: type.type,
    version: type.version,
    transport,
    ...(broadcaster === '' ? {} : { broadcaster_user_id: broadcaster }),
    ...(fields.length === 0 ? {} : { condition }),
    ...(url === undefined ? {} : { webhook_url: url }),
  };
}

const given = (text: string) => text !== '' || 'expected a value';
const httpUrl = (text: string) =>
  (URL.canParse(text) && /^https?:$/u.test(new URL(text).protocol)) || 'expected http://… or https://…';

/** What the relay cannot fill in by itself: which channel, and fields that are neither that nor the token's own user. */
export function asksFor(type: SubscriptionType): { channel: boolean; fields: string[] } {
  const { condition, optional_condition: optional, exactly_one_of: choice, token_user: own } = type;
  const place = 'broadcaster_user_id';
  return {
    channel: own !== place && (choice.length > 0 || [...condition, ...optional].includes(place)),
    fields: condition.filter((field) => field !== place && field !== own && !choice.includes(field)),
  };
}

/** Those that a WebSocket may have and that are not gone, with the term anywhere in their names. */
export function matching(types: readonly SubscriptionType[], term: string): Choice<SubscriptionType>[] {
  const words = term.toLowerCase().split(/\s+/u).filter(Boolean);
  return types
    .filter(({ websocket, status }) => websocket && status !== 'removed')
    .filter(({ type }) => words.every((word) => type.includes(word)))
    .map((each) => ({ name: `${each.type} v${each.version}`, value: each, description: scopesOf(each) }));
}

function scopesOf({ scopes_any_of: anyOf, scopes_all_of: allOf }: SubscriptionType): string {
  const groups = [...(anyOf.length === 0 ? [] : [anyOf]), ...allOf].map((group) => group.join(' or '));
  return groups.length === 0 ? 'needs no scope' : `needs ${groups.join(', and ')}`;
}
