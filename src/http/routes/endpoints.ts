// Webhook endpoints: where they stand, what may be changed about them, and trying them out. Interests make them; nothing
// here sends an event of the log.
import { Hono } from 'hono';
import { z } from 'zod';
import { encodeCursor } from '../../domain/cursor.ts';
import { RelayError } from '../../domain/errors.ts';
import {
  endpointPatch,
  secretGraceSeconds,
  type AttemptOutcome,
  type EndpointSecret,
  type EndpointView,
} from '../../protocol/rest-webhooks.ts';
import { isoTime } from '../../runtime/clock.ts';
import { requireService } from '../auth.ts';
import { behind, readBudget } from '../behind.ts';
import { refuseUnechoed } from '../challenge.ts';
import type { AppEnv } from '../env.ts';
import { linkNext, pageQuery } from '../page.ts';
import { parseBody, parseQuery } from '../parse.ts';
import type { EndpointRow } from '../port-webhooks.ts';
import type { HttpDeps } from '../port.ts';

const base = '/v1/endpoints';
const endpointPage = pageQuery.extend({ after: z.uuid("expected an endpoint's id").optional() });

export function endpointRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { endpoints } = deps.store;
  const service = requireService(deps.store.services);
  /** For an endpoint that the delivery cannot send to: it is gone meanwhile, or its secret cannot be read. */
  const notSent = async (serviceId: string, id: string): Promise<never> => {
    const { health } = known(await endpoints.get(serviceId, id));
    const message = 'nothing can be sent to this endpoint while it is disabled';
    throw new RelayError('endpoint_disabled', 409, [message, health.reason].filter(Boolean).join(': '));
  };
  app.get(base, service, async (c) => {
    const { limit, after } = parseQuery(c, endpointPage);
    const serviceId = c.get('service').id;
    // One more than asked for tells whether there is a next page.
    const rows = await endpoints.list(serviceId, { limit: limit + 1, after });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    if (last && rows.length > limit) linkNext(c, last.id);
    const views: EndpointView[] = [];
    const budget = readBudget();
    // One after another: each may read a long stretch of the log.
    for (const row of page) views.push(await view(deps, serviceId, row, budget));
    return c.json(views);
  });
  app.get(`${base}/:id`, service, async (c) => {
    const serviceId = c.get('service').id;
    return c.json(await view(deps, serviceId, known(await endpoints.get(serviceId, c.req.param('id')))));
  });
  app.patch(`${base}/:id`, service, async (c) => {
    const patch = await parseBody(c, endpointPatch);
    const serviceId = c.get('service').id;
    const changed = await endpoints.update(serviceId, c.req.param('id'), changeOf(patch));
    return c.json(await view(deps, serviceId, known(changed)));
  });
  app.post(`${base}/:id/rotate-secret`, service, async (c) => {
    const { grace_seconds } = parseQuery(c, z.object({ grace_seconds: secretGraceSeconds }));
    const id = c.req.param('id');
    const made = known(await endpoints.rotateSecret(c.get('service').id, id, grace_seconds));
    // From the answer on nothing is signed by the old one alone, and the new one is known where answers are stored.
    await deps.webhooks.inForce();
    c.header('cache-control', 'no-store');
    const answer: EndpointSecret = {
      id,
      webhook_secret: made.webhookSecret,
      previous_valid_until: instant(made.previousValidUntil),
    };
    return c.json(answer);
  });
  app.post(`${base}/:id/enable`, service, async (c) => {
    const serviceId = c.get('service').id;
    const row = known(await endpoints.get(serviceId, c.req.param('id')));
    if (deps.webhookChallenge && row.health.state === 'disabled') {
      refuseUnechoed((await deps.webhooks.challengeEndpoint(row.id)) ?? (await notSent(serviceId, row.id)));
    }
    return c.json(await view(deps, serviceId, known(await endpoints.enable(serviceId, row.id))));
  });
  app.post(`${base}/:id/test`, service, async (c) => {
    const serviceId = c.get('service').id;
    const { id } = known(await endpoints.get(serviceId, c.req.param('id')));
    const outcome = (await deps.webhooks.test(id)) ?? (await notSent(serviceId, id));
    const { kind, status, durationMs, response } = outcome;
    const answer: AttemptOutcome = { outcome: kind, status, duration_ms: durationMs, response };
    return c.json(answer);
  });
  return app;
}

/** A foreign one looks exactly like none. */
function known<T>(found: T | undefined): T {
  if (found !== undefined) return found;
  throw new RelayError('unknown_endpoint', 404, 'you have no endpoint with this id');
}

const changeOf = (patch: z.output<typeof endpointPatch>) => ({
  ...(patch.description === undefined ? {} : { description: patch.description }),
  ...(patch.retry_profile === undefined ? {} : { retryProfile: patch.retry_profile }),
  ...(patch.order === undefined ? {} : { order: patch.order }),
  ...(patch.max_age_seconds === undefined ? {} : { maxAgeSeconds: patch.max_age_seconds }),
  ...(patch.concurrency === undefined ? {} : { concurrency: patch.concurrency }),
});

/** A grace that is over is no grace. */
const stillAhead = (ms: number | null, now: number): number | null => (ms !== null && ms > now ? ms : null);

const instant = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

async function view(
  deps: HttpDeps,
  serviceId: string,
  row: EndpointRow,
  budget = readBudget(),
): Promise<EndpointView> {
  const { feed } = deps;
  const { health, settings } = row;
  const filter = feed.filter(serviceId, null, { endpointId: row.id });
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    state: health.state,
    code: health.code,
    reason: health.reason,
    state_since: isoTime(health.since),
    failing_since: instant(health.failingSince),
    next_probe_at: instant(health.probeAt),
    retry_profile: settings.retryProfile,
    order: settings.order,
    max_age_seconds: settings.maxAgeSeconds,
    concurrency: settings.concurrency,
    position: encodeCursor(feed.epoch, row.ackedSeq),
    head: encodeCursor(feed.epoch, feed.head()),
    behind_events: await behind(feed, filter, row.ackedSeq, budget),
    waiting: row.owed,
    previous_secret_valid_until: instant(stillAhead(row.previousSecretValidUntil, deps.clock.now())),
    created_at: isoTime(row.createdAt),
  };
}
