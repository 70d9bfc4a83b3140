// One call over HTTP: JSON out, a parsed answer or a RelayApiError in. It must never put a header or a body into an error.
import { z } from 'zod';
import { problem } from '../protocol/index.ts';
import { RelayApiError } from './errors.ts';

/** Beyond what the call itself asks the relay to wait. Milliseconds. */
const answerWithinMs = 20_000;

export interface HttpOptions {
  readonly baseUrl: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: unknown;
  /** Default: JSON. */
  readonly accept?: string;
  /** How long the relay was asked to hold the answer back. Seconds. */
  readonly waitSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Http {
  call<T>(path: string, schema: z.ZodType<T>, request?: HttpRequest): Promise<T>;
  /** An answer that is no JSON, as it came. */
  text(path: string, request?: HttpRequest): Promise<string>;
  /** Every page of a list, following `Link: rel="next"`. */
  list<T>(path: string, schema: z.ZodType<T>, request?: HttpRequest): Promise<T[]>;
}

/** The base of the API; throws for text that is no http(s) URL. A path prefix is kept. */
export function baseUrlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/u.test(url.protocol)) {
    throw new TypeError('url: expected the http:// or https:// URL of the relay');
  }
  if (url.username || url.password) throw new TypeError('url: credentials do not belong into the URL');
  url.search = '';
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

export function createHttp(options: HttpOptions): Http {
  const send = (path: string, request: HttpRequest) => answerOf(options, path, request);
  return {
    async call(path, schema, request = {}) {
      const { name, response } = await send(path, request);
      return parsed(name, schema, await jsonOf(name, response), response.status);
    },
    async text(path, request = {}) {
      const { name, response } = await send(path, { accept: '*/*', ...request });
      return response.text().catch((cause: unknown) => {
        const answer = { status: 0, code: 'unreachable', detail: 'the answer broke off' };
        throw new RelayApiError(name, answer, { cause });
      });
    },
    async list(path, schema, request = {}) {
      const items = [];
      let query = request.query;
      for (;;) {
        const { name, response } = await send(path, { ...request, query });
        items.push(...parsed(name, z.array(schema), await jsonOf(name, response), response.status));
        const next = nextQuery(response.headers.get('link'), options.baseUrl);
        if (!next) return items;
        query = next;
      }
    },
  };
}

async function answerOf(options: HttpOptions, path: string, request: HttpRequest) {
  const { method = 'GET', query, body, accept = 'application/json', waitSeconds = 0, signal } = request;
  const url = new URL(path.replace(/^\//u, ''), options.baseUrl);
  const name = `${method} ${url.pathname}`;
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  const deadline = AbortSignal.timeout(answerWithinMs + waitSeconds * 1_000);
  let response: Response;
  try {
    response = await options.fetch(url, {
      method,
      headers: {
        accept,
        ...options.headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      // A redirect would carry the secret headers to wherever it points.
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const detail = deadline.aborted ? 'no answer in time' : 'the relay cannot be reached';
    throw new RelayApiError(name, { status: 0, code: 'unreachable', detail }, { cause });
  }
  if (!response.ok) throw await refusal(name, response);
  return { name, response };
}

async function jsonOf(call: string, response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    const detail = 'expected JSON';
    throw new RelayApiError(call, { status: response.status, code: 'unexpected_answer', detail }, { cause });
  }
}

function parsed<T>(call: string, schema: z.ZodType<T>, answer: unknown, status: number): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const detail = z.prettifyError(result.error);
  throw new RelayApiError(call, { status, code: 'unexpected_answer', detail });
}

async function refusal(call: string, response: Response): Promise<RelayApiError> {
  const { status, statusText, headers } = response;
  const retryAfterMs = retryAfter(headers.get('retry-after'));
  const body = problem.safeParse(await response.json().catch(() => undefined));
  if (!body.success) {
    const detail = statusText || 'no problem document came with it';
    return new RelayApiError(call, { status, code: `http_${status}`, detail, retryAfterMs });
  }
  const { code, detail, errors, request_id: requestId } = body.data;
  return new RelayApiError(call, { status, code, detail, errors, requestId, retryAfterMs });
}

/** Seconds or an HTTP date, as milliseconds from now. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** The query of the next page; the address before it is not followed, so that no list leads elsewhere. */
function nextQuery(link: string | null, base: URL): Record<string, string> | undefined {
  const target = /<(?<url>[^>]*)>\s*;[^,]*rel="?next"?/u.exec(link ?? '')?.groups?.['url'];
  return target === undefined ? undefined : Object.fromEntries(new URL(target, base).searchParams);
}
