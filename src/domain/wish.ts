// From what a service asks for to the topic that it means, or to a refusal that says how to mend it. Pure: a login
// has become an id before, the platform is not asked, nothing is stored.
import type { FieldError } from './errors.ts';
import type { EventTypeCatalogue, EventTypeRule } from './event-type.ts';
import { canonicalCondition, type TopicSpec } from './topic.ts';
import { resolveCondition } from './wish-condition.ts';
import { webhookRefusal } from './wish-webhook.ts';

export interface Wish {
  readonly eventType: string;
  readonly version: string | null;
  readonly condition: Readonly<Record<string, string>> | null;
  /** A platform user id, already resolved. */
  readonly broadcasterUserId: string | null;
  readonly transport: 'websocket' | 'webhook';
  readonly webhookUrl: string | null;
}

export interface WishBot {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly twitchUserId: string;
  readonly scopes: readonly string[];
  readonly enabled: boolean;
  readonly state: string;
}

/** Why not; every part is fit to be shown to the caller. */
export interface WishRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly errors: readonly FieldError[];
}

export type WishOutcome =
  | {
      readonly ok: true;
      readonly topic: TopicSpec;
      readonly broadcasterUserId: string | null;
      /** The catalogue's entry; undefined for a type that was passed through. */
      readonly rule: EventTypeRule | undefined;
    }
  | { readonly ok: false; readonly error: WishRefusal };

const nearestShown = 3;

/** A 422 that names the fields at fault; its message is theirs in one line. */
export function refuse(code: string, errors: readonly FieldError[]): WishRefusal {
  return { status: 422, code, message: errors.map((error) => error.message).join('; '), errors };
}

/**
 * The topic that the wish means, complete: real name, version, every condition field. The same wish in any spelling
 * gives the same topic. Whether the bot may have it right now is `botObstacle`'s to say, since a wish that exists
 * already is answered even then.
 */
export function resolveWish(wish: Wish, bot: WishBot, catalogue: EventTypeCatalogue): WishOutcome {
  const transport = webhookRefusal(wish);
  if (transport) return { ok: false, error: transport };
  const type = catalogue.canonicalName(wish.eventType);
  const versions = catalogue.versionsOf(type);
  if (versions.length === 0) return passThrough(wish, type, bot, catalogue);
  const rule = pickVersion(wish, versions, catalogue.newestLive(type));
  if ('code' in rule) return { ok: false, error: rule };
  if (!rule.websocket) {
    return fail('not_over_websocket', 'event_type', `${type} is not offered over WebSocket by Twitch`);
  }
  const resolved = resolveCondition(wish, rule, bot);
  if (!resolved.ok) return { ok: false, error: refuse('invalid_condition', resolved.errors) };
  return done(bot, type, rule.version, resolved.condition, rule);
}

/** What keeps this bot from having a new wish for the topic right now, or undefined. */
export function botObstacle(bot: WishBot, rule: EventTypeRule | undefined): WishRefusal | undefined {
  if (!bot.enabled) {
    const message = `bot ${bot.name} is disabled; an admin enables it (PATCH /v1/admin/bots/${bot.id})`;
    return refuse('bot_disabled', [{ path: 'bot_account_id', message }]);
  }
  if (bot.state !== 'ok') {
    const message =
      `bot ${bot.name} must be authorised again: its grant is gone. An admin does that with ` +
      `POST /v1/admin/bots/authorize and this bot_account_id, or imports a new token (POST /v1/admin/bots/import)`;
    return refuse('bot_reauth_required', [{ path: 'bot_account_id', message }]);
  }
  const lacking = rule ? lackingScopes(rule, bot.scopes) : [];
  if (lacking.length === 0) return undefined;
  const named = lacking.map((choices) => choices.join(' or ')).join('; and ');
  const message =
    `${rule?.type} needs scopes that the token of bot ${bot.name} lacks: ${named}. ` +
    `An admin authorises it again with POST /v1/admin/bots/authorize, this bot_account_id and the event type, ` +
    `or imports a token that has them (POST /v1/admin/bots/import)`;
  return refuse('missing_scopes', [{ path: 'event_type', message }]);
}

/** The broadcaster that a condition is about, if it is about one. */
export function broadcasterOf(condition: Readonly<Record<string, string>>): string | null {
  return (
    condition['broadcaster_user_id'] ??
    condition['to_broadcaster_user_id'] ??
    condition['from_broadcaster_user_id'] ??
    null
  );
}

/** The groups of scopes of which the token has none; any one of each group would do. */
export function lackingScopes(
  rule: Pick<EventTypeRule, 'scopesAnyOf' | 'scopesAllOf'>,
  granted: readonly string[],
): (readonly string[])[] {
  const groups = rule.scopesAnyOf.length > 0 ? [rule.scopesAnyOf, ...rule.scopesAllOf] : rule.scopesAllOf;
  return groups.filter((choices) => !choices.some((scope) => granted.includes(scope)));
}

const fail = (code: string, path: string, message: string): WishOutcome => ({
  ok: false,
  error: refuse(code, [{ path, message }]),
});

function done(
  bot: WishBot,
  type: string,
  version: string,
  fields: Readonly<Record<string, string>>,
  rule: EventTypeRule | undefined,
): WishOutcome {
  const condition = canonicalCondition(fields);
  const topic = { provider: bot.provider, botAccountId: bot.id, type, version, condition };
  return { ok: true, topic, broadcasterUserId: broadcasterOf(condition), rule };
}

/** The platform adds types faster than any table: one that is spelt out completely is left to its judgement. */
function passThrough(wish: Wish, type: string, bot: WishBot, catalogue: EventTypeCatalogue): WishOutcome {
  if (wish.version === null || wish.condition === null) {
    const nearest = catalogue.nearestTypes(type, nearestShown).join(', ');
    const message =
      `unknown event type "${type}"; nearest: ${nearest}. ` +
      `A type newer than this relay can be asked for by giving both version and condition`;
    return fail('unknown_type', 'event_type', message);
  }
  const condition = { ...wish.condition };
  const named = condition['broadcaster_user_id'];
  if (wish.broadcasterUserId !== null && named !== undefined && named !== wish.broadcasterUserId) {
    const message = `broadcaster_user_id says ${wish.broadcasterUserId}, the condition says ${named}`;
    return fail('invalid_condition', 'broadcaster_user_id', message);
  }
  if (wish.broadcasterUserId !== null) condition['broadcaster_user_id'] = wish.broadcasterUserId;
  return done(bot, type, wish.version, condition, undefined);
}

function pickVersion(
  wish: Wish,
  versions: readonly EventTypeRule[],
  newest: EventTypeRule | undefined,
): EventTypeRule | WishRefusal {
  const type = versions[0]?.type ?? wish.eventType;
  const rule =
    wish.version === null
      ? (newest ?? versions.at(-1))
      : versions.find((entry) => entry.version === wish.version);
  if (!rule) {
    const known = versions.map((entry) => entry.version).join(', ');
    const message = `${type} has no version "${wish.version ?? ''}"; known: ${known}`;
    return refuse('unknown_version', [{ path: 'version', message }]);
  }
  if (rule.status !== 'removed') return rule;
  const instead = newest ? `; use version ${newest.version}` : '';
  const message = `${type} version ${rule.version} was withdrawn by Twitch${instead}`;
  return refuse('type_removed', [{ path: 'version', message }]);
}
