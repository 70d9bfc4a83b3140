// What stands before every route: the judgement of who comes in, and the headers that every answer leaves with. Reads no
// body and no credential.
import type { MiddlewareHandler } from 'hono';
import { RelayError } from '../domain/errors.ts';
import type { Door } from '../domain/visitor.ts';
import { answerHeaders } from '../runtime/answer-headers.ts';
import type { AppEnv } from './env.ts';

/** Sets `visitor`, or throws what the door refuses with: 403, 414 or 431. */
export function atTheDoor(door: Door): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { peer, targetLength = 0, headerCount = 0 } = c.env ?? {};
    const forwardedFor = c.req.header('x-forwarded-for');
    const { method, path } = c.req;
    const entry = door.enter({ peer, forwardedFor, method, path, targetLength, headerCount });
    if (!entry.ok) throw new RelayError(entry.code, entry.status, entry.message);
    c.set('visitor', entry.visitor);
    await next();
  };
}

/** Puts on every answer what it does not say otherwise; refusals and faults included, whoever made them. */
export const withAnswerHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  if (!headers.has('x-request-id')) c.header('x-request-id', c.get('requestId'));
  for (const [name, value] of Object.entries(answerHeaders)) if (!headers.has(name)) c.header(name, value);
};
