// Interests: a wish becomes a row, or a refusal that names the field. Never asks the platform to subscribe: the
// reconciler reads the row.
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { RelayError } from '../../domain/errors.ts';
import { broadcasterOf } from '../../domain/wish.ts';
import {
  createInterestBody,
  waitSeconds,
  type CreatedInterest,
  type InterestView,
} from '../../protocol/rest.ts';
import { isoTime } from '../../runtime/clock.ts';
import { requireService } from '../auth.ts';
import { createInterest } from '../create-interest.ts';
import type { AppEnv } from '../env.ts';
import { inEffect } from '../in-effect.ts';
import { linkNext, pageQuery } from '../page.ts';
import { parseBody, parseQuery } from '../parse.ts';
import { pollUntil } from '../poll-until.ts';
import type { HttpDeps, InterestRow } from '../port.ts';

const base = '/v1/interests';
const interestPage = pageQuery.extend({ after: z.uuid("expected an interest's id").optional() });

export function interestRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { interests } = deps.store;
  const service = requireService(deps.store.services);
  app.post(base, service, async (c) => {
    const { wait } = parseQuery(c, z.object({ wait: waitSeconds }));
    const body = await parseBody(c, createInterestBody);
    const made = await createInterest(deps, c.get('service'), body);
    const { interest, created, webhookSecret } = made;
    await inEffect(deps, interest.serviceAccountId);
    const settled = wait > 0 ? await verdict(deps, c, interest, wait) : interest;
    if (created) c.header('location', `${base}/${interest.id}`);
    // Shown once: to the call that made the endpoint.
    if (webhookSecret !== null) c.header('cache-control', 'no-store');
    const secret = webhookSecret === null ? {} : { webhook_secret: webhookSecret };
    const answer: CreatedInterest = { ...view(settled), ...secret };
    return c.json(answer, created ? 201 : 200);
  });
  app.get(base, service, async (c) => {
    const { limit, after } = parseQuery(c, interestPage);
    // One more than asked for tells whether there is a next page.
    const rows = await interests.list(c.get('service').id, { limit: limit + 1, after });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    if (last && rows.length > limit) linkNext(c, last.id);
    return c.json(page.map(view));
  });
  app.get(`${base}/:id`, service, async (c) => {
    const found = await interests.get(c.get('service').id, c.req.param('id'));
    if (!found) throw unknown();
    return c.json(view(found));
  });
  app.delete(`${base}/:id`, service, async (c) => {
    const serviceId = c.get('service').id;
    if (!(await interests.remove(serviceId, c.req.param('id')))) throw unknown();
    await inEffect(deps, serviceId);
    return c.json({ deleted: true });
  });
  return app;
}

/** A foreign one looks exactly like none. */
const unknown = (): RelayError =>
  new RelayError('unknown_interest', 404, 'you have no interest with this id');

/**
 * The interest once the platform has said something, or as it was last seen when the time is over. A database that goes
 * away meanwhile ends the wait and not the request: its answer may hold the only copy of a secret.
 */
async function verdict(
  deps: HttpDeps,
  c: Context,
  interest: InterestRow,
  waitS: number,
): Promise<InterestRow> {
  let latest = interest;
  await pollUntil<true>({
    async attempt() {
      const row = await deps.store.interests
        .get(interest.serviceAccountId, interest.id)
        .catch(() => undefined);
      if (!row) return true;
      latest = row;
      return row.allowed && row.topic.state === 'pending' ? undefined : true;
    },
    watch: (wake) =>
      deps.store.onChange((change) => {
        if (change.kind !== 'topic' || change.topicId === interest.topic.id) wake();
      }),
    waitMs: waitS * 1000,
    clock: deps.clock,
    signals: [c.req.raw.signal, deps.stopping],
  });
  return latest;
}

function view(interest: InterestRow): InterestView {
  const { topic } = interest;
  return {
    id: interest.id,
    service_account_id: interest.serviceAccountId,
    bot_account_id: topic.botAccountId,
    event_type: topic.type,
    version: topic.version,
    condition: { ...topic.condition },
    broadcaster_user_id: broadcasterOf(topic.condition),
    transport: interest.transport,
    webhook_url: interest.webhookUrl,
    endpoint_id: interest.endpointId,
    topic_id: topic.id,
    ...(interest.allowed ? verdictOf(topic) : suspended),
    created_at: isoTime(interest.createdAt),
  };
}

const verdictOf = ({ state, reason, code, retryAt }: InterestRow['topic']) => ({
  state,
  reason,
  code,
  retry_at: retryAt === null ? null : isoTime(retryAt),
});

/** What the topic's own state is does not matter to a service that may not use the bot. */
const suspended = {
  state: 'revoked',
  reason:
    'this service may not use the bot at present, so nothing is delivered; it goes on by itself when an admin allows it ' +
    '(PATCH /v1/admin/service-accounts/{client_id})',
  code: 'bot_access_denied',
  retry_at: null,
} as const;
