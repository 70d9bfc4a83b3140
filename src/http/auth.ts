// Who is asking. Secrets are compared in constant time and never repeated in an answer or a log. Whether a claim may be
// looked up at all is the door's to say.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { RelayError } from '../domain/errors.ts';
import type { LoginClaim } from '../domain/visitor.ts';
import type { AppEnv } from './env.ts';
import type { HttpStore, ServiceRow } from './port.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
/** Longer ones cannot be ours and are not worth hashing. */
const maxCredentialLength = 256;

const unauthorized = (message: string): RelayError => new RelayError('unauthorized', 401, message);

/** Lets the holder of the admin key through; 401 otherwise, 429 after too many failed log-ins. */
export function requireAdmin(adminKey: string): MiddlewareHandler<AppEnv> {
  const expected = digest(adminKey);
  return async (c, next) => {
    const given = c.req.header('x-admin-key');
    if (given === undefined) throw unauthorized('the X-Admin-Key header is missing');
    const compare = async () => timingSafeEqual(digest(given), expected);
    const isRight = await logIn(c, { kind: 'admin', secret: given }, compare, (same) => same);
    if (!isRight) throw unauthorized('the X-Admin-Key header is wrong');
    await next();
  };
}

/** Lets an enabled service through and remembers it; 401 for wrong credentials, 403 for a disabled account, 429 as above. */
export function requireService(services: HttpStore['services']): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const service = await serviceOf(c, services);
    services.touch(service.id);
    c.set('service', service);
    await next();
  };
}

/** The enabled service whose credentials the request carries, as of now. Throws 401, 403 or 429. */
export async function serviceOf(c: Context<AppEnv>, services: HttpStore['services']): Promise<ServiceRow> {
  const clientId = c.req.header('x-client-id');
  const clientSecret = c.req.header('x-client-secret');
  if (!clientId) throw unauthorized('the X-Client-Id header is missing');
  if (!clientSecret) throw unauthorized('the X-Client-Secret header is missing');
  const wrong = unauthorized('X-Client-Id and X-Client-Secret do not belong together');
  if (clientId.length > maxCredentialLength || clientSecret.length > maxCredentialLength) throw wrong;
  const outcome = await logIn(
    c,
    { kind: 'service', clientId, secret: clientSecret },
    () => services.authenticate(clientId, clientSecret),
    (answer) => answer.ok || answer.reason === 'disabled',
  );
  if (!outcome.ok && outcome.reason === 'disabled') {
    throw new RelayError('account_disabled', 403, 'this service account is disabled');
  }
  if (!outcome.ok) throw wrong;
  return outcome.service;
}

/** What the look-up answers. Throws 429 `too_many_failed_logins` instead of looking when the door says so. */
async function logIn<T>(
  c: Context<AppEnv>,
  claim: LoginClaim,
  lookUp: () => Promise<T>,
  isRight: (answer: T) => boolean,
): Promise<T> {
  const checked = await c.get('visitor').logIn(claim, lookUp, isRight);
  if (!checked.limited) return checked.answer;
  const { retryAfterSeconds } = checked;
  c.header('retry-after', String(retryAfterSeconds));
  const message = `too many log-ins from this address have failed; try again in ${retryAfterSeconds} s, with other credentials`;
  throw new RelayError('too_many_failed_logins', 429, message);
}
