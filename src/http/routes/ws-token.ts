// A single-use log-in for browsers, which cannot set headers on a WebSocket.
import { Hono } from 'hono';
import { wsTokenTtlSeconds } from '../../protocol/rest.ts';
import { requireService } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import type { HttpDeps } from '../port.ts';

export function wsTokenRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.post('/v1/ws-token', requireService(deps.store.services), async (c) => {
    const token = await deps.store.wsTokens.issue(c.get('service').id, wsTokenTtlSeconds);
    c.header('cache-control', 'no-store');
    return c.json({ ws_token: token, expires_in_seconds: wsTokenTtlSeconds });
  });
  return app;
}
