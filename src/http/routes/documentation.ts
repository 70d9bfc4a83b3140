// The relay's own description, and the page to read and try it. Open to everybody: it tells what any relay of this version
// can do, and nothing about this one.
import { Hono, type Context } from 'hono';
import { RelayError } from '../../domain/errors.ts';
import type { AppEnv } from '../env.ts';
import { asyncApiDocument } from '../openapi/async-document.ts';
import { asset, openAssets, type Asset } from '../openapi/assets.ts';
import { openApiDocument } from '../openapi/document.ts';
import { pageHtml, pagePolicy } from '../openapi/page.ts';
import type { HttpDeps } from '../port.ts';

const json = 'application/json';

export function documentationRoutes({ version }: Pick<HttpDeps, 'version'>): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const assetOf = openAssets();
  const page = asset('text/html; charset=utf-8', pageHtml);
  const openApi = once(() => asset(json, JSON.stringify(openApiDocument({ version }))));
  const asyncApi = once(() => asset(json, JSON.stringify(asyncApiDocument({ version }))));
  app.get('/openapi.json', (c) => send(c, openApi()));
  app.get('/asyncapi.json', (c) => send(c, asyncApi()));
  app.get('/docs', (c) => {
    c.header('content-security-policy', pagePolicy);
    return send(c, page);
  });
  app.get('/docs/:file', async (c) => {
    const found = await assetOf(c.req.param('file'));
    if (!found) throw new RelayError('not_found', 404, 'the page has no such file');
    return send(c, found);
  });
  return app;
}

/** Made when it is first asked for: most relays are never asked. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function send(c: Context, { contentType, body, etag }: Asset): Response {
  c.header('cache-control', 'no-cache');
  c.header('etag', etag);
  if (matches(c.req.header('if-none-match'), etag)) return c.body(null, 304);
  c.header('content-type', contentType);
  return c.body(body);
}

/** RFC 9110 13.1.2: weak comparison; a proxy that compresses makes the tag a weak one. */
const matches = (given: string | undefined, etag: string): boolean =>
  (given ?? '').split(',').some((one) => {
    const tag = one.trim().replace(/^W\//, '');
    return tag === etag || tag === '*';
  });
