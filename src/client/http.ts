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
      return parsed(await send(path, request), schema);
    },
    async text(path, request = {}) {
      const { text } = await send(path, { accept: '*/*', ...request });
      return text;
    },
    async list(path, schema, request = {}) {
      const items = [];
      let query = request.query;
      for (;;) {
        const answer = await send(path, { ...request, query });
        items.push(...parsed(answer, z.array(schema)));
        const next = nextPage(answer.headers.get('link'), options.baseUrl);
        if (next === undefined) return items;
        if (next === null) {
          const detail = 'the address of the next page cannot be read';
          throw new RelayApiError(answer.name, { status: answer.status, code: 'unexpected_answer', detail });
        }
        query = next;
      }
    },
  };
}

interface Answer {
  /** Of the call, for messages. */
  readonly name: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The whole answer, body included, within the time. */
async function answerOf(options: HttpOptions, path: string, request: HttpRequest): Promise<Answer> {
  const { method = 'GET', query, body, accept = 'application/json', waitSeconds = 0, signal } = request;
  const url = new URL(path.replace(/^\//u, ''), options.baseUrl);
  const name = `${method} ${url.pathname}`;
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  // A timer of our own: the signal of AbortSignal.timeout may be collected before it fires, and then never does.
  const ended = new AbortController();
  const end = () => ended.abort();
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      end();
    },
    answerWithinMs + waitSeconds * 1_000,
  );
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end, { once: true });
  let response: Response | undefined;
  let text: string;
  try {
    response = await options.fetch(url, {
      method,
      headers: {
        accept,
        ...options.headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: ended.signal,
      // A redirect would carry the secret headers to wherever it points.
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const away = response ? 'the answer broke off' : 'the relay cannot be reached';
    const detail = late ? 'no answer in time' : away;
    throw new RelayApiError(name, { status: 0, code: 'unreachable', detail }, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
  const { status, statusText, headers } = response;
  if (!response.ok) throw refusal({ name, status, headers, text }, statusText);
  return { name, status, headers, text };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parsed<T>({ name, status, text }: Answer, schema: z.ZodType<T>): T {
  const json = jsonOf(text);
  if (json === undefined) {
    throw new RelayApiError(name, { status, code: 'unexpected_answer', detail: 'expected JSON' });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const detail = z.prettifyError(result.error);
  throw new RelayApiError(name, { status, code: 'unexpected_answer', detail });
}

function refusal({ name, status, headers, text }: Answer, statusText: string): RelayApiError {
  const retryAfterMs = retryAfter(headers.get('retry-after'));
  const body = problem.safeParse(jsonOf(text));
  if (!body.success) {
    const detail = statusText || 'no problem document came with it';
    return new RelayApiError(name, { status, code: `http_${status}`, detail, retryAfterMs });
  }
  const { code, detail, errors, request_id: requestId } = body.data;
  return new RelayApiError(name, { status, code, detail, errors, requestId, retryAfterMs });
}

/** Seconds or an HTTP date, as milliseconds from now. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/**
 * The query of the next page; the address before it is not followed, so that no list leads elsewhere. Undefined after the
 * last page; null when there is one whose address is none, since a list that ends early would look whole.
 */
function nextPage(link: string | null, base: URL): Record<string, string> | undefined | null {
  const target = /<(?<url>[^>]*)>\s*;[^,]*rel="?next"?/u.exec(link ?? '')?.groups?.['url'];
  if (target === undefined) return undefined;
  return URL.canParse(target, base) ? Object.fromEntries(new URL(target, base).searchParams) : null;
}
