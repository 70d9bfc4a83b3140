// Everything that can be looked at, looked at now, with what to do about each. Reads and asks; changes nothing.
import { Hono } from 'hono';
import type { z } from 'zod';
import type { checksView } from '../../protocol/rest.ts';
import { requireAdmin } from '../auth.ts';
import { budgetOf, grantedUserIds } from '../bot-usage.ts';
import { verdicts, type CheckedBot } from '../checks.ts';
import type { AppEnv } from '../env.ts';
import type { HttpDeps } from '../port.ts';
import { lineOf, within } from '../readiness.ts';

/** For reading the rows of all bots: a database that hangs must not hide what else is wrong. */
const rowsWithinMs = 2_000;

export function checkRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/v1/admin/checks', requireAdmin(deps.adminKey), async (c) => {
    const [own, { bots, upstream }] = await Promise.all([
      Promise.all(deps.readiness.map((check) => lineOf(deps, check))),
      botsAndTwitch(deps),
    ]);
    const checks = verdicts({
      own,
      upstream,
      bots,
      ruleOf: ({ type, version }) => deps.catalogue.findType(type, version),
      nowMs: deps.clock.now(),
    });
    c.header('cache-control', 'no-store');
    const answer: z.input<typeof checksView> = { checks };
    return c.json(answer);
  });
  return app;
}

async function botsAndTwitch(deps: HttpDeps) {
  const before = await within(deps.clock, rowsWithinMs, botsOf(deps), []).catch((error: unknown) => {
    // The line "database" says so.
    deps.log.debug({ err: error }, 'bots cannot be read');
    return [];
  });
  const upstream = await deps.upstream.check(before.map(({ bot }) => bot.id));
  return { bots: before, upstream };
}

async function botsOf(deps: HttpDeps): Promise<CheckedBot[]> {
  const rows = await deps.store.bots.list();
  const granted = grantedUserIds(rows);
  return Promise.all(
    rows.map(async (bot) => {
      const topics = await deps.store.topics.forBot(bot.id);
      const status = deps.upstream.botStatus(bot.id);
      return { bot, topics, status, budget: status.usage ?? budgetOf(deps, topics, granted) };
    }),
  );
}
