// How a Twitch user's grant is asked for: a link for a browser, a code for a device, and what became of either. Who says
// yes comes back through oauth-callback.ts; tokens are never seen here.
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { RelayError } from '../../domain/errors.ts';
import {
  authorizeBotBody,
  authorizeBroadcasterBody,
  type AuthorizationLink,
  type AuthorizationView,
  type AuthorizeBotBody,
  type DeviceCode,
} from '../../protocol/rest-authorizations.ts';
import { waitSeconds } from '../../protocol/rest.ts';
import { isoTime } from '../../runtime/clock.ts';
import { scopesFor, scopesForNewBot, scopesForRenewal } from '../ask-scopes.ts';
import { requireAdmin, requireService } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import { fieldRefusal, parseBody, parseQuery } from '../parse.ts';
import { pollUntil } from '../poll-until.ts';
import type { AuthorizationRow } from '../port-accounts.ts';
import type { HttpDeps } from '../port.ts';

const ofBroadcasters = '/v1/broadcaster-authorizations';
const uuid = z.uuid();
/** How often a waiting request looks at the row: not every way in which one ends is told. */
const lookEveryMs = 1_000;

export function authorizationRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { authorizations } = deps;
  const admin = requireAdmin(deps.adminKey);
  const either = requireEither(deps);
  app.post('/v1/admin/bots/authorize', admin, async (c) => {
    const made = await authorizations.startBrowser(await askOf(deps, await parseBody(c, authorizeBotBody)));
    return c.json(link(c, made), 201);
  });
  app.post('/v1/admin/bots/device', admin, async (c) => {
    const ask = await askOf(deps, await parseBody(c, authorizeBotBody));
    const { authorization, userCode, verificationUri, intervalSeconds } =
      await authorizations.startDevice(ask);
    noStore(c);
    const answer: DeviceCode = {
      ...view(authorization),
      user_code: userCode,
      verification_uri: verificationUri,
      interval_seconds: intervalSeconds,
    };
    return c.json(answer, 201);
  });
  app.get('/v1/admin/authorizations/:id', admin, async (c) => c.json(await ended(deps, c, () => true)));
  app.post(`${ofBroadcasters}/start`, either, async (c) => {
    const asked = await parseBody(c, authorizeBroadcasterBody);
    const made = await authorizations.startBroadcaster({
      serviceAccountId: serviceIdOf(c),
      scopes: scopesFor(deps.catalogue, asked),
    });
    return c.json(link(c, made), 201);
  });
  app.get(`${ofBroadcasters}/:id`, either, async (c) => {
    const asking = serviceIdOf(c);
    return c.json(await ended(deps, c, (row) => asking === null || row.serviceAccountId === asking));
  });
  return app;
}

/** The admin key, if one is given; service credentials otherwise. */
function requireEither(deps: HttpDeps): MiddlewareHandler<AppEnv> {
  const admin = requireAdmin(deps.adminKey);
  const service = requireService(deps.store.services);
  return (c, next) => {
    if (isAdmin(c)) return admin(c, next);
    if (c.req.header('x-client-id') !== undefined) return service(c, next);
    const message = 'log in with X-Client-Id and X-Client-Secret, or with X-Admin-Key';
    throw new RelayError('unauthorized', 401, message);
  };
}
const isAdmin = (c: Context): boolean => c.req.header('x-admin-key') !== undefined;
/** Behind `requireEither`. Null: the admin asks. */
const serviceIdOf = (c: Context<AppEnv>): string | null => (isAdmin(c) ? null : c.get('service').id);

async function askOf(deps: HttpDeps, body: AuthorizeBotBody) {
  const { name, bot_account_id: botAccountId } = body;
  if (botAccountId === undefined) {
    return { name, botAccountId, scopes: scopesForNewBot(deps.catalogue, body) };
  }
  const bot = await deps.store.bots.get(botAccountId);
  const path = 'bot_account_id';
  if (!bot) throw fieldRefusal(path, `${path}: there is no such bot`, 'unknown_bot', 404);
  return { name, botAccountId, scopes: await scopesForRenewal(deps, bot, body) };
}

/** The authorization once it is no longer pending, or as it is when the wait is over. A foreign one looks exactly like none. */
async function ended(
  deps: HttpDeps,
  c: Context<AppEnv>,
  mayRead: (row: AuthorizationRow) => boolean,
): Promise<AuthorizationView> {
  const { wait } = parseQuery(c, z.object({ wait: waitSeconds }));
  const id = c.req.param('id') ?? '';
  const read = async () => {
    const row = uuid.safeParse(id).success ? await deps.authorizations.get(id) : undefined;
    if (row && mayRead(row)) return row;
    throw new RelayError('unknown_authorization', 404, 'there is no authorization of yours with this id');
  };
  let latest = await read();
  if (wait > 0 && latest.state === 'pending') {
    await pollUntil<true>({
      async attempt() {
        latest = await read();
        return latest.state === 'pending' ? undefined : true;
      },
      watch: (wake) => watch(deps, wake),
      waitMs: wait * 1_000,
      clock: deps.clock,
      signals: [c.req.raw.signal, deps.stopping],
    });
  }
  noStore(c);
  return view(latest);
}

/** Whenever a bot or an authorization is written, and every second besides. */
function watch({ store, clock }: HttpDeps, wake: () => void): () => void {
  let cancel = () => {};
  const tick = () => {
    cancel = clock.after(lookEveryMs, () => {
      tick();
      wake();
    });
  };
  tick();
  const unsubscribe = store.onChange(({ kind }) => {
    if (kind === 'bot' || kind === 'authorization') wake();
  });
  return () => {
    cancel();
    unsubscribe();
  };
}

function link(
  c: Context,
  made: { readonly authorization: AuthorizationRow; readonly authorizeUrl: string },
): AuthorizationLink {
  noStore(c);
  return { ...view(made.authorization), authorize_url: made.authorizeUrl };
}

const view = (row: AuthorizationRow): AuthorizationView => ({
  id: row.id,
  kind: row.kind,
  state: row.state,
  code: row.code,
  reason: row.reason,
  scopes: [...row.scopes],
  bot_account_id: row.grantedBotId,
  created_at: isoTime(row.createdAt),
  expires_at: isoTime(row.expiresAt),
});

function noStore(c: Context): void {
  c.header('cache-control', 'no-store');
}
