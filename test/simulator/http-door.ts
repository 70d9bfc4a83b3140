// Owns the way of a request: reading it, finding its route, recording it, answering it (or failing to, when told so).
// It must never know what a route means.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Core } from './core.ts';
import type { RequestRecord } from './types.ts';

export interface SimRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Query and body parameters together, since OAuth takes them from either; the body wins. */
  readonly params: ReadonlyMap<string, string>;
  readonly body: unknown;
  readonly bearer: string | null;
  readonly header: (name: string) => string | null;
  readonly record: RequestRecord;
  /** True once the client hung up. */
  readonly gone: () => boolean;
}

export interface SimAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Half of the body is sent, then the connection is cut. */
  readonly half?: boolean;
}

export type Handler = (request: SimRequest) => SimAnswer | Promise<SimAnswer>;

export interface Route {
  readonly method: string;
  /** Exact paths; one per layout. */
  readonly paths: readonly string[];
  readonly operation: string;
  readonly handler: Handler;
  /** Control calls are the test's own and are not part of what the relay did. */
  readonly unrecorded?: boolean;
}

export class HttpDoor {
  readonly requests: RequestRecord[] = [];
  readonly #core: Core;
  readonly #routes = new Map<string, Route>();

  constructor(core: Core, routes: readonly Route[]) {
    this.#core = core;
    for (const route of routes) {
      for (const path of route.paths) this.#routes.set(`${route.method} ${path}`, route);
    }
  }

  readonly listener = (message: IncomingMessage, response: ServerResponse): void => {
    this.#serve(message, response).catch((error: unknown) => {
      this.#core.settings.log(
        `simulator: ${error instanceof Error ? (error.stack ?? error.message) : 'failed'}`,
      );
      response.destroy();
    });
  };

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '/', 'http://simulator');
    const route = this.#routes.get(`${message.method ?? 'GET'} ${url.pathname}`);
    const chunks: Buffer[] = [];
    // A client that aborts while sending is no fault of the simulator's: what came is handled like an empty body.
    try {
      for await (const chunk of message) if (chunk instanceof Buffer) chunks.push(chunk);
    } catch {
      return;
    }
    const request = readRequest(message, response, url, Buffer.concat(chunks).toString('utf8'), route);
    if (route?.unrecorded !== true) this.requests.push(request.record);
    this.#core.activity.touch();
    const answer = route ? await route.handler(request) : { status: 404, body: notFound(url.pathname) };
    if (request.gone()) return;
    request.record.status = answer.status;
    request.record.message = messageOf(answer.body);
    write(response, answer);
    if (route?.unrecorded !== true) {
      this.#core.settings.log(`${request.method} ${request.path} -> ${answer.status}`);
    }
    this.#core.activity.touch();
  }
}

function readRequest(
  message: IncomingMessage,
  response: ServerResponse,
  url: URL,
  text: string,
  route: Route | undefined,
): SimRequest {
  const header = (name: string): string | null => {
    const value = message.headers[name];
    return typeof value === 'string' ? value : null;
  };
  const { body, fields } = parseBody(header('content-type') ?? '', text);
  const record: RequestRecord = {
    method: message.method ?? 'GET',
    path: url.pathname,
    operation: route?.operation ?? 'unknown',
    query: Object.fromEntries(
      [...new Set(url.searchParams.keys())].map((key) => [key, queryValue(url, key)]),
    ),
    body,
    at: Date.now(),
    userId: null,
    status: 0,
    message: null,
  };
  return {
    method: record.method,
    path: record.path,
    query: url.searchParams,
    params: new Map([...url.searchParams, ...fields]),
    body,
    bearer: /^(?:bearer|oauth) (?<token>\S+)$/iu.exec(header('authorization') ?? '')?.groups?.token ?? null,
    header,
    record,
    gone: () => response.destroyed || response.writableEnded,
  };
}

function queryValue(url: URL, key: string): string | string[] {
  const values = url.searchParams.getAll(key);
  return values.length === 1 ? (values[0] ?? '') : values;
}

function parseBody(contentType: string, text: string): { body: unknown; fields: [string, string][] } {
  if (text === '') return { body: null, fields: [] };
  if (contentType.includes('application/x-www-form-urlencoded')) {
    const fields = [...new URLSearchParams(text)];
    return { body: Object.fromEntries(fields), fields };
  }
  try {
    const body: unknown = JSON.parse(text);
    const fields =
      typeof body === 'object' && body !== null
        ? Object.entries(body).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
        : [];
    return { body, fields };
  } catch {
    return { body: text, fields: [] };
  }
}

function notFound(path: string): object {
  return { error: 'Not Found', status: 404, message: `no route ${path}` };
}

function messageOf(body: unknown): string | null {
  const hasMessage = typeof body === 'object' && body !== null && 'message' in body;
  return hasMessage && typeof body.message === 'string' ? body.message : null;
}

function write(response: ServerResponse, answer: SimAnswer): void {
  const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
  const type = answer.body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  response.writeHead(answer.status, {
    ...type,
    'content-length': String(Buffer.byteLength(text)),
    ...answer.headers,
  });
  if (answer.half !== true) {
    response.end(text);
    return;
  }
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
}
