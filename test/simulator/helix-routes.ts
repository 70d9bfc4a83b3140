// Owns Helix as far as a relay needs it: subscriptions and users, behind token check, rate limit and armed faults.
// It must never decide whether a subscription may exist; subscription-rules.ts does.
import { STATUS_CODES } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { AccessToken } from './accounts.ts';
import type { Core } from './core.ts';
import type { Delivery } from './delivery.ts';
import type { FaultOf } from './faults.ts';
import type { Route, SimAnswer, SimRequest } from './http-door.ts';
import { RateBuckets, rateHeaders } from './rate-bucket.ts';
import type { SessionHub } from './session-hub.ts';
import { createBodySchema, totalCost } from './subscription-rules.ts';
import type { SubscriptionRules } from './subscription-rules.ts';
import type { Subscription } from './types.ts';

export interface HelixParts {
  readonly core: Core;
  readonly hub: SessionHub;
  readonly rules: SubscriptionRules;
  readonly delivery: Delivery;
}

type Operation = FaultOf<'helix'>['on'];
type HelixHandler = (request: SimRequest, token: AccessToken) => SimAnswer | Promise<SimAnswer>;

const PAGE_SIZE = 100;
const FILTERS = ['status', 'type', 'user_id', 'subscription_id', 'conduit_id'] as const;
/** Gives the client time to read the frame before the answer to its request arrives. */
const EVENT_HEAD_START_MS = 25;

const FAULT_MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Invalid OAuth token',
  403: 'subscription missing proper authorization',
  409: 'subscription already exists',
  410: 'the subscription type and version was removed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export function problem(status: number, message: string, extra: object = {}): SimAnswer {
  return { status, body: { error: STATUS_CODES[status] ?? 'Error', status, message, ...extra } };
}

export function helixRoutes(parts: HelixParts): { routes: readonly Route[]; buckets: RateBuckets } {
  const { core } = parts;
  const buckets = new RateBuckets(core.settings.rateLimitPerMinute);
  const guarded = (operation: Operation, handler: HelixHandler): Route['handler'] => {
    return async (request) => {
      const token = request.bearer === null ? undefined : core.accounts.findToken(request.bearer);
      request.record.userId = token?.userId ?? null;
      const answer = await withFaults(parts, operation, request, token, async () => {
        const refusal = authRefusal(core, request, token);
        if (refusal || !token) return refusal ?? problem(401, 'Invalid OAuth token');
        const bucket = buckets.take(token.userId ?? 'app');
        const inner = bucket.allowed
          ? await handler(request, token)
          : problem(429, 'Too Many Requests: the rate limit was exceeded');
        return { ...inner, headers: { ...bucket.headers, ...inner.headers } };
      });
      return { ...answer, headers: answer.headers ?? buckets.take('anonymous').headers };
    };
  };
  const subscriptions = [
    '/helix/eventsub/subscriptions',
    '/eventsub/subscriptions',
    '/mock/eventsub/subscriptions',
  ];
  const route = (method: string, operation: Operation, paths: string[], handler: HelixHandler): Route => ({
    method,
    paths,
    operation,
    handler: guarded(operation, handler),
  });
  const routes = [
    route('POST', 'create', subscriptions, (request, token) => create(parts, request, token)),
    route('GET', 'list', subscriptions, (request, token) => list(core, request, token)),
    route('DELETE', 'delete', subscriptions, (request, token) => remove(core, request, token)),
    route('GET', 'users', ['/helix/users', '/mock/users'], (request, token) => users(core, request, token)),
  ];
  return { routes, buckets };
}

function authRefusal(core: Core, request: SimRequest, token: AccessToken | undefined): SimAnswer | undefined {
  if (request.bearer === null) return problem(401, 'OAuth token is missing');
  if (!token) return problem(401, 'Invalid OAuth token');
  const clientId = request.header('client-id');
  if (clientId === null) return problem(401, 'Client ID is missing');
  return clientId === core.settings.clientId
    ? undefined
    : problem(401, 'Client ID and OAuth token do not match');
}

