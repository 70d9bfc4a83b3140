// The three ways in which a bot is added: a link for a browser, a code for another device, a token that is there
// already. All end in the same bot.
import { z } from 'zod';
import type { AuthorizeBotBody, BotView, ImportBotBody } from '../../client/index.ts';
import { authorizationFlags, authorizationOptions, followLink } from '../authorize-flow.ts';
import { findBot, pickBot, tellBot } from '../bots.ts';
import { command, commaList, type Flag } from '../command.ts';
import { usageError } from '../failure.ts';
import { readToken, tokenFlags, tokenOptions, type TokenOptions } from '../read-token.ts';
import type { Session } from '../session.ts';
import { printable } from '../style.ts';

const nameFlag: Flag = ['--name <name>', 'what the bot is called; its Twitch login otherwise'];
const grantFlags: readonly Flag[] = [
  nameFlag,
  ['--bot <bot>', 'renew the grant of this bot instead of adding one'],
  ...authorizationFlags,
];
const grantOptions = authorizationOptions.extend({ name: z.string().optional(), bot: z.string().optional() });
type GrantOptions = z.infer<typeof grantOptions>;

/** `--bot` named by a person, as the relay knows it. */
async function askOf(session: Session, options: GrantOptions): Promise<AuthorizeBotBody> {
  const { name, bot, types, scopes } = options;
  return {
    ...(name === undefined ? {} : { name }),
    ...(bot === undefined ? {} : { bot_account_id: (await findBot(session.admin(), bot)).id }),
    ...(types === undefined ? {} : { event_types: types }),
    ...(scopes === undefined ? {} : { scopes }),
  };
}

async function byBrowser(session: Session, options: GrantOptions): Promise<void> {
  const admin = session.admin();
  const body = await askOf(session, options);
  const link = await session.during('making the link', () => admin.authorizeBot(body));
  await followLink(session, link, options, {
    tell: async ({ out }) => {
      await out.note('Open this address in a browser that is signed in to Twitch as the bot:');
      await out.line(link.authorize_url);
    },
    ask: (id, wait) => admin.authorization(id, wait),
    result: (id) => botOf(session, id),
  });
}

async function byDevice(session: Session, options: GrantOptions): Promise<void> {
  const admin = session.admin();
  const body = await askOf(session, options);
  const code = await session.during('getting a code from Twitch', () => admin.deviceBot(body));
  await followLink(session, code, options, {
    tell: async ({ out }) => {
      await out.note(
        'On any device that is signed in to Twitch as the bot, open the address and type the code:',
      );
      await out.line(`address  ${code.verification_uri}`);
      await out.painted(`code     ${out.style.bold(printable(code.user_code))}`);
    },
    ask: (id, wait) => admin.authorization(id, wait),
    result: (id) => botOf(session, id),
  });
}

const botOf = async (session: Session, id: string): Promise<BotView> =>
  pickBot(await session.admin().bots(), id);

type ImportOptions = TokenOptions & Pick<GrantOptions, 'name' | 'scopes'>;

async function byToken(session: Session, options: ImportOptions): Promise<void> {
  const admin = session.admin();
  const token = await readToken(session.io, options);
  const { name, scopes } = options;
  const body: ImportBotBody = {
    ...token,
    ...(name === undefined ? {} : { name }),
    ...(scopes === undefined ? {} : { scopes }),
  };
  const bot = await session.during('showing the token to Twitch', () => admin.importBot(body));
  await session.out.note(`${bot.name} is there.`);
  await tellBot(session, bot);
}

export const authorize = command({
  usage: 'authorize',
  summary: 'Adds or renews a bot by a link for a browser',
  notes:
    'Prints the link and waits until Twitch has sent the browser back to the relay. Whoever opens the link and says yes ' +
    'becomes the bot, so give it to nobody else. With --json the link is the first line, what came of it the second.',
  flags: grantFlags,
  options: grantOptions,
  examples: [
    'eventsub-relay bots authorize --types channel.follow,channel.chat.message',
    'eventsub-relay bots authorize --bot mybot',
    'eventsub-relay bots authorize --no-wait --json',
  ],
  run: (session, { options }) => byBrowser(session, options),
});

export const device = command({
  usage: 'device',
  summary: 'Adds or renews a bot by a code, for machines without a browser',
  notes: 'Prints an address and a code and waits until somebody has typed it in there.',
  flags: grantFlags,
  options: grantOptions,
  examples: ['eventsub-relay bots device --types channel.follow'],
  run: (session, { options }) => byDevice(session, options),
});

export const importToken = command({
  usage: 'import',
  summary: 'Adds or renews a bot by a token that is there already',
  notes:
    'The token must belong to the Twitch application of the relay. It is read from the standard input or from the ' +
    'environment, never from an argument: the access token on the first line, the refresh token on the second; or JSON ' +
    'with access_token and refresh_token. At a terminal it is asked for.',
  flags: [
    nameFlag,
    ['--scopes <list>', 'scopes that the token must carry, separated by commas'],
    ...tokenFlags,
  ],
  options: tokenOptions.extend({ name: z.string().optional(), scopes: commaList.optional() }),
  examples: [
    'eventsub-relay bots import --name mybot < token.txt',
    'eventsub-relay bots import --token-env BOT_TOKEN --refresh-token-env BOT_REFRESH',
  ],
  run: (session, { options }) => byToken(session, options),
});

const ways = ['browser', 'device', 'token'] as const;

export const add = command({
  usage: 'add',
  summary: 'Adds a bot in the way that is named',
  notes: 'browser is "bots authorize", device is "bots device", token is "bots import"; see their help.',
  flags: [['--by <way>', 'browser (default), device or token'], ...grantFlags, ...tokenFlags],
  options: grantOptions.extend({
    ...tokenOptions.shape,
    by: z.enum(ways, 'expected browser, device or token').default('browser'),
  }),
  examples: ['eventsub-relay bots add', 'eventsub-relay bots add --by device'],
  run(session, { options }) {
    if (options.by === 'device') return byDevice(session, options);
    if (options.by === 'browser') return byBrowser(session, options);
    if (options.bot !== undefined || options.types !== undefined || !options.wait) {
      throw usageError('--bot, --types and --no-wait say nothing about a token that is there already.');
    }
    return byToken(session, options);
  },
});
