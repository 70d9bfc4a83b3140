// For each operation and each status that it documents: the request that makes the server answer so. Those that follow from
// what an operation is (who may call it, what it takes) are made here; the others are listed by hand.
import type { Operation } from '../../src/http/openapi/operation.ts';
import type { ProblemCode } from '../../src/http/openapi/problems.ts';
import { refusalsOf } from '../../src/http/openapi/refusals.ts';
import type { Recipe, Recipes } from './openapi-recipe.ts';
import { adminRecipes } from './openapi-recipes-admin.ts';
import { serviceRecipes } from './openapi-recipes-service.ts';
import { databaseAway, type Ask, type Rig } from './openapi-rig.ts';

const byHand: Readonly<Record<string, Recipes>> = { ...adminRecipes, ...serviceRecipes };
export const recipeNames: readonly string[] = Object.keys(byHand);

/** More than the server takes, and JSON all the same. */
const large = `"${'x'.repeat(70_000)}"`;

export function recipesOf(operation: Operation): readonly Recipe[] {
  const hand = byHand[operation.id];
  if (!hand) throw new Error(`no recipes for ${operation.id}`);
  const refused = refusalsOf(operation);
  const ask =
    (
      change: Ask,
      around: (rig: Rig, run: () => Promise<Response>) => Promise<Response> = (_, run) => run(),
    ) =>
    async (rig: Rig) => {
      const usual = await hand.usual(rig);
      return around(rig, () => rig.ask(operation.id, { ...usual, ...change }));
    };
  const has = (status: number, code: ProblemCode) => refused.get(status)?.includes(code) ?? false;
  const all: readonly (Recipe & { code: ProblemCode })[] = [
    { status: 401, code: 'unauthorized', give: ask({ as: 'nobody' }) },
    { status: 403, code: 'account_disabled', give: ask({ as: 'disabled' }) },
    {
      status: 429,
      code: 'too_many_failed_logins',
      give: async (rig) => ask({ as: 'wrong', to: rig.throttling })(rig),
    },
    { status: 400, code: 'malformed_json', give: ask({ body: '{' }) },
    { status: 413, code: 'body_too_large', give: ask({ body: large }) },
    { status: 415, code: 'unsupported_media_type', give: ask({ type: 'text/plain' }) },
    { status: 422, code: 'validation', give: ask(unstorable(operation)) },
    {
      status: 503,
      code: 'database_unavailable',
      give: ask({}, (rig, run) => rig.while(databaseAway(), run)),
    },
  ];
  return [...hand.answers, ...all.filter(({ status, code }) => has(status, code))];
}

/** Text that no database takes, wherever the operation takes text. */
function unstorable({ pathParameters, query }: Operation): Ask {
  if (pathParameters) {
    return { params: Object.fromEntries(Object.keys(pathParameters.shape).map((name) => [name, 'a%00b'])) };
  }
  return query ? { query: 'unknown=%00' } : { body: '{"unknown":"\\u0000"}' };
}
