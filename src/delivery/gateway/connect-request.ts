// A handshake's request line and headers, parsed at the edge: what is asked for, or why it is refused. Pure.
import type { IncomingMessage } from 'node:http';
import type { ZodError } from 'zod';
import type { Cursor } from '../../domain/cursor.ts';
import { decodeCursor } from '../../domain/cursor.ts';
import { bearerProtocolPrefix, connectQuery, subprotocol } from '../../protocol/frames.ts';
import type { ConnectQuery } from '../../protocol/frames.ts';
import { credentialsOf } from './login.ts';
import type { Given } from './login.ts';
import type { ConnectionKind } from './ports.ts';
import { gatewayPath } from './refusal.ts';
import type { Refusal } from './refusal.ts';

export interface ConnectRequest {
  readonly kind: ConnectionKind;
  readonly given: Given;
  readonly query: Omit<ConnectQuery, 'after' | 'types'> & { readonly types: readonly string[] | null };
  readonly after: Cursor | undefined;
  readonly origin: string | undefined;
}

type Parsed =
  { readonly ok: true; readonly request: ConnectRequest } | { readonly ok: false; readonly refusal: Refusal };

const refused = (refusal: Refusal): Parsed => ({ ok: false, refusal });
const badRequest = (code: string, detail: string): Parsed => refused({ status: 400, code, detail });

/** RFC 6455 §4.1: sixteen bytes in base64. */
const keyShape = /^[+/0-9A-Za-z]{22}==$/;
/** RFC 7230: a subprotocol is a token. */
const tokenShape = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const plainParameters = ['after', 'types'];

export function parseConnect(req: IncomingMessage): Parsed {
  const url = parseUrl(req.url ?? '');
  if (!url) return badRequest('bad_request', 'The request target is not a valid path.');
  if (url.pathname !== gatewayPath) {
    return refused({ status: 404, code: 'not_found', detail: `No WebSocket here; it is at ${gatewayPath}.` });
  }
  const handshake = checkHandshake(req);
  if (handshake) return refused(handshake);
  const protocols = offeredProtocols(req);
  const kind = protocols && kindOf(protocols);
  if (!protocols || !kind) {
    const detail = `Sec-WebSocket-Protocol: expected none, ${subprotocol}, or ${bearerProtocolPrefix}<ws_token> with or without it.`;
    return badRequest('unsupported_subprotocol', detail);
  }
  return parseQuery(req, kind, url.searchParams, credentialsOf(req, url.searchParams, protocols));
}

/**
 * The protocol that the server selects. A browser that offered any fails the connection when none is selected, so a
 * plain one with nothing but a bearer protocol gets that one back: its token is used up by then.
 */
export const selectProtocol = (offered: ReadonlySet<string>): string | false =>
  offered.has(subprotocol) ? subprotocol : ([...offered][0] ?? false);

function parseQuery(
  req: IncomingMessage,
  kind: ConnectionKind,
  params: URLSearchParams,
  given: Given,
): Parsed {
  const names = kind === 'plain' ? plainParameters : Object.keys(connectQuery.shape);
  const parsed = connectQuery.safeParse(pick(params, names));
  if (!parsed.success) return invalidQuery(parsed.error);
  const { after: text, types, ...rest } = parsed.data;
  // Named and empty is not named: else such a consumer would get nothing but the relay's own events, without a word.
  const query = { ...rest, types: types && types.length > 0 ? types : null };
  const after = text ? decodeCursor(text) : undefined;
  if (text && !after) {
    const message = 'expected a cursor as the relay gave it out';
    return refused({
      status: 400,
      code: 'invalid_query',
      detail: `after: ${message}.`,
      errors: [{ path: 'after', message }],
    });
  }
  return { ok: true, request: { kind, given, query, after, origin: req.headers.origin } };
}

/** Only what is named, so that a secret in the query cannot get into an answer. */
function pick(params: URLSearchParams, names: readonly string[]): Record<string, string> {
  return Object.fromEntries([...params].filter(([name]) => names.includes(name)));
}

function invalidQuery(error: ZodError): Parsed {
  const errors = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const detail = errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  return refused({ status: 400, code: 'invalid_query', detail, errors });
}

function parseUrl(target: string): URL | undefined {
  try {
    return new URL(target, 'http://relay.invalid');
  } catch {
    return undefined;
  }
}

function checkHandshake(req: IncomingMessage): Refusal | undefined {
  if (req.method !== 'GET') {
    return { status: 400, code: 'bad_handshake', detail: 'A WebSocket handshake is a GET request.' };
  }
  if (!keyShape.test(req.headers['sec-websocket-key'] ?? '')) {
    return { status: 400, code: 'bad_handshake', detail: 'Sec-WebSocket-Key: expected 16 bytes in base64.' };
  }
  if (req.headers['sec-websocket-version'] === '13') return undefined;
  return {
    status: 426,
    code: 'upgrade_required',
    detail: 'Sec-WebSocket-Version: expected 13.',
    headers: { upgrade: 'websocket', 'sec-websocket-version': '13' },
  };
}

/** Undefined if the header is no list of distinct tokens. */
function offeredProtocols(req: IncomingMessage): string[] | undefined {
  const header = req.headers['sec-websocket-protocol'];
  if (header === undefined) return [];
  const list = header.split(',').map((item) => item.trim());
  const sound = list.every((item) => tokenShape.test(item)) && new Set(list).size === list.length;
  return sound ? list : undefined;
}

/** Undefined when only protocols were offered that are none of ours. */
function kindOf(protocols: readonly string[]): ConnectionKind | undefined {
  if (protocols.includes(subprotocol)) return 'relay.v1';
  return protocols.every((protocol) => protocol.startsWith(bearerProtocolPrefix)) ? 'plain' : undefined;
}
