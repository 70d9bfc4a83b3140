// The catalogue of event types, as the table has it.
import { Hono } from 'hono';
import { requireService } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import type { HttpDeps } from '../port.ts';

/** The whole table in one answer: it is small, and half of it is of no use to anybody. */
export function subscriptionTypeRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const rows = deps.eventTypes.map((entry) => ({
    type: entry.type,
    version: entry.version,
    condition: entry.condition,
    optional_condition: entry.optionalCondition,
    exactly_one_of: entry.exactlyOneOf ?? [],
    scopes_any_of: entry.scopesAnyOf,
    scopes_all_of: entry.scopesAllOf,
    websocket: entry.websocket,
    token_user: entry.tokenUser,
    status: entry.status,
    ...(entry.note === undefined ? {} : { note: entry.note }),
  }));
  app.get('/v1/eventsub/subscription-types', requireService(deps.store.services), (c) => c.json(rows));
  return app;
}
