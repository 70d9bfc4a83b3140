// Which scopes are asked for: what the event types need, all of it and nothing more.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scopesByNeed } from '../../src/domain/scopes.ts';
import { eventTypes } from '../../src/upstream/twitch/catalog.ts';

const needs = (scopesAnyOf: string[], scopesAllOf: string[][] = []) => ({ scopesAnyOf, scopesAllOf });

describe('the scopes to ask for', () => {
  it.each([
    ['nothing, for types that need nothing', [needs([])], [], []],
    ['the first of those that serve equally', [needs(['read', 'manage'])], [], ['read']],
    ['one that is asked for anyway', [needs(['read', 'manage']), needs(['manage'])], [], ['manage']],
    ['one that the bot has already', [needs(['read', 'manage'])], ['manage'], ['manage']],
    ['one of each group', [needs([], [['a', 'b'], ['c'], ['b']])], [], ['c', 'b']],
    ['what is kept, first and all of it', [needs(['read'])], ['x', 'y'], ['x', 'y', 'read']],
    ['nothing twice', [needs(['a']), needs(['a'])], ['a', 'a'], ['a']],
  ])('are %s', (_what, rules, kept, expected) => {
    expect(scopesByNeed(rules, kept)).toEqual(expected);
  });

  it('serve every choice of types of the catalogue, whatever is kept, and each is needed', () => {
    const all = [...new Set(eventTypes.flatMap((rule) => [...rule.scopesAnyOf, ...rule.scopesAllOf.flat()]))];
    let asked = 0;
    fc.assert(
      fc.property(fc.subarray([...eventTypes]), fc.subarray(all), (rules, kept) => {
        const scopes = scopesByNeed(rules, kept);
        asked += scopes.length;
        expect(scopes.slice(0, kept.length)).toEqual(kept);
        expect(new Set(scopes).size).toBe(scopes.length);
        const groups = rules.flatMap(({ scopesAnyOf, scopesAllOf }) => [
          ...(scopesAnyOf.length > 0 ? [scopesAnyOf] : []),
          ...scopesAllOf,
        ]);
        for (const group of groups) expect(group.some((scope) => scopes.includes(scope))).toBe(true);
        for (const scope of scopes.slice(kept.length))
          expect(groups.some((group) => group.includes(scope))).toBe(true);
      }),
    );
    expect(asked).toBeGreaterThan(0);
  });
});
