// One call to the Helix API, by Node's own HTTP client: a bot's first minute is a call per topic, and `fetch`, with a
// stream, a signal and headers as objects for each, takes four times as long for them in a process that has just begun.
import http from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http';
import https from 'node:https';

export interface HelixRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below /helix/, without a slash in front. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly json?: unknown;
}

export interface HelixResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface HelixCall {
  /** Rejects when there is no whole answer: the network, the abort, an answer beyond `maxAnswerBytes`. */
  readonly answer: Promise<HelixResponse>;
  /** Ends the call; does nothing to one that is answered. */
  readonly abort: () => void;
}

/** A page of a hundred subscriptions is some fifty kilobytes. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** An idle connection is not used again after this: the other side may be about to close it. */
const idleMs = 4_000;

export interface HelixClientOptions {
  readonly clientId: string;
  /** Of a stand-in for Twitch on this machine, laid out as @twurple expects it. */
  readonly mockApiPort: number | undefined;
}

/** Holds the connections between calls; idle ones keep no process alive. */
export class HelixClient {
  readonly #options: HelixClientOptions;
  readonly #agent: http.Agent;

  constructor(options: HelixClientOptions) {
    this.#options = options;
    const { Agent } = options.mockApiPort === undefined ? https : http;
    this.#agent = new Agent({ keepAlive: true, timeout: idleMs });
  }

  call(token: string, { method, path, query, json }: HelixRequest): HelixCall {
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const headers = {
      accept: 'application/json',
      'user-agent': 'eventsub-relay',
      'client-id': this.#options.clientId,
      authorization: `Bearer ${token}`,
      ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
    };
    let request: ClientRequest | undefined;
    const answer = new Promise<HelixResponse>((resolve, reject) => {
      request = this.#open(path + queryText(query), { method, headers, agent: this.#agent });
      request.on('error', reject);
      // Always emitted, also when something else than an answer came; behind an answer it changes nothing.
      request.on('close', () => reject(new Error('closed without an answer')));
      request.on('response', (response) => readAnswer(response, resolve, reject));
      request.end(body);
    });
    return { answer, abort: () => request?.destroy(new Error('aborted')) };
  }

  #open(path: string, options: RequestOptions): ClientRequest {
    const { mockApiPort } = this.#options;
    if (mockApiPort === undefined) return https.request(`https://api.twitch.tv/helix/${path}`, options);
    const base = path.startsWith('eventsub/') ? '' : 'mock/';
    return http.request(`http://localhost:${mockApiPort}/${base}${path}`, options);
  }
}

function readAnswer(
  response: IncomingMessage,
  resolve: (answer: HelixResponse) => void,
  reject: (error: Error) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) response.destroy(new Error('the answer is too large'));
    else chunks.push(chunk);
  });
  response.on('error', reject);
  response.on('end', () =>
    resolve({
      status: response.statusCode ?? 0,
      headers: response.headers,
      text: Buffer.concat(chunks).toString('utf8'),
    }),
  );
}

function queryText(query: HelixRequest['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
