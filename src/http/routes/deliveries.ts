// The history of what was sent to webhook endpoints, and sending it once more. Reads rows and asks for replays; sends
// nothing itself.
import { Hono } from 'hono';
import type { z } from 'zod';
import type { EventFeed } from '../../delivery/port.ts';
import { encodeCursor } from '../../domain/cursor.ts';
import type { Filter } from '../../domain/filter.ts';
import {
  attemptsQuery,
  replayBody,
  type AttemptView,
  type ReplayView,
} from '../../protocol/rest-webhooks.ts';
import { isoTime } from '../../runtime/clock.ts';
import { requireService } from '../auth.ts';
import { readCursor } from '../cursor-param.ts';
import type { AppEnv } from '../env.ts';
import { linkNext } from '../page.ts';
import { fieldRefusal, parseBody, parseQuery } from '../parse.ts';
import type { AttemptRow } from '../port-webhooks.ts';
import type { HttpDeps } from '../port.ts';

const base = '/v1/deliveries';

export function deliveryRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const service = requireService(deps.store.services);
  app.get(base, service, async (c) => {
    const { endpoint, state, event, run, limit, after } = parseQuery(c, attemptsQuery);
    const rows = await deps.store.attempts.list(c.get('service').id, {
      endpointId: endpoint,
      state,
      eventId: event,
      run,
      // One more than asked for tells whether there is a next page.
      limit: limit + 1,
      after,
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    if (last && rows.length > limit) linkNext(c, last.id);
    return c.json(page.map((row) => view(deps.feed, row)));
  });
  app.post(`${base}/replay`, service, async (c) => {
    const body = await parseBody(c, replayBody);
    const serviceAccountId = c.get('service').id;
    const { dry_run: dryRun } = body;
    const endpoint = await deps.store.endpoints.get(serviceAccountId, body.endpoint_id);
    if (!endpoint) {
      const message = 'endpoint_id: you have no endpoint with this id';
      throw fieldRefusal('endpoint_id', message, 'unknown_endpoint', 404);
    }
    const { id: endpointId } = endpoint;
    const filter = deps.feed.filter(serviceAccountId, null, { endpointId });
    const { run, events } = await deps.webhooks.replay({
      serviceAccountId,
      endpointId,
      ids: body.event_ids && [...new Set(body.event_ids)],
      ...positionsOf(body, deps.feed, filter),
      receivedFrom: millis(body.from),
      receivedBefore: millis(body.to),
      dryRun,
    });
    const answer: ReplayView = { run, events, dry_run: dryRun };
    return c.json(answer);
  });
  return app;
}

const millis = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);

/**
 * Both ends as positions. The first must be one from which nothing is missing; the last only one up to which something
 * may still be there. Throws 422 or 410.
 */
function positionsOf(body: z.output<typeof replayBody>, feed: EventFeed, filter: Filter) {
  const { from_cursor, to_cursor } = body;
  const after =
    from_cursor === undefined
      ? undefined
      : readCursor('from_cursor', from_cursor, feed, feed.floorFor(filter));
  const through =
    to_cursor === undefined ? undefined : readCursor('to_cursor', to_cursor, feed, feed.oldestFor(filter));
  if (after !== undefined && through !== undefined && through <= after) {
    throw fieldRefusal('to_cursor', 'to_cursor: expected a cursor that lies behind from_cursor');
  }
  return { after, through };
}

const view = (feed: EventFeed, row: AttemptRow): AttemptView => ({
  id: row.id,
  endpoint_id: row.endpointId,
  event_id: row.eventId,
  cursor: encodeCursor(feed.epoch, row.seq),
  event_type: row.type,
  run: row.run,
  attempt: row.attempt,
  state: row.state,
  outcome: row.outcome,
  status: row.status,
  started_at: isoTime(row.startedAt),
  duration_ms: row.durationMs,
  response: row.response,
  next_attempt_at: row.nextAt === null ? null : isoTime(row.nextAt),
});
