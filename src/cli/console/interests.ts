// The menu of interests: those of one service with its credentials; without them the topics of every bot, which the admin
// may see.
import type { AccessibleBots, InterestView } from '../../client/index.ts';
import type { Style } from '../style.ts';
import type { Column } from '../table.ts';
import { botVerdict, inMood, topicsText, type Mood } from './bots-view.ts';
import { menu, up, type Room } from './menu.ts';
import { createInterest } from './new-interest.ts';

type Bots = AccessibleBots['bots'];

export function interestsMenu(room: Room): Promise<void> {
  const { relay } = room;
  return menu(room, 'Interests', () =>
    Promise.resolve([
      {
        name: 'Topics of every bot',
        description: 'What Twitch is subscribed to, counted by state. Needs no service.',
        value: () => topics(room),
      },
      {
        name: relay.serviceId === undefined ? 'Interests of a service' : 'Interests of the service in hand',
        description:
          relay.serviceId ??
          'Asks for its client_id and client_secret; both are forgotten with this console.',
        value: () => ofService(room),
      },
      ...(relay.serviceId === undefined
        ? []
        : [{ name: 'Another service', value: () => Promise.resolve(relay.forgetService()) }]),
      { name: 'Back', value: up },
    ]),
  );
}

async function topics({ ui, relay }: Room): Promise<void> {
  const bots = await relay.look('Looking at the topics', (admin) => admin.bots());
  if (bots.length === 0) return ui.say('There is no bot yet.');
  await ui.table(
    [
      { title: 'Bot', value: (bot) => bot.name },
      {
        title: 'State',
        value: (bot) => botVerdict(bot).text,
        paint: (text, bot, style) => inMood(botVerdict(bot).mood, text, style),
        whole: true,
      },
      { title: 'Topics', value: topicsText, whole: true },
      { title: 'Session', value: (bot) => bot.session.state, whole: true },
    ],
    bots,
  );
  await ui.say();
}

function ofService(room: Room): Promise<void> {
  const { ui, relay } = room;
  return menu(room, 'Interests of the service', async () => {
    const [interests, { bots }] = await relay.lookAsService('Looking at the interests', (client) =>
      Promise.all([client.interests.list(), client.bots()]),
    );
    if (interests.length === 0) await ui.say('This service has no interest yet.');
    else await ui.table(interestColumns(bots), interests);
    for (const { event_type: type, reason } of interests)
      if (reason !== null) await ui.warn(`${type}: ${reason}`);
    await ui.say();
    return [
      { name: 'Create an interest', value: () => createInterest(room, bots) },
      ...(interests.length === 0
        ? []
        : [{ name: 'Remove an interest', value: () => remove(room, interests, bots) }]),
      { name: 'Look again', value: () => Promise.resolve() },
      { name: 'Back', value: up },
    ];
  });
}

const moods: Readonly<Record<InterestView['state'], Mood>> = {
  active: 'good',
  pending: 'idle',
  degraded: 'warning',
  rejected: 'bad',
  revoked: 'bad',
};

export function interestColumns(bots: Bots): readonly Column<InterestView>[] {
  return [
    { title: 'Type', value: ({ event_type: type, version }) => `${type} v${version}`, whole: true },
    {
      title: 'State',
      value: ({ state }) => state,
      paint: (text, { state }, style: Style) => inMood(moods[state], text, style),
      whole: true,
    },
    { title: 'Bot', value: (interest) => botName(bots, interest) },
    { title: 'Channel', value: (interest) => interest.broadcaster_user_id ?? '', whole: true },
    { title: 'Over', value: (interest) => interest.webhook_url ?? interest.transport },
  ];
}

const botName = (bots: Bots, interest: InterestView): string =>
  bots.find(({ id }) => id === interest.bot_account_id)?.name ?? interest.bot_account_id;

async function remove({ ui, relay }: Room, interests: readonly InterestView[], bots: Bots): Promise<void> {
  const interest = await ui.ask.select(
    'Which one?',
    interests.map((each) => ({
      name: `${each.event_type} of ${botName(bots, each)}, ${each.broadcaster_user_id ?? 'no channel'}`,
      value: each,
    })),
  );
  if (!(await ui.ask.confirm(`Remove the interest in ${interest.event_type}?`))) return;
  await relay.changeAsService('Removing', (client) => client.interests.remove(interest.id));
  await ui.done('It is removed.');
}
