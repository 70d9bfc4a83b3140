// The commands about bots that change what is there already; adding one is in add-bot.ts.
import { z } from 'zod';
import { confirmed, yesFlag } from '../ask.ts';
import { authoriseAgain, findBot, tellBot } from '../bots.ts';
import { command, none } from '../command.ts';
import { exitCodes } from '../failure.ts';
import { count } from '../format.ts';
import { botColumns, botState } from '../views.ts';
import { add, authorize, device, importToken } from './add-bot.ts';

const botArg = { bot: 'its name, Twitch login or id' };

const list = command({
  usage: 'list',
  summary: 'Lists the bots and how they are',
  options: none,
  examples: ['eventsub-relay bots list', 'eventsub-relay bots list --json'],
  async run({ io, out, admin, during }) {
    const bots = await during('asking the relay', () => admin().bots());
    if (out.json) return out.document(bots);
    if (bots.length === 0) return out.note('There is no bot yet. Add one: eventsub-relay bots authorize');
    await out.table(botColumns(io.clock.now()), bots);
    const broken = bots.filter((bot) => botState(bot) === 'reauthorise');
    for (const bot of broken)
      await out.warn(`Twitch refuses the token of ${bot.name}: ${authoriseAgain(bot)}`);
  },
});

const show = command({
  usage: 'show <bot>',
  summary: 'Shows one bot with all there is',
  args: botArg,
  options: none,
  examples: ['eventsub-relay bots show mybot'],
  async run(session, { args: [given = ''] }) {
    await tellBot(session, await findBot(session.admin(), given));
  },
});

const refresh = command({
  usage: 'refresh <bot>',
  summary: 'Gets new tokens for a bot now',
  notes: 'The relay does so by itself in time; this is for when somebody cannot wait.',
  args: botArg,
  options: none,
  examples: ['eventsub-relay bots refresh mybot'],
  async run(session, { args: [given = ''] }) {
    const admin = session.admin();
    const { id } = await findBot(admin, given);
    const bot = await session.during('getting new tokens from Twitch', () => admin.refreshBot(id));
    await session.out.note(`${bot.name} has new tokens.`);
    await tellBot(session, bot);
  },
});

const setEnabled = (enabled: boolean) =>
  command({
    usage: enabled ? 'enable <bot>' : 'disable <bot>',
    summary: enabled ? 'Lets a bot work again' : 'Closes the sockets of a bot; its interests are kept',
    args: botArg,
    options: none,
    examples: [`eventsub-relay bots ${enabled ? 'enable' : 'disable'} mybot`],
    async run(session, { args: [given = ''] }) {
      const admin = session.admin();
      const { id } = await findBot(admin, given);
      const bot = await session.during('changing the bot', () => admin.patchBot(id, { enabled }));
      await session.out.note(`${bot.name} is ${enabled ? 'enabled' : 'disabled'}.`);
      await tellBot(session, bot);
    },
  });

const rename = command({
  usage: 'rename <bot> <name>',
  summary: 'Gives a bot another name',
  args: { ...botArg, name: '1 to 64 characters' },
  options: none,
  examples: ['eventsub-relay bots rename mybot "Main bot"'],
  async run(session, { args: [given = '', name = ''] }) {
    const admin = session.admin();
    const { id } = await findBot(admin, given);
    await tellBot(session, await admin.patchBot(id, { name }));
  },
});

const remove = command({
  usage: 'remove <bot>',
  summary: 'Removes a bot, its interests and its grant at Twitch',
  args: botArg,
  flags: [yesFlag],
  options: z.object({ yes: z.boolean().optional() }),
  examples: ['eventsub-relay bots remove mybot', 'eventsub-relay bots remove mybot --yes --json'],
  async run({ io, out, admin: openAdmin, during }, { args: [given = ''], options }) {
    const admin = openAdmin();
    const bot = await findBot(admin, given);
    const question = `Remove the bot "${bot.name}" with all interests in it?`;
    if (!(await confirmed(io, question, options.yes))) return exitCodes.failed.code;
    const removed = await during('removing the bot', () => admin.removeBot(bot.id));
    if (out.json) return out.document(removed);
    await out.line(`${bot.name} is removed, with ${count(removed.interests, 'interest')}.`);
    if (!removed.revoked) {
      await out.warn('Twitch has not taken the token back yet. The relay goes on trying.');
    }
  },
});

export const botCommands = [
  list,
  show,
  add,
  authorize,
  device,
  importToken,
  refresh,
  setEnabled(true),
  setEnabled(false),
  rename,
  remove,
];
