// Alive, ready, and the numbers. `/health` depends on nothing; `/ready` on everything, each check with its own deadline.
import { Hono } from 'hono';
import { requireAdmin } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import type { HttpDeps, ReadinessCheck } from '../port.ts';

/** A check that hangs is a check that failed; probes commonly give up after a few seconds themselves. */
const checkDeadlineMs = 2_000;

interface CheckLine {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function healthRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/health', (c) => c.json({ ok: true }));
  app.get('/ready', async (c) => {
    const [own, bots] = await Promise.all([
      Promise.all(deps.readiness.map((check) => run(deps, check))),
      botLines(deps),
    ]);
    const stopping: CheckLine[] = deps.stopping.aborted
      ? [{ name: 'lifecycle', ok: false, detail: 'the relay is stopping' }]
      : [];
    const checks = [...own, ...bots, ...stopping];
    const ready = checks.every((check) => check.ok);
    c.header('cache-control', 'no-store');
    return c.json({ ready, checks }, ready ? 200 : 503);
  });
  app.get('/metrics', requireAdmin(deps.adminKey), async (c) => {
    const { body, contentType } = await deps.metrics.render();
    c.header('content-type', contentType);
    return c.body(body);
  });
  return app;
}

async function run(deps: HttpDeps, readiness: ReadinessCheck): Promise<CheckLine> {
  const { name } = readiness;
  const late = `no answer within ${checkDeadlineMs} ms`;
  try {
    return { name, ...(await within(deps, readiness.check(), { ok: false, detail: late })) };
  } catch (error) {
    deps.log.debug({ check: name, err: error }, 'readiness check failed');
    return { name, ok: false, detail: 'the check failed; the log says why' };
  }
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
    return await within(deps, lines(), away);
  } catch (error) {
    deps.log.debug({ err: error }, 'bots cannot be listed');
    return away;
  }
}

async function within<T>(deps: HttpDeps, work: Promise<T>, otherwise: T): Promise<T> {
  let cancel = () => {};
  const late = new Promise<T>((resolve) => {
    cancel = deps.clock.after(checkDeadlineMs, () => resolve(otherwise));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
