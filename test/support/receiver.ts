// A webhook receiver on a real socket: verifies every signature with the official library, keeps what arrived, and answers
// as it is told. Holds no expectations; the tests do.
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { relayEvent, type RelayEvent } from '../../src/protocol/event.ts';
import { until } from './until.ts';

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: RelayEvent;
  /** The `webhook-id`. */
  readonly id: string;
  readonly attempt: number;
  readonly cursor: string;
  /** Milliseconds since the epoch, by the real clock. */
  readonly at: number;
  /** Whether the signature is one of this receiver's secrets'; null when it has none. */
  readonly verified: boolean | null;
  /** What was answered: a status, or what was done instead. */
  answered: number | 'hang' | 'reset' | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A status, an answer, no answer at all, or the connection reset. */
export type Reply = number | Answer | 'hang' | 'reset';

export class Receiver implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  /** Decides each answer; `n` counts from 1. */
  reply: (request: ReceivedRequest, n: number) => Reply | Promise<Reply> = () => 204;
  /** Those that signatures are checked with; the library's own tolerance of five minutes is not applied. */
  secrets: string[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#take(request, response));
    this.#server.on('connection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await receiver.#listen(0);
    return receiver;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Distinct event ids in the order of their first arrival. */
  get ids(): string[] {
    return [...new Set(this.requests.map(({ id }) => id))];
  }

  /** Distinct ids that were answered with a 2xx, in the order of that answer. */
  get accepted(): string[] {
    const taken = this.requests.filter(
      ({ answered }) => typeof answered === 'number' && answered >= 200 && answered < 300,
    );
    return [...new Set(taken.map(({ id }) => id))];
  }

  /** Waits until so many distinct events were accepted; their ids. */
  got(count: number, timeoutMs = 15_000): Promise<string[]> {
    return until(() => (this.accepted.length >= count ? this.accepted : undefined), {
      what: `${count} accepted events (there are ${this.accepted.length})`,
      timeoutMs,
    });
  }

  /** Waits until so many requests arrived, whatever became of them. */
  asked(count: number, timeoutMs = 15_000): Promise<ReceivedRequest[]> {
    return until(() => (this.requests.length >= count ? this.requests : undefined), {
      what: `${count} requests`,
      timeoutMs,
    });
  }

  /** Requests that repeat an event under a number it had before, or as if it were new: what must never be. */
  get unmarked(): string[] {
    const numbers = new Map<string, Set<number>>();
    const wrong: string[] = [];
    for (const { id, attempt } of this.requests) {
      const before = numbers.get(id) ?? new Set();
      numbers.set(id, before);
      if (before.has(attempt) || (before.size > 0 && attempt === 1)) wrong.push(`${id} attempt ${attempt}`);
      before.add(attempt);
    }
    return wrong;
  }

  /** Stops listening and cuts every connection, as a receiver that was shut down. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens on the same port again. */
  up(): Promise<void> {
    return this.#listen(this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down();
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request).catch(() => undefined);
    if (body === undefined) return;
    const { headers } = request;
    const received: ReceivedRequest = {
      path: request.url ?? '',
      headers,
      body,
      event: relayEvent.parse(JSON.parse(body)),
      id: String(headers['webhook-id']),
      attempt: Number(headers['relay-attempt']),
      cursor: String(headers['relay-cursor']),
      at: Date.now(),
      verified:
        this.secrets.length === 0 ? null : this.secrets.some((secret) => verifies(secret, headers, body)),
      answered: undefined,
    };
    this.requests.push(received);
    const reply = await this.reply(received, this.requests.length);
    if (reply === 'hang') {
      received.answered = 'hang';
    } else if (reply === 'reset') {
      received.answered = 'reset';
      request.socket.resetAndDestroy();
    } else {
      const answer = typeof reply === 'number' ? { status: reply } : reply;
      received.answered = answer.status;
      response.writeHead(answer.status, answer.headers).end(answer.body);
    }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The moment is the relay's, whose clock a test may have moved: only the signature is judged. */
function verifies(secret: string, headers: IncomingHttpHeaders, body: string): boolean {
  const id = String(headers['webhook-id']);
  const seconds = Number(headers['webhook-timestamp']);
  if (!Number.isInteger(seconds)) return false;
  const webhook = new Webhook(secret);
  return String(headers['webhook-signature'])
    .split(' ')
    .includes(webhook.sign(id, new Date(seconds * 1_000), body));
}
