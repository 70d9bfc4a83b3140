// The HTTP surface as one Hono app without a listener. Owns the order of middleware and where each resource is mounted;
// what a resource does is in its route file.
import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { secureHeaders } from 'hono/secure-headers';
import { RelayError } from '../domain/errors.ts';
import type { AppEnv } from './env.ts';
import { refuseBrokenBody, refuseUnstorable } from './parse.ts';
import type { HttpDeps } from './port.ts';
import { respondWith } from './problem.ts';
import { botRoutes } from './routes/bots.ts';
import { consumerRoutes } from './routes/consumers.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { interestRoutes } from './routes/interests.ts';
import { serviceAccountRoutes } from './routes/service-accounts.ts';
import { subscriptionTypeRoutes } from './routes/subscription-types.ts';
import { wsTokenRoutes } from './routes/ws-token.ts';

/** The largest sensible request is a few KiB. */
const maxBodyBytes = 64 * 1024;
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
  // Whether a name is to be reached over TLS only is for whoever terminates TLS to say.
  app.use(secureHeaders({ strictTransportSecurity: false }));
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
  app.use((c, next) => limitBody(c, next).catch(refuseBrokenBody));
  app.use(async (c, next) => {
    refuseUnstorable(decodedPath(c.req.path), ['path']);
    await next();
  });

  for (const routes of [
    healthRoutes,
    botRoutes,
    serviceAccountRoutes,
    subscriptionTypeRoutes,
    interestRoutes,
    eventRoutes,
    consumerRoutes,
    endpointRoutes,
    deliveryRoutes,
    wsTokenRoutes,
  ]) {
    app.route('/', routes(deps));
  }
  return app;
}

const limitBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError() {
    throw new RelayError('body_too_large', 413, `the body is larger than ${maxBodyBytes} bytes`);
  },
});

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RelayError('malformed_path', 400, 'the path holds a broken % escape');
  }
}
