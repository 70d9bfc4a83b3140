// Named readers of a service: where they stand, and acknowledging over HTTP.
import { Hono } from 'hono';
import { encodeCursor } from '../../domain/cursor.ts';
import { ackBody, type ConsumerView } from '../../protocol/rest.ts';
import { isoTime } from '../../runtime/clock.ts';
import { requireService } from '../auth.ts';
import { behind } from '../behind.ts';
import { readCursor } from '../cursor-param.ts';
import type { AppEnv } from '../env.ts';
import { pageOf } from '../page.ts';
import { fieldRefusal, parseBody } from '../parse.ts';
import type { ConsumerRow, HttpDeps } from '../port.ts';

const nameShape = /^[A-Za-z0-9._-]{1,64}$/;

export function consumerRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const service = requireService(deps.store.services);
  const { feed } = deps;
  app.get('/v1/consumers', service, async (c) => {
    const serviceId = c.get('service').id;
    const rows = pageOf(c, await deps.store.consumers.list(serviceId), (row) => row.name);
    const views: ConsumerView[] = [];
    // One after another: each may read a long stretch of the log.
    for (const row of rows) views.push(await view(deps, serviceId, row));
    return c.json(views);
  });
  app.post('/v1/consumers/:name/ack', service, async (c) => {
    const name = c.req.param('name');
    if (!nameShape.test(name)) throw fieldRefusal('name', 'name: expected 1 to 64 of A-Z a-z 0-9 . _ -');
    const { cursor } = await parseBody(c, ackBody);
    const serviceId = c.get('service').id;
    // A late acknowledgement is harmless, so the floor does not matter here.
    const seq = readCursor('cursor', cursor, feed, 0);
    const ackedSeq = await deps.consumerActions.ack(serviceId, name, seq);
    const rows = await deps.store.consumers.list(serviceId);
    const row = rows.find((known) => known.name === name);
    const updatedAt = row?.updatedAt ?? deps.clock.now();
    return c.json(await view(deps, serviceId, { name, ackedSeq, updatedAt }));
  });
  return app;
}

async function view(deps: HttpDeps, serviceId: string, row: ConsumerRow): Promise<ConsumerView> {
  const { feed } = deps;
  return {
    name: row.name,
    position: encodeCursor(feed.epoch, row.ackedSeq),
    head: encodeCursor(feed.epoch, feed.head()),
    behind_events: await behind(feed, feed.filter(serviceId), row.ackedSeq),
    connected: deps.consumerActions.connected(serviceId, row.name),
    updated_at: isoTime(row.updatedAt),
  };
}
