// The menu of bots: the overview, one bot and what can be done with it.
import { RelayApiError, type BotView } from '../../client/index.ts';
import { addBot, byBrowser, byDevice, forBroadcaster } from './add-bot.ts';
import { botColumns, botDetails, botVerdict, moodMark, tokenText } from './bots-view.ts';
import { menu, up, type Action, type Room } from './menu.ts';
import { line } from './prompts.ts';

export function botsMenu(room: Room): Promise<void> {
  const { ui, relay } = room;
  return menu(room, 'Bots', async () => {
    const bots = await relay.look('Looking at the bots', (admin) => admin.bots());
    if (bots.length === 0) await ui.say('There is no bot yet.');
    else await ui.table(botColumns(ui.clock.now()), bots);
    await ui.say();
    return [
      ...bots.map((bot) => ({
        // The name first: typing jumps to it.
        name: `${bot.name} ${moodMark(botVerdict(bot).mood)}`,
        description: botVerdict(bot).advice,
        value: async () => botMenu(room, bot.id),
      })),
      ...(bots.length === 0 ? [] : ([line] as const)),
      { name: 'Add a bot', value: () => addBot(room) },
      {
        name: 'Link for a broadcaster',
        description: 'For a channel whose owner must say yes to a topic that one of the bots shall have.',
        value: () => forBroadcaster(room),
      },
      { name: 'Look again', value: () => Promise.resolve() },
      { name: 'Back', value: up },
    ];
  });
}

function botMenu(room: Room, id: string): Promise<void> {
  const { ui, relay } = room;
  let title = 'Bot';
  return menu(
    room,
    () => title,
    async () => {
      const bots = await relay.look('Looking at the bot', (admin) => admin.bots());
      const bot = bots.find((each) => each.id === id);
      if (!bot) {
        await ui.warn('This bot is not there any more.');
        return [{ name: 'Back', value: up }];
      }
      title = bot.name;
      await showBot(room, bot);
      return [
        { name: 'Refresh its token', value: () => refresh(room, bot) },
        {
          name: 'Authorise anew with a link',
          description: 'For a new grant, or for more scopes. Its interests go on.',
          value: async () => void (await byBrowser(room, { botId: bot.id })),
        },
        {
          name: 'Authorise anew with a code',
          value: async () => void (await byDevice(room, { botId: bot.id })),
        },
        { name: 'Rename', value: () => rename(room, bot) },
        { name: bot.enabled ? 'Disable' : 'Enable', value: () => setEnabled(room, bot, !bot.enabled) },
        { name: 'Remove', value: () => remove(room, bot) },
        { name: 'Back', value: up },
      ];
    },
  );
}

async function showBot({ ui }: Room, bot: BotView): Promise<void> {
  for (const text of botDetails(bot, ui.clock.now(), ui.width, ui.style)) await ui.raw(text);
  await ui.say();
  const { advice } = botVerdict(bot);
  if (advice !== undefined) await ui.warn(advice);
}

async function refresh({ ui, relay }: Room, bot: BotView): Promise<void> {
  try {
    const fresh = await relay.change('Asking Twitch for new tokens', (admin) => admin.refreshBot(bot.id));
    await ui.done(`${fresh.name} has a new token, ${tokenText(fresh, ui.clock.now())}.`);
  } catch (error) {
    if (!(error instanceof RelayApiError) || !['reauth_required', 'no_refresh_token'].includes(error.code))
      throw error;
    await ui.fail(error.detail, 'Choose "Authorise anew".');
  }
}

async function rename({ ui, relay }: Room, bot: BotView): Promise<void> {
  const name = await ui.ask.text('New name', {
    default: bot.name,
    validate: (text) => (text.length > 0 && text.length <= 64) || 'expected 1 to 64 characters',
  });
  if (name === bot.name) return;
  const renamed = await relay.change('Renaming', (admin) => admin.patchBot(bot.id, { name }));
  await ui.done(`It is called ${renamed.name} now.`);
}

async function setEnabled({ ui, relay }: Room, bot: BotView, enabled: boolean): Promise<void> {
  if (!enabled && !(await ui.ask.confirm(`Disable ${bot.name}? Its events are missed until it is enabled.`)))
    return;
  await relay.change(enabled ? 'Enabling' : 'Disabling', (admin) => admin.patchBot(bot.id, { enabled }));
  await ui.done(`${bot.name} is ${enabled ? 'enabled' : 'disabled'}.`);
}

const remove = async ({ ui, relay }: Room, bot: BotView): ReturnType<Action> => {
  await ui.warn(
    `This removes ${bot.name}, its interests and its subscriptions, and gives its grant back to Twitch.`,
  );
  const typed = await ui.ask.text(`Type ${bot.name} to remove it (Esc: keep it)`);
  if (typed !== bot.name) {
    await ui.say('That is not its name: it stays.');
    return;
  }
  const { interests, revoked } = await relay.change('Removing', (admin) => admin.removeBot(bot.id));
  const grant = revoked ? 'Twitch has its grant back' : 'the relay goes on giving its grant back';
  await ui.done(`${bot.name} is removed with ${interests} interests; ${grant}.`);
  return 'up';
};