async function withFaults(
  { core }: HelixParts,
  operation: Operation,
  request: SimRequest,
  token: AccessToken | undefined,
  work: () => Promise<SimAnswer>,
): Promise<SimAnswer> {
  if (core.settings.helixLatencyMs > 0) await pause(core.settings.helixLatencyMs);
  const hang = core.faults.take('helix_hangs', (spec) => spec.on === operation);
  if (hang) {
    const early = hang.applied === true ? await work() : undefined;
    await pause(hang.ms, undefined, { ref: false });
    return early ?? (request.gone() ? problem(503, 'client left') : work());
  }
  const fault = core.faults.take(
    'helix',
    (spec) => spec.on === operation && fits(core, spec, request, token),
  );
  if (fault) {
    if (fault.delayMs) await pause(fault.delayMs, undefined, { ref: false });
    return faultAnswer(core, fault, request, token);
  }
  if (core.faults.take('helix_half_answer', (spec) => spec.on === operation)) {
    return { ...(await work()), half: true };
  }
  return work();
}

function fits(
  core: Core,
  spec: FaultOf<'helix'>,
  request: SimRequest,
  token: AccessToken | undefined,
): boolean {
  const type = request.params.get('type') ?? core.store.get(request.query.get('id') ?? '')?.type;
  const { match } = spec;
  return (
    (match?.type === undefined || match.type === type) &&
    (match?.userId === undefined || match.userId === token?.userId)
  );
}

function faultAnswer(
  core: Core,
  fault: FaultOf<'helix'>,
  request: SimRequest,
  token: AccessToken | undefined,
): SimAnswer {
  const transports = fault.flavour === 'transports';
  const throttled = fault.status === 429 && !transports;
  const limit = core.settings.rateLimitPerMinute;
  const resetAtMs = Date.now() + (fault.resetInSeconds ?? 1) * 1_000;
  const headers = fault.rateHeaders === false ? {} : rateHeaders(limit, throttled ? 0 : limit - 1, resetAtMs);
  const fallback =
    fault.status === 429
      ? transports
        ? 'number of websocket transports limit exceeded'
        : 'Too Many Requests: the rate limit was exceeded'
      : (FAULT_MESSAGES[fault.status] ?? 'armed fault');
  const existingId = fault.existingId ?? twinId(core, request, token);
  const extra = fault.status === 409 && existingId !== undefined ? { data: [{ id: existingId }] } : {};
  const answer = problem(fault.status, fault.message ?? fallback, extra);
  return { ...answer, ...(fault.body === undefined ? {} : { body: fault.body }), headers };
}

function twinId(core: Core, request: SimRequest, token: AccessToken | undefined): string | undefined {
  const wanted = createBodySchema.safeParse(request.body);
  if (!wanted.success || token === undefined || token.userId === null) return undefined;
  return core.store.enabledLike(wanted.data).find(({ userId }) => userId === token.userId)?.id;
}

async function create(
  { core, hub, rules, delivery }: HelixParts,
  request: SimRequest,
  token: AccessToken,
): Promise<SimAnswer> {
  const type = request.params.get('type');
  const ofType = (spec: { type?: string | undefined }): boolean =>
    spec.type === undefined || spec.type === type;
  const wanted = createBodySchema.safeParse(request.body);
  const sessionId = wanted.data?.transport.session_id ?? '';
  if (hub.sessions.get(sessionId)?.live === true && core.faults.take('session_dies_on_create', ofType)) {
    hub.dropSession(sessionId, { zombieMs: 0 });
    await core.activity.waitFor(() => hub.sessions.get(sessionId)?.state !== 'open');
  }
  const verdict = rules.create(token, request.body);
  if (!verdict.ok) {
    const { status, message, existingId } = verdict.refusal;
    return problem(status, message, existingId === undefined ? {} : { data: [{ id: existingId }] });
  }
  const { subscription } = verdict;
  const answer: SimAnswer = { status: 202, body: page(core, token, [subscription]) };
  const early = core.faults.take('event_before_create_answer', ofType);
  if (early) {
    delivery.notify(subscription);
    await pause(early.delayMs ?? EVENT_HEAD_START_MS);
  }
  const revoke = core.faults.take('revoke_after_create', ofType);
  if (revoke)
    hub.later(revoke.delayMs ?? EVENT_HEAD_START_MS, () => delivery.revoke(subscription, revoke.status));
  return answer;
}

