// Finding a bot by what a person calls it, and telling how it is.
import type { AdminClient, BotView } from '../client/index.ts';
import { pick } from './pick.ts';
import type { Session } from './session.ts';
import { botDetails } from './views.ts';

/** What can be picked by name, login or id: a bot as the admin or as a service sees it. */
interface BotLike {
  readonly id: string;
  readonly name: string;
  readonly twitch_login: string;
}

export const pickBot = <T extends BotLike>(bots: readonly T[], given: string): T =>
  pick(bots, given, 'bot', ({ id, name, twitch_login: login }) => ({ id, name, aliases: [login] }));

export const findBot = async (admin: AdminClient, given: string): Promise<BotView> =>
  pickBot(await admin.bots(), given);

/**
 * A bot as a word of a command that is to be copied. A name may hold what a shell reads as something else, or what is no
 * key on any keyboard: then it is the id.
 */
export const asWord = ({ id, name }: Pick<BotLike, 'id' | 'name'>): string =>
  /^[\p{L}\p{N}_][\p{L}\p{N} ._-]*$/u.test(name) ? `"${name}"` : id;

export const authoriseAgain = (bot: Pick<BotLike, 'id' | 'name'>): string =>
  `eventsub-relay bots authorize --bot ${asWord(bot)}`;

/** The whole bot, as an answer. */
export async function tellBot({ io, out }: Session, bot: BotView): Promise<void> {
  if (out.json) await out.document(bot);
  else await out.details(botDetails(io.clock.now()), [bot]);
}
