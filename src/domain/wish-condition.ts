// The condition that a wish means: given fields checked by name, missing ones filled where only one value is possible.
// Pure.
import type { FieldError } from './errors.ts';
import type { EventTypeRule } from './event-type.ts';
import type { Wish, WishBot } from './wish.ts';

export type ConditionOutcome =
  | { readonly ok: true; readonly condition: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

const userIdField = /(^|_)user_id$/;
const userIdShape = /^[0-9]{1,20}$/;

/** Complete and well-formed for the rule, or every field at fault. Fields given as "" count as not given. */
export function resolveCondition(
  wish: Pick<Wish, 'condition' | 'broadcasterUserId'>,
  rule: EventTypeRule,
  bot: Pick<WishBot, 'name' | 'twitchUserId'>,
): ConditionOutcome {
  const errors: FieldError[] = [];
  const fields = knownFields(wish, rule, errors);
  if (wish.broadcasterUserId !== null) placeBroadcaster(wish.broadcasterUserId, fields, rule, errors);
  if (rule.tokenUser !== null) placeTokenUser(rule.tokenUser, fields, rule, bot, wish, errors);
  for (const field of rule.condition) {
    if (!fields.has(field) && !errors.some((error) => error.path.endsWith(field))) {
      const message = `${rule.type} needs the condition field ${field}`;
      const path = field === 'broadcaster_user_id' ? field : `condition.${field}`;
      errors.push({ path, message });
    }
  }
  checkExactlyOne(fields, rule, errors);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, condition: Object.fromEntries(fields) };
}

function knownFields(
  wish: Pick<Wish, 'condition'>,
  rule: EventTypeRule,
  errors: FieldError[],
): Map<string, string> {
  const known = [...rule.condition, ...rule.optionalCondition];
  const fields = new Map<string, string>();
  for (const [field, value] of Object.entries(wish.condition ?? {})) {
    const path = `condition.${field}`;
    if (!known.includes(field)) {
      errors.push({
        path,
        message: `${rule.type} has no condition field "${field}"; known: ${known.join(', ')}`,
      });
    } else if (value !== '' && userIdField.test(field) && !userIdShape.test(value)) {
      errors.push({ path, message: `${path} is "${value}": expected a numeric user id` });
    } else if (value !== '') {
      fields.set(field, value);
    }
  }
  return fields;
}

/** Where the broadcaster goes: its own field, or, of a choice of fields, the one for what happens to the broadcaster. */
function placeBroadcaster(
  broadcaster: string,
  fields: Map<string, string>,
  rule: EventTypeRule,
  errors: FieldError[],
): void {
  const path = 'broadcaster_user_id';
  if (rule.exactlyOneOf) {
    const given = rule.exactlyOneOf.find((field) => fields.has(field));
    if (given === undefined) fields.set('to_broadcaster_user_id', broadcaster);
    else if (fields.get(given) !== broadcaster) errors.push(contradiction(broadcaster, given, fields));
    return;
  }
  if (![...rule.condition, ...rule.optionalCondition].includes(path)) {
    errors.push({ path, message: `the condition of ${rule.type} has no broadcaster; leave ${path} out` });
    return;
  }
  const named = fields.get(path);
  if (named === undefined) fields.set(path, broadcaster);
  else if (named !== broadcaster) errors.push(contradiction(broadcaster, path, fields));
}

function contradiction(broadcaster: string, field: string, fields: ReadonlyMap<string, string>): FieldError {
  const message = `broadcaster_user_id says ${broadcaster}, condition.${field} says ${fields.get(field) ?? ''}`;
  return { path: 'broadcaster_user_id', message };
}

/** Twitch refuses a subscription whose moderator, chatter or owner is another user than the token's. */
function placeTokenUser(
  field: string,
  fields: Map<string, string>,
  rule: EventTypeRule,
  bot: Pick<WishBot, 'name' | 'twitchUserId'>,
  wish: Pick<Wish, 'condition' | 'broadcasterUserId'>,
  errors: FieldError[],
): void {
  const given = fields.get(field);
  if (given !== undefined && given !== bot.twitchUserId) {
    const inCondition = wish.condition?.[field] !== undefined;
    const message = `${rule.type} works with the token of its ${field} only: ${given} was given, bot ${bot.name} is ${bot.twitchUserId}`;
    errors.push({ path: inCondition ? `condition.${field}` : field, message });
    return;
  }
  fields.set(field, bot.twitchUserId);
}

function checkExactlyOne(
  fields: ReadonlyMap<string, string>,
  rule: EventTypeRule,
  errors: FieldError[],
): void {
  if (!rule.exactlyOneOf || errors.length > 0) return;
  const given = rule.exactlyOneOf.filter((field) => fields.has(field));
  if (given.length === 1) return;
  const message = `${rule.type} needs exactly one of ${rule.exactlyOneOf.join(', ')}; ${given.length} given`;
  errors.push({ path: 'condition', message });
}
