// The one place that turns errors into HTTP answers: RFC 9457 problem documents. Never shows what an unexpected error
// says, and never a value of a field that may hold a secret.
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { STATUS_CODES } from 'node:http';
import { RelayError } from '../domain/errors.ts';
import { problemType, type Problem } from '../protocol/rest.ts';
import { isDatabaseAway } from './database-away.ts';
import type { AppEnv } from './env.ts';
import type { HttpLog } from './port.ts';

/** How long a client should leave us alone while the database is away. */
const retryAfterSeconds = 2;

/** What any error means to a caller. Unknown ones become `internal_error` without a word of theirs. */
export function asRelayError(error: unknown): RelayError {
  if (error instanceof RelayError) return error;
  if (isDatabaseAway(error)) {
    const message = 'the database does not answer; nothing was lost, try again shortly';
    return new RelayError('database_unavailable', 503, message, { cause: error });
  }
  if (error instanceof HTTPException) {
    return new RelayError('http_error', error.status, STATUS_CODES[error.status] ?? 'error', {
      cause: error,
    });
  }
  const message = 'an internal error; the log has it under this request_id';
  return new RelayError('internal_error', 500, message, { cause: error });
}

/** The document for the caller. */
export function problemOf(error: RelayError, requestId: string): Problem {
  return {
    ...error.extra,
    type: problemType(error.code),
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors.length > 0 ? { errors: error.errors.map((one) => ({ ...one })) } : {}),
  };
}

/** Answers and, for faults of ours, logs with the request's id. */
export function respondWith(thrown: unknown, c: Context<AppEnv>, log: HttpLog): Response {
  const error = asRelayError(thrown);
  const requestId = c.get('requestId');
  if (error.status >= 500) {
    const fields = { request_id: requestId, method: c.req.method, path: c.req.path, err: thrown };
    if (error.code === 'internal_error') log.error(fields, 'request failed');
    else log.warn({ ...fields, err: undefined, code: error.code }, 'request refused');
  }
  c.header('content-type', 'application/problem+json');
  c.header('cache-control', 'no-store');
  if (error.status === 503) c.header('retry-after', String(retryAfterSeconds));
  if (error.status === 401) c.header('www-authenticate', 'Relay realm="eventsub-relay"');
  return c.body(JSON.stringify(problemOf(error, requestId)), error.status as ContentfulStatusCode);
}
