// How a grant gets here: a link for a browser, a code for another device, or tokens that somebody has. The first two are
// followed until Twitch's answer is known; leaving the wait does not undo the link or the code.
import {
  RelayApiError,
  type AuthorizationLink,
  type AuthorizationView,
  type AuthorizeBotBody,
  type BotView,
  type DeviceCode,
} from '../../client/index.ts';
import { pause } from '../../runtime/clock.ts';
import { printable } from '../style.ts';
import { duration } from '../format.ts';
import { botVerdict } from './bots-view.ts';
import { withTypes } from './event-types.ts';
import { Back } from './leave.ts';
import { menu, up, type Room } from './menu.ts';

/** One question to the relay; it answers sooner when something happens. */
const askEverySeconds = 20;
/** Between two questions to a relay that is away. */
const awayMs = 1_000;

export function addBot(room: Room): Promise<void> {
  return menu(room, 'Add a bot', () =>
    Promise.resolve([
      {
        name: 'With a link for a browser',
        description: 'Open it where you are signed in as the bot, or send it to its owner.',
        value: async () => ((await byBrowser(room, { name: await newName(room) })) ? 'up' : undefined),
      },
      {
        name: 'With a code for another device',
        description: 'For a machine without a browser: type the code on any phone.',
        value: async () => ((await byDevice(room, { name: await newName(room) })) ? 'up' : undefined),
      },
      {
        name: 'Import a token',
        description: 'An access token, and best its refresh token, that you have already.',
        value: async () => {
          await byImport(room);
          return 'up';
        },
      },
      { name: 'Back', value: up },
    ]),
  );
}

const newName = async ({ ui }: Room): Promise<string | undefined> =>
  (await ui.ask.text("Name (Enter: the account's login)", { validate: botName })) || undefined;

/** The relay says it better, but only after all questions. */
const botName = (name: string) => name.length <= 64 || 'expected at most 64 characters';

interface Ask {
  readonly name?: string | undefined;
  /** Renews this bot's grant. */
  readonly botId?: string;
}

const body = ({ name, botId }: Ask, types: readonly string[]): AuthorizeBotBody => ({
  ...(name === undefined ? {} : { name }),
  ...(botId === undefined ? {} : { bot_account_id: botId }),
  ...(types.length === 0 ? {} : { event_types: [...types] }),
});

/** True when a grant came of it. */
export async function byBrowser(room: Room, ask: Ask): Promise<boolean> {
  const link = await withTypes(room, (types) =>
    room.relay.change('Asking for a link', (admin) => admin.authorizeBot(body(ask, types))),
  );
  return followLink(room, link, 'Open this link where you are signed in to Twitch as the bot:');
}

export async function byDevice(room: Room, ask: Ask): Promise<boolean> {
  const code = await withTypes(room, (types) =>
    room.relay.change('Asking Twitch for a code', (admin) => admin.deviceBot(body(ask, types))),
  );
  await showCode(room, code);
  return follow(room, code);
}

/** For somebody who shall be no bot of this relay, but whose topics one of them wants. */
export async function forBroadcaster(room: Room): Promise<void> {
  const link = await withTypes(room, (types) =>
    room.relay.change('Asking for a link', (admin) =>
      admin.authorizeBroadcaster(types.length === 0 ? {} : { event_types: [...types] }),
    ),
  );
  await followLink(room, link, 'Send this link to the broadcaster:');
}

async function followLink(room: Room, link: AuthorizationLink, words: string): Promise<boolean> {
  const { ui } = room;
  await ui.say(`\n${words}\n`);
  // In one piece, and never wrapped by us: it is to be copied.
  await ui.raw(ui.style.cyan(printable(link.authorize_url)));
  await ui.say(
    `\n${ui.style.dim(`Whoever opens it and says yes answers it. Good for ${left(room, link)}.`)}`,
  );
  return follow(room, link);
}

