// Problem documents for what never becomes a request of the application: written to the bare socket, which they end.
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { RelayError } from '../domain/errors.ts';
import { answerHeaders } from '../runtime/answer-headers.ts';
import type { Clock } from '../runtime/clock.ts';
import { problemOf } from './problem.ts';

/** Whatever node's parser stumbled over. Its own words are not repeated: they may quote what was sent. */
const refusals: Readonly<Record<string, RelayError>> = {
  HPE_HEADER_OVERFLOW: new RelayError(
    'headers_too_large',
    431,
    'the request line and the headers are too large',
  ),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new RelayError(
    'body_too_large',
    413,
    "the chunks' extensions are too large",
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new RelayError('request_timeout', 408, 'the request did not arrive in time'),
};
const malformed = new RelayError('malformed_request', 400, 'this is no HTTP request');

export const parserRefusal = (code: unknown): RelayError =>
  (typeof code === 'string' ? refusals[code] : undefined) ?? malformed;

/** Head and body of the answer. */
export function rawProblem(error: RelayError): { headers: Record<string, string>; body: string } {
  const requestId = randomUUID();
  const body = JSON.stringify(problemOf(error, requestId));
  const headers = {
    ...answerHeaders,
    'x-request-id': requestId,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
  };
  return { headers, body };
}

/**
 * How long what a refused client is still sending is read and thrown away. A socket that is closed over unread bytes is
 * reset, and the answer with it.
 */
const lingerMs = 500;

/** Answers and ends the socket; without a body if it was HEAD that was asked. */
export function endWithProblem(
  socket: Duplex,
  error: RelayError,
  { clock, isHead = false }: { clock: Clock; isHead?: boolean },
): void {
  // What comes while it lingers is an error to the parser once more.
  if (socket.writableEnded) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { headers, body } = rawProblem(error);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const status = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`;
  socket.once(
    'close',
    clock.after(lingerMs, () => socket.destroy()),
  );
  socket.end([status, ...lines, '', isHead ? '' : body].join('\r\n'));
  socket.resume();
}
