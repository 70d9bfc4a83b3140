// Alive, ready, and the numbers. `/health` depends on nothing; `/ready` on everything, each check with its own deadline.
import { Hono } from 'hono';
import { requireAdmin } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import type { HttpDeps } from '../port.ts';
import { checkDeadlineMs, lineOf, within, type CheckLine } from '../readiness.ts';

export function healthRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/health', (c) => c.json({ ok: true }));
  const look = shared(async () => {
    const own = Promise.all(deps.readiness.map((check) => lineOf(deps, check)));
    return (await Promise.all([own, botLines(deps)])).flat();
  });
  app.get('/ready', async (c) => {
    const looked = await look();
    const stopping: CheckLine[] = deps.stopping.aborted
      ? [{ name: 'lifecycle', ok: false, detail: 'the relay is stopping' }]
      : [];
    const checks = [...looked, ...stopping];
    const ready = checks.every((check) => check.ok);
    c.header('cache-control', 'no-store');
    return c.json({ ready, checks }, ready ? 200 : 503);
  });
  app.get('/metrics', requireAdmin(deps.adminKey), async (c) => {
    const { body, contentType } = await deps.metrics.render(c.req.header('accept'));
    c.header('content-type', contentType);
    return c.body(body);
  });
  return app;
}

/** Whoever asks while somebody is being answered gets the same answer: anybody may ask, and each look costs the database. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () =>
    (underWay ??= work().finally(() => {
      underWay = undefined;
    }));
}

async function botLines(deps: HttpDeps): Promise<CheckLine[]> {
  const away = [{ name: 'bots', ok: false, detail: 'the bots cannot be read from the database' }];
  const lines = async () =>
    (await deps.store.bots.list())
      .filter((bot) => bot.enabled)
      .map((bot) => {
        const { healthy, detail } = deps.upstream.botStatus(bot.id);
        return { name: `bot ${bot.name}`, ok: healthy, detail };
      });
  try {
    return await within(deps.clock, checkDeadlineMs, lines(), away);
  } catch (error) {
    deps.log.debug({ err: error }, 'bots cannot be listed');
    return away;
  }
}
