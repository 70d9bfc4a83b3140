// Service accounts, for the admin. A secret is in the one answer that makes it, which nobody may cache.
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { RelayError } from '../../domain/errors.ts';
import { graceSeconds, servicePatch, serviceName, type ServiceView } from '../../protocol/rest.ts';
import { isoTime } from '../../runtime/clock.ts';
import { requireAdmin } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import { inEffect } from '../in-effect.ts';
import { pageOf } from '../page.ts';
import { parseBody, parseQuery } from '../parse.ts';
import type { HttpDeps, ServiceRow } from '../port.ts';

const base = '/v1/admin/service-accounts';

export function serviceAccountRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { services } = deps.store;
  app.use(base, requireAdmin(deps.adminKey));
  app.use(`${base}/*`, requireAdmin(deps.adminKey));
  app.post(base, async (c) => {
    const { name } = parseQuery(c, z.object({ name: serviceName }));
    const { service, clientSecret } = await services.create(name);
    noStore(c);
    return c.json({ name: service.name, client_id: service.clientId, client_secret: clientSecret }, 201);
  });
  app.get(base, async (c) => c.json(pageOf(c, await services.list(), (row) => row.name).map(view)));
  app.post(`${base}/:clientId/regenerate`, async (c) => {
    const { grace_seconds } = parseQuery(c, z.object({ grace_seconds: graceSeconds }));
    const clientId = c.req.param('clientId');
    const made = known(await services.regenerate(clientId, grace_seconds), clientId);
    noStore(c);
    return c.json({
      client_id: clientId,
      client_secret: made.clientSecret,
      previous_valid_until: instant(made.previousValidUntil),
    });
  });
  app.patch(`${base}/:clientId`, async (c) => {
    const { bot_account_ids: bots, ...patch } = await parseBody(c, servicePatch);
    const clientId = c.req.param('clientId');
    const named = bots === undefined ? {} : { bot_account_ids: [...new Set(bots)] };
    const service = known(await deps.accounts.patchService(clientId, { ...patch, ...named }), clientId);
    await inEffect(deps, service.id);
    return c.json(view(service));
  });
  app.delete(`${base}/:clientId`, async (c) => {
    const clientId = c.req.param('clientId');
    known(await services.remove(clientId), clientId);
    return c.json({ deleted: true });
  });
  return app;
}

const instant = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

const view = (row: ServiceRow): ServiceView => ({
  name: row.name,
  client_id: row.clientId,
  enabled: row.enabled,
  access_mode: row.accessMode,
  bot_account_ids: [...row.botAccountIds],
  created_at: isoTime(row.createdAt),
  last_seen_at: instant(row.lastSeenAt),
});

function known<T>(found: T | undefined, clientId: string): T {
  if (found !== undefined) return found;
  throw new RelayError('unknown_service', 404, `there is no service account "${clientId.slice(0, 64)}"`);
}

function noStore(c: Context): void {
  c.header('cache-control', 'no-store');
}
