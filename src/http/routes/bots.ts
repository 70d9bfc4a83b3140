// Bot accounts: what the admin sees, what a service may use, and bringing one in with a token.
import { Hono } from 'hono';
import { accessibleBots, importBotBody, type BotView } from '../../protocol/rest.ts';
import type { z } from 'zod';
import { isoTime } from '../../runtime/clock.ts';
import { requireAdmin, requireService } from '../auth.ts';
import { budgetOf, grantedUserIds } from '../bot-usage.ts';
import type { AppEnv } from '../env.ts';
import { pageOf } from '../page.ts';
import { parseBody } from '../parse.ts';
import type { BotRow, HttpDeps } from '../port.ts';

export function botRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const admin = requireAdmin(deps.adminKey);
  app.get('/v1/bots', admin, async (c) => {
    const bots = await deps.store.bots.list();
    const granted = grantedUserIds(bots);
    const page = pageOf(c, bots, (bot) => bot.name);
    return c.json(await Promise.all(page.map((bot) => view(deps, bot, granted))));
  });
  app.get('/v1/bots/accessible', requireService(deps.store.services), async (c) => {
    const bots = await deps.store.bots.list();
    // Every service may use every bot until grants per service exist; the member says which of the two holds.
    const answer: z.input<typeof accessibleBots> = { access_mode: 'all', bots: bots.map(identity) };
    return c.json(answer);
  });
  app.post('/v1/admin/bots/import', admin, async (c) => {
    const bot = await deps.importBot(await parseBody(c, importBotBody));
    return c.json(await view(deps, bot, grantedUserIds(await deps.store.bots.list())));
  });
  return app;
}

const identity = (bot: BotRow) => ({
  id: bot.id,
  name: bot.name,
  provider: bot.provider,
  twitch_user_id: bot.twitchUserId,
  twitch_login: bot.twitchLogin,
  enabled: bot.enabled,
  state: bot.state,
  scopes: [...bot.scopes],
});

async function view(deps: HttpDeps, bot: BotRow, granted: ReadonlySet<string>): Promise<BotView> {
  const topics = await deps.store.topics.forBot(bot.id);
  const states: Record<string, number> = {};
  for (const { state, wanted } of topics) if (wanted) states[state] = (states[state] ?? 0) + 1;
  const status = deps.upstream.botStatus(bot.id);
  const { subscriptions, cost } = status.usage ?? budgetOf(deps, topics, granted);
  return {
    ...identity(bot),
    token_expires_at: bot.tokenExpiresAt === null ? null : isoTime(bot.tokenExpiresAt),
    session: { ...status.session },
    subscriptions: { ...subscriptions },
    cost: { ...cost },
    topics: states,
  };
}
