// The most that is read of a body. A length that is told is judged without touching the body: what nobody reads must stay
// unread, or the connection is not good for another request.
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { RelayError } from '../domain/errors.ts';
import type { AppEnv } from './env.ts';
import { refuseBrokenBody } from './parse.ts';

/** The largest sensible request is a few KiB. */
const maxBodyBytes = 64 * 1024;

function tooLarge(): never {
  throw new RelayError('body_too_large', 413, `the body is larger than ${maxBodyBytes} bytes`);
}

/** Chunks are counted as they come. */
const countChunks = bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge });

/** Throws 413 `body_too_large`, 400 `incomplete_body`. */
export const limitBody: MiddlewareHandler<AppEnv> = (c, next) => {
  if (c.req.header('transfer-encoding') !== undefined) return countChunks(c, next).catch(refuseBrokenBody);
  if (Number(c.req.header('content-length') ?? 0) > maxBodyBytes) tooLarge();
  return next();
};
