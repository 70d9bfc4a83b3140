// Which scopes to ask a user for: what the wanted event types need, and nothing more. Pure.
import type { EventTypeRule } from './event-type.ts';

type Needs = Pick<EventTypeRule, 'scopesAnyOf' | 'scopesAllOf'>;

/**
 * The scopes that a grant must have for every one of the rules, `kept` first and all of them. Of scopes that serve equally
 * one is chosen that is asked for anyway, else the first, which by the catalogue's order is the one that allows least.
 */
export function scopesByNeed(rules: readonly Needs[], kept: readonly string[] = []): string[] {
  const chosen = new Set(kept);
  const groups = rules.flatMap(({ scopesAnyOf, scopesAllOf }) =>
    scopesAnyOf.length > 0 ? [scopesAnyOf, ...scopesAllOf] : scopesAllOf,
  );
  // Those without a choice first, so that a choice may fall on one of them.
  for (const group of groups.toSorted((a, b) => a.length - b.length)) {
    const [first] = group;
    if (first !== undefined && !group.some((scope) => chosen.has(scope))) chosen.add(first);
  }
  return [...chosen];
}
