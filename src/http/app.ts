// The HTTP surface as one Hono app without a listener. Owns the order of middleware and where each resource is mounted;
// what a resource does is in its route file.
import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { RelayError } from '../domain/errors.ts';
import { atTheDoor, withAnswerHeaders } from './at-the-door.ts';
import type { AppEnv } from './env.ts';
import { limitBody } from './limit-body.ts';
import { refuseUnstorable } from './parse.ts';
import type { HttpDeps } from './port.ts';
import { respondWith } from './problem.ts';
import { authorizationRoutes } from './routes/authorizations.ts';
import { botRoutes } from './routes/bots.ts';
import { checkRoutes } from './routes/checks.ts';
import { consumerRoutes } from './routes/consumers.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { documentationRoutes } from './routes/documentation.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { interestRoutes } from './routes/interests.ts';
import { oauthCallbackRoutes } from './routes/oauth-callback.ts';
import { serviceAccountRoutes } from './routes/service-accounts.ts';
import { subscriptionTypeRoutes } from './routes/subscription-types.ts';
import { wsTokenRoutes } from './routes/ws-token.ts';

const requestIdShape = /^[A-Za-z0-9._-]{8,64}$/;

export type App = Hono<AppEnv>;

/** Every refusal and every fault leaves as a problem document with `request_id`, also sent as `x-request-id`. */
export function createApp(deps: HttpDeps): App {
  const app = new Hono<AppEnv>();
  app.onError((error, c) => respondWith(error, c, deps.log));
  app.notFound((c) =>
    respondWith(new RelayError('not_found', 404, `nothing is served at this path`), c, deps.log),
  );

  app.use(async (c, next) => {
    const given = c.req.header('x-request-id') ?? '';
    const requestId = requestIdShape.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.header('x-request-id', requestId);
    const startedAt = deps.clock.now();
    await next();
    const fields = { request_id: requestId, method: c.req.method, path: c.req.path, status: c.res.status };
    deps.log.debug({ ...fields, ms: deps.clock.now() - startedAt }, 'request');
  });
  app.use(withAnswerHeaders);
  app.use(atTheDoor(deps.door));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed(c, allowed) {
        c.header('allow', allowed.join(', '));
        const message = `${c.req.method} is not served here; allowed: ${allowed.join(', ')}`;
        return respondWith(new RelayError('method_not_allowed', 405, message), c, deps.log);
      },
    }),
  );
  app.use(limitBody);
  app.use(async (c, next) => {
    refuseUnstorable(decodedPath(c.req.path), ['path']);
    await next();
  });

  for (const routes of [
    healthRoutes,
    botRoutes,
    authorizationRoutes,
    oauthCallbackRoutes,
    checkRoutes,
    serviceAccountRoutes,
    subscriptionTypeRoutes,
    interestRoutes,
    eventRoutes,
    consumerRoutes,
    endpointRoutes,
    deliveryRoutes,
    wsTokenRoutes,
    documentationRoutes,
  ]) {
    app.route('/', routes(deps));
  }
  return app;
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RelayError('malformed_path', 400, 'the path holds a broken % escape');
  }
}
