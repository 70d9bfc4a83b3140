// The common part of everything that asks a Twitch user: show the way, wait, say what came of it.
import { z } from 'zod';
import type { AuthorizationView } from '../client/index.ts';
import { awaitAuthorization, type AskAuthorization } from './authorization.ts';
import { commaList, type Flag } from './command.ts';
import { CliFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printable } from './style.ts';

export const authorizationFlags: readonly Flag[] = [
  [
    '--types <list>',
    'event types that it shall be used for, separated by commas; their scopes are asked for',
  ],
  ['--scopes <list>', 'scopes to ask for beside those, separated by commas'],
  ['--no-wait', 'do not wait for the answer'],
];

export const authorizationOptions = z.object({
  types: commaList.optional(),
  scopes: commaList.optional(),
  wait: z.boolean(),
});
export type AuthorizationOptions = z.infer<typeof authorizationOptions>;

export interface Way {
  /** For people: where to go. */
  tell(session: Session): Promise<void>;
  ask: AskAuthorization;
  /** The account that came of it; undefined for whoever may not see it. */
  result(botId: string): Promise<{ readonly name: string; readonly twitch_login: string } | undefined>;
}

/** With --json: the way as one line, and after the answer what came of it as another. */
export async function followLink(
  session: Session,
  started: AuthorizationView,
  { wait }: { readonly wait: boolean },
  way: Way,
): Promise<void> {
  const { out } = session;
  if (out.json) await out.record(started);
  else await way.tell(session);
  if (!wait) return;
  const decided = await awaitAuthorization(session, way.ask, started);
  if (decided.bot_account_id === null) {
    throw new CliFailure('failed', 'The relay says that it is done, and names no account.');
  }
  const bot = await way.result(decided.bot_account_id);
  if (out.json) return out.record({ ...decided, bot: bot ?? null });
  const who = bot === undefined ? decided.bot_account_id : `${bot.name} (${bot.twitch_login})`;
  await out.painted(
    `${out.style.green('✓')} ${printable(`${who} is authorised with ${scopesText(decided)}.`)}`,
  );
}

const scopesText = ({ scopes }: AuthorizationView) =>
  scopes.length === 0 ? 'no scopes' : `the scopes ${scopes.join(' ')}`;
