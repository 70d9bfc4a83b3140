// A relay that does exactly what a test tells it to, on real sockets: the token call over HTTP, and frames by hand. It
// holds no log and has no opinion.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { createRelayClient } from '../../src/client/index.ts';
import type { ClientClock, ClientOptions, RelayClient } from '../../src/client/index.ts';
import { until } from '../support/until.ts';

export const secret = 'the-secret-that-must-not-show';

/** One accepted connection as the script sees it. */
export class Visit {
  readonly ws: WebSocket;
  readonly query: URLSearchParams;
  readonly protocols: string;
  readonly acks: string[] = [];
  readonly closed: Promise<number>;

  constructor(ws: WebSocket, request: IncomingMessage) {
    this.ws = ws;
    this.query = new URL(request.url ?? '/', 'http://relay.invalid').searchParams;
    this.protocols = request.headers['sec-websocket-protocol'] ?? '';
    this.closed = new Promise((resolve) => {
      ws.on('close', (code) => resolve(code));
    });
    ws.on('message', (data) => {
      const frame = JSON.parse((data as Buffer).toString('utf8')) as { type: string; cursor: string };
      if (frame.type === 'ack') this.acks.push(frame.cursor);
    });
  }

  send(frame: object): this {
    this.ws.send(JSON.stringify(frame));
    return this;
  }

  hello(members: object = {}): this {
    return this.send({
      type: 'hello',
      protocol: 'relay.v1',
      session_id: 's',
      consumer: 'default',
      position: 'c0',
      head: 'c9',
      floor: 'c0',
      resumed: true,
      heartbeat_ms: 25_000,
      max_in_flight: 256,
      ...members,
    });
  }

  event(number: number, attempt = 1, more: object = {}): this {
    return this.send({ type: 'event', cursor: `c${number}`, attempt, event: eventOf(number), ...more });
  }
}

export const eventOf = (number: number) => ({
  id: `e${number}`,
  cursor: `c${number}`,
  provider: 'twitch',
  type: 'channel.follow',
  version: '2',
  event_timestamp: '2026-11-21T03:00:00.000000001Z',
  received_at: '2026-11-21T03:00:00.000Z',
  bot_account_id: null,
  topic_id: null,
  subscription: { id: 's1' },
  event: { number },
});

interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

export class ScriptedRelay implements AsyncDisposable {
  readonly visits: Visit[] = [];
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[] =
    [];
  /** Answers calls other than the token's; undefined: 404. */
  answer: (path: string) => Answer | undefined = () => undefined;
  /** What the token call answers instead of a token. */
  tokenRefusals: Answer[] = [];
  /** Refuse this many handshakes before the upgrade. */
  refuseUpgrades = 0;
  readonly #server: Server;
  readonly #wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'relay.v1' });
  #tokens = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('request', (req, res) => void this.#serve(req, res));
    server.on('upgrade', (req, socket, head) => {
      if (this.refuseUpgrades > 0) {
        this.refuseUpgrades -= 1;
        socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
        return;
      }
      this.#wss.handleUpgrade(req, socket, head, (ws) => this.visits.push(new Visit(ws, req)));
    });
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  client(options: ClientOptions = {}): RelayClient {
    const login = { url: this.url, clientId: 'svc', clientSecret: secret };
    return createRelayClient(login, { random: () => 0, ...options });
  }

  /** The n-th connection, from 0, once it is there. */
  visit(number: number): Promise<Visit> {
    return until(() => this.visits[number], { what: `connection ${number}` });
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of req) body += String(chunk);
    const path = req.url ?? '/';
    this.requests.push({ method: req.method ?? '', path, headers: req.headers, body });
    const isToken = path === '/v1/ws-token';
    const token = (): Answer => ({
      status: 200,
      body: { ws_token: `t${++this.#tokens}`, expires_in_seconds: 120 },
    });
    const answer: Answer | undefined = isToken ? (this.tokenRefusals.shift() ?? token()) : this.answer(path);
    res.writeHead(answer?.status ?? 404, { 'content-type': 'application/json', ...answer?.headers });
    res.end(JSON.stringify(answer?.body ?? { not: 'a problem' }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { ws } of this.visits) ws.terminate();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

export async function scriptedRelay(): Promise<ScriptedRelay> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new ScriptedRelay(server);
}

export const problemOf = (status: number, code: string, detail: string, more: object = {}) => ({
  status,
  body: { type: 'about:blank', title: code, status, detail, code, request_id: 'r-1', ...more },
});

/** A clock whose timers wait for nothing but `advance`; it counts the ones that are left. */
export class ManualClock implements ClientClock {
  #now = 1_000_000;
  readonly #timers = new Set<{ at: number; fn: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, fn: () => void): () => void {
    const timer = { at: this.#now + delayMs, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    const target = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= target).toSorted((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = target;
  }
}
