// From the event types that an account shall be used for to the scopes to ask its user for. Names what it does not know;
// asks nobody upstream.
import { RelayError, type FieldError } from '../domain/errors.ts';
import type { EventTypeCatalogue, EventTypeRule } from '../domain/event-type.ts';
import { scopesByNeed } from '../domain/scopes.ts';
import type { BotRow, HttpDeps } from './port.ts';

export interface Asked {
  readonly event_types?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** What a bot is for when nobody says: reading chat. A list, even an empty one, says something else. */
const defaultTypes = ['channel.chat.message'];
const nearestShown = 3;

/** The scopes for a bot that is new, or known to Twitch only. Throws 422. */
export const scopesForNewBot = (catalogue: EventTypeCatalogue, asked: Asked): string[] =>
  asked.event_types === undefined && asked.scopes === undefined
    ? scopesFor(catalogue, { event_types: defaultTypes })
    : scopesFor(catalogue, asked);

/** What is asked, what the bot's token has already, and what is wanted of it now. Throws 422. */
export async function scopesForRenewal(
  deps: Pick<HttpDeps, 'catalogue' | 'store'>,
  bot: BotRow,
  asked: Asked,
): Promise<string[]> {
  const topics = await deps.store.topics.forBot(bot.id);
  const rules = topics
    .filter((topic) => topic.wanted)
    .flatMap(({ type, version }) => deps.catalogue.findType(type, version) ?? []);
  const kept = new Set([...bot.scopes, ...(asked.scopes ?? [])]);
  return scopesByNeed([...rulesOf(deps.catalogue, asked), ...rules], [...kept]);
}

/** Nothing asked means nothing beyond signing in, which already makes a broadcaster's channel free to watch. Throws 422. */
export const scopesFor = (catalogue: EventTypeCatalogue, asked: Asked): string[] =>
  scopesByNeed(rulesOf(catalogue, asked), [...new Set(asked.scopes)]);

function rulesOf(catalogue: EventTypeCatalogue, { event_types: types = [] }: Asked): EventTypeRule[] {
  const found = types.map((type, index) => ruleOf(catalogue, type, `event_types.${index}`));
  const errors = found.flatMap((each) => ('code' in each ? [each] : []));
  const [first] = errors;
  if (!first) return found.flatMap((each) => ('code' in each ? [] : [each]));
  const message = errors.map((error) => error.message).join('; ');
  throw new RelayError(first.code, 422, message, {
    errors: errors.map(({ path, message: why }) => ({ path, message: why })),
  });
}

function ruleOf(
  catalogue: EventTypeCatalogue,
  text: string,
  path: string,
): EventTypeRule | (FieldError & { readonly code: string }) {
  const type = catalogue.canonicalName(text);
  const rule = catalogue.newestLive(type);
  if (rule?.websocket) return rule;
  if (rule) {
    const message = `${path}: ${type} is not offered over WebSocket by Twitch, so the relay cannot receive it`;
    return { code: 'not_over_websocket', path, message };
  }
  if (catalogue.versionsOf(type).length > 0) {
    return { code: 'type_removed', path, message: `${path}: ${type} was withdrawn by Twitch` };
  }
  const nearest = catalogue.nearestTypes(type, nearestShown).join(', ');
  const message =
    `${path}: unknown event type "${type}"; nearest: ${nearest}. ` +
    `For a type newer than this relay name what it needs in scopes`;
  return { code: 'unknown_type', path, message };
}
