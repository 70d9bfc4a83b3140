// Where Twitch sends a browser back to. Nobody logs in here: the state is the login, and what came back is handed on
// unread. Answers a page; state and code appear neither in it nor in a log.
import { Hono, type Context } from 'hono';
import { RelayError } from '../../domain/errors.ts';
import type { AppEnv } from '../env.ts';
import { authorizationPage } from '../pages/authorization-page.ts';
import { pageHeaders } from '../pages/page.ts';
import type { AuthorizationEnd } from '../port-accounts.ts';
import type { HttpDeps } from '../port.ts';
import { asRelayError } from '../problem.ts';

/** Ours is far shorter, Twitch's code has 30 characters; longer ones cannot be meant and are not worth a look. */
const maxLength = 512;
/** RFC 6749 4.1.2.1 names a handful of lower-case words. */
const errorShape = /^[a-z_]{1,64}$/;

export function oauthCallbackRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get('/oauth/callback', async (c) => {
    // Whoever only looks, such as a preview of the link, must not use it up.
    if (c.req.method === 'HEAD') {
      c.header('allow', 'GET');
      throw new RelayError('method_not_allowed', 405, 'HEAD is not served here; allowed: GET');
    }
    const { status, html } = authorizationPage(await finish(deps, c));
    return c.body(html, status, pageHeaders);
  });
  return app;
}

async function finish(deps: HttpDeps, c: Context<AppEnv>): Promise<AuthorizationEnd> {
  // Of a repeated parameter the first counts.
  const { state, code, error } = c.req.query();
  try {
    return await deps.authorizations.finish({
      state: bounded(state),
      code: bounded(code),
      error: error === undefined || error === '' || errorShape.test(error) ? error || undefined : 'unknown',
    });
  } catch (thrown) {
    return faultOf(deps, c, thrown);
  }
}

/** Empty counts as missing. */
const bounded = (text: string | undefined): string | undefined => text?.slice(0, maxLength) || undefined;

/** A fault of ours, for a person: a problem document would mean nothing in a browser. */
function faultOf(deps: HttpDeps, c: Context<AppEnv>, thrown: unknown): AuthorizationEnd {
  const { code, status, message } = asRelayError(thrown);
  const requestId = c.get('requestId');
  const fields = { request_id: requestId, path: c.req.path };
  if (code === 'internal_error') deps.log.error({ ...fields, err: thrown }, 'request failed');
  else if (status >= 500) deps.log.warn({ ...fields, code }, 'request refused');
  const reason = code === 'internal_error' ? `The fault is ours. Number: ${requestId}` : message;
  return { kind: 'refused', code, reason };
}
