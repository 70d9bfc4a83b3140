// Who is asking. Secrets are compared in constant time and never repeated in an answer or a log.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { RelayError } from '../domain/errors.ts';
import type { AppEnv } from './env.ts';
import type { HttpStore, ServiceRow } from './port.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
/** Longer ones cannot be ours and are not worth hashing. */
const maxCredentialLength = 256;

const unauthorized = (message: string): RelayError => new RelayError('unauthorized', 401, message);

/** Lets the holder of the admin key through; 401 otherwise. */
export function requireAdmin(adminKey: string): MiddlewareHandler<AppEnv> {
  const expected = digest(adminKey);
  return async (c, next) => {
    const given = c.req.header('x-admin-key');
    if (given === undefined) throw unauthorized('the X-Admin-Key header is missing');
    if (!timingSafeEqual(digest(given), expected)) throw unauthorized('the X-Admin-Key header is wrong');
    await next();
  };
}

/** Lets an enabled service through and remembers it; 401 for wrong credentials, 403 for a disabled account. */
export function requireService(services: HttpStore['services']): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const service = await serviceOf(c, services);
    services.touch(service.id);
    c.set('service', service);
    await next();
  };
}

/** The enabled service whose credentials the request carries, as of now. Throws 401 or 403. */
export async function serviceOf(c: Context, services: HttpStore['services']): Promise<ServiceRow> {
  const clientId = c.req.header('x-client-id');
  const clientSecret = c.req.header('x-client-secret');
  if (!clientId) throw unauthorized('the X-Client-Id header is missing');
  if (!clientSecret) throw unauthorized('the X-Client-Secret header is missing');
  const wrong = unauthorized('X-Client-Id and X-Client-Secret do not belong together');
  if (clientId.length > maxCredentialLength || clientSecret.length > maxCredentialLength) throw wrong;
  const outcome = await services.authenticate(clientId, clientSecret);
  if (!outcome.ok && outcome.reason === 'disabled') {
    throw new RelayError('account_disabled', 403, 'this service account is disabled');
  }
  if (!outcome.ok) throw wrong;
  return outcome.service;
}