async function showCode(room: Room, code: DeviceCode): Promise<void> {
  const { ui } = room;
  await ui.say('\nOpen this address on any device that is signed in as the bot:\n');
  await ui.raw(ui.style.cyan(printable(code.verification_uri)));
  await ui.say(`\nand enter the code ${ui.style.bold(printable(code.user_code))}`);
  await ui.say(ui.style.dim(`Good for ${left(room, code)}.`));
}

/** `duration` rounds down, and a link of ten minutes is not one of nine. */
const halfAMinuteMs = 30_000;

const left = ({ ui }: Room, view: AuthorizationView) =>
  duration(Date.parse(view.expires_at) - ui.clock.now() + halfAMinuteMs);

async function follow(room: Room, started: AuthorizationView): Promise<boolean> {
  const { ui, relay } = room;
  try {
    const end = await relay.look('Waiting for the answer', (admin, signal) =>
      untilDecided(
        room,
        started,
        () => admin.authorization(started.id, { waitSeconds: askEverySeconds, signal }),
        signal,
      ),
    );
    if (end.state === 'completed') {
      await welcome(room, end);
      return true;
    }
    await ui.fail(end.reason ?? `The authorisation is ${end.state}.`, again[end.state]);
  } catch (error) {
    if (!(error instanceof Back)) throw error;
    await ui.say(
      ui.style.dim('Not waiting any more. A yes within that time is still taken: look at the list of bots.'),
    );
  }
  return false;
}

const again: Readonly<Record<string, string>> = {
  expired: 'Nobody answered in time: ask for a new one.',
  denied: 'The account said no. Ask for a new one if that was a mistake.',
};

/** A relay that is away for a while is asked again: the link is stored and outlives its restart. */
async function untilDecided(
  { ui }: Room,
  started: AuthorizationView,
  look: () => Promise<AuthorizationView>,
  signal: AbortSignal,
): Promise<AuthorizationView> {
  let known = started;
  while (known.state === 'pending') {
    signal.throwIfAborted();
    const askedAt = ui.clock.now();
    try {
      known = await look();
    } catch (error) {
      if (!(error instanceof RelayApiError) || !error.shouldRetry()) throw error;
      await pause(ui.clock, error.retryAfterMs ?? awayMs, signal);
      continue;
    }
    // An answer that did not wait, from whatever stands between, must not become a flood of questions.
    if (known.state === 'pending' && ui.clock.now() - askedAt < awayMs) await pause(ui.clock, awayMs, signal);
  }
  return known;
}

async function welcome(room: Room, end: AuthorizationView): Promise<void> {
  const bots = await room.relay.look('Looking at the bots', (admin) => admin.bots());
  const bot = bots.find(({ id }) => id === end.bot_account_id);
  await (bot ? greet(room, bot) : room.ui.done('The grant is stored.'));
}

async function greet({ ui }: Room, bot: BotView): Promise<void> {
  const { advice } = botVerdict(bot);
  const scopes = bot.scopes.length === 0 ? 'no scopes' : bot.scopes.join(', ');
  await ui.done(`${bot.name} (${bot.twitch_login}) may be used: ${scopes}.`);
  if (advice !== undefined) await ui.warn(advice);
}

async function byImport(room: Room): Promise<void> {
  const { ui, relay } = room;
  const name = await newName(room);
  const accessToken = await ui.ask.secret('Access token', {
    validate: (text) => text !== '' || 'expected the token',
  });
  const refreshToken = await ui.ask.secret('Refresh token (Enter: none)');
  if (refreshToken === '') {
    await ui.warn('Without a refresh token the bot needs a new grant when this token runs out.');
  }
  const bot = await relay.change('Checking the token with Twitch', (admin) =>
    admin.importBot({
      ...(name === undefined ? {} : { name }),
      access_token: bare(accessToken),
      ...(refreshToken === '' ? {} : { refresh_token: refreshToken }),
    }),
  );
  await greet(room, bot);
}

/** Chat programs keep tokens with this in front. */
const bare = (token: string) => token.replace(/^oauth:/u, '');
