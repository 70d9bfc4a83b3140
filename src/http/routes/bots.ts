// Bot accounts: what the admin sees and changes, what a service may use, and bringing one in with a token. The ways that
// need its user are in authorizations.ts.
import { Hono } from 'hono';
import type { z } from 'zod';
import { mayUse } from '../../domain/access.ts';
import { RelayError } from '../../domain/errors.ts';
import {
  botPatch,
  importBotBody,
  type accessibleBots,
  type botRemoved,
  type BotView,
} from '../../protocol/rest.ts';
import { requireAdmin, requireService } from '../auth.ts';
import { botView, identity } from '../bot-view.ts';
import { grantedUserIds } from '../bot-usage.ts';
import type { AppEnv } from '../env.ts';
import { pageOf } from '../page.ts';
import { parseBody } from '../parse.ts';
import type { BotRow, HttpDeps } from '../port.ts';

const base = '/v1/admin/bots';

export function botRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const admin = requireAdmin(deps.adminKey);
  app.get('/v1/bots', admin, async (c) => {
    const bots = await deps.store.bots.list();
    const granted = grantedUserIds(bots);
    const page = pageOf(c, bots, (bot) => bot.name);
    return c.json(await Promise.all(page.map((bot) => botView(deps, bot, granted))));
  });
  app.get('/v1/bots/accessible', requireService(deps.store.services), async (c) => {
    const service = c.get('service');
    const bots = (await deps.store.bots.list()).filter((bot) => mayUse(service, bot.id));
    const answer: z.input<typeof accessibleBots> = {
      access_mode: service.accessMode,
      bots: bots.map(identity),
    };
    return c.json(answer);
  });
  app.post(`${base}/import`, admin, async (c) =>
    c.json(await seen(deps, await deps.importBot(await parseBody(c, importBotBody)))),
  );
  app.patch(`${base}/:id`, admin, async (c) => {
    const patch = await parseBody(c, botPatch);
    return c.json(await seen(deps, known(await deps.accounts.patchBot(c.req.param('id'), patch))));
  });
  app.delete(`${base}/:id`, admin, async (c) => {
    const { interests, revoked } = known(await deps.accounts.removeBot(c.req.param('id')));
    const answer: z.infer<typeof botRemoved> = { deleted: true, interests, revoked };
    return c.json(answer);
  });
  app.post(`${base}/:id/refresh`, admin, async (c) =>
    c.json(await seen(deps, known(await deps.accounts.refreshBot(c.req.param('id'))))),
  );
  return app;
}

const seen = async (deps: HttpDeps, bot: BotRow): Promise<BotView> =>
  botView(deps, bot, grantedUserIds(await deps.store.bots.list()));

function known<T>(found: T | undefined): T {
  if (found !== undefined) return found;
  throw new RelayError('unknown_bot', 404, 'there is no bot account with this id');
}
