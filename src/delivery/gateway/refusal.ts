// Refusals before the upgrade: problem documents (RFC 9457) written to a bare socket, and the answer to a plain GET on
// the WebSocket's path. A refusal never repeats a secret: it names a parameter, not its value.
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FieldError } from '../../domain/errors.ts';
import { problemType } from '../../protocol/rest.ts';
import { answerHeaders } from '../../runtime/answer-headers.ts';

export const gatewayPath = '/ws/events';

export interface Refusal {
  readonly status: 400 | 403 | 404 | 410 | 414 | 426 | 429 | 431 | 503;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document. */
  readonly extra?: Readonly<Record<string, string>>;
}

function problemOf(refusal: Refusal, requestId: string): string {
  return JSON.stringify({
    type: problemType(refusal.code),
    title: STATUS_CODES[refusal.status] ?? 'Error',
    status: refusal.status,
    detail: refusal.detail,
    code: refusal.code,
    request_id: requestId,
    ...(refusal.errors ? { errors: refusal.errors } : {}),
    ...refusal.extra,
  });
}

/** Answers and ends the socket. */
export function refuse(socket: Duplex, refusal: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const body = problemOf(refusal, requestId);
  const headers = {
    ...answerHeaders,
    'x-request-id': requestId,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...refusal.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const status = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`;
  socket.once('finish', () => socket.destroy());
  socket.end([status, ...lines, '', body].join('\r\n'));
}

const notAnUpgrade: Refusal = {
  status: 426,
  code: 'upgrade_required',
  detail: `${gatewayPath} speaks WebSocket: connect with a WebSocket client, or read GET /v1/events.`,
  headers: { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' },
};

/** 426: for the HTTP application, which sees a request on the gateway's path only when it is no upgrade. */
export function upgradeRequired(requestId: string): Response {
  return new Response(problemOf(notAnUpgrade, requestId), {
    status: notAnUpgrade.status,
    headers: { ...notAnUpgrade.headers, 'content-type': 'application/problem+json' },
  });
}