function list(core: Core, request: SimRequest, token: AccessToken): SimAnswer {
  const given = FILTERS.filter((name) => request.query.has(name));
  if (given.length > 1) return problem(400, `only one of these filters may be given: ${given.join(', ')}`);
  const offset = decodeCursor(request.query.get('after'));
  if (offset === undefined) return problem(400, 'The parameter "after" was malformed: invalid cursor');
  // An app token sees webhooks and conduits, of which there are none here.
  const own = token.userId === null ? [] : core.store.ofUser(token.userId);
  const filter = given[0];
  const value = filter === undefined ? '' : (request.query.get(filter) ?? '');
  const matching = filter === undefined ? own : own.filter((item) => FILTER_TESTS[filter](item, value));
  const items = matching.slice(offset, offset + PAGE_SIZE);
  const next = offset + PAGE_SIZE;
  const pagination = next < matching.length ? { cursor: encodeCursor(next) } : {};
  return { status: 200, body: { ...page(core, token, items, matching.length), pagination } };
}

const FILTER_TESTS: Readonly<
  Record<(typeof FILTERS)[number], (item: Subscription, value: string) => boolean>
> = {
  status: (item, value) => item.status === value,
  type: (item, value) => item.type === value,
  user_id: (item, value) => Object.values(item.condition).includes(value),
  subscription_id: (item, value) => item.id === value,
  conduit_id: () => false,
};

function encodeCursor(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString('base64url');
}

function decodeCursor(cursor: string | null): number | undefined {
  if (cursor === null || cursor === '') return 0;
  const digits = /^offset:(?<digits>\d+)$/u.exec(Buffer.from(cursor, 'base64url').toString())?.groups?.digits;
  return digits === undefined ? undefined : Number(digits);
}

function page(core: Core, token: AccessToken, items: readonly Subscription[], total?: number): object {
  const enabled = token.userId === null ? [] : core.store.enabledOfUser(token.userId);
  return {
    data: items.map((item) => ({
      id: item.id,
      status: item.status,
      type: item.type,
      version: item.version,
      condition: item.condition,
      created_at: item.createdAt,
      transport: {
        method: 'websocket',
        session_id: item.sessionId,
        connected_at: item.connectedAt,
        ...(item.disconnectedAt === null ? {} : { disconnected_at: item.disconnectedAt }),
      },
      cost: item.cost,
    })),
    total: total ?? enabled.length,
    total_cost: totalCost(enabled),
    max_total_cost: core.settings.maxTotalCost,
  };
}

function remove(core: Core, request: SimRequest, token: AccessToken): SimAnswer {
  const id = request.query.get('id');
  if (id === null || id === '') return problem(400, 'The parameter "id" was missing');
  const owned = core.store.get(id)?.userId === token.userId;
  return owned && core.store.delete(id) ? { status: 204 } : problem(404, 'subscription not found');
}

function users(core: Core, request: SimRequest, token: AccessToken): SimAnswer {
  const ids = request.query.getAll('id');
  const logins = request.query.getAll('login');
  if (ids.length + logins.length > 100)
    return problem(400, 'The parameters "id" and "login" allow 100 values together');
  if (ids.length + logins.length === 0 && token.userId === null) {
    return problem(400, 'The parameter "id" or "login" is required with an app access token');
  }
  const own = ids.length + logins.length === 0 && token.userId !== null ? [token.userId] : [];
  const found = [
    ...[...ids, ...own].map((id) => core.accounts.users.get(id)),
    ...logins.map((login) => core.accounts.findByLogin(login)),
  ];
  const unique = new Set(found.filter((user) => user !== undefined));
  return {
    status: 200,
    body: {
      data: [...unique].map((user) => ({
        id: user.id,
        login: user.login,
        display_name: user.displayName,
        type: '',
        broadcaster_type: 'affiliate',
        description: '',
        profile_image_url: `https://static-cdn.jtvnw.net/user-default-pictures-uv/${user.id}-300x300.png`,
        offline_image_url: '',
        view_count: 0,
        created_at: '2016-12-14T20:32:28Z',
      })),
    },
  };
}
