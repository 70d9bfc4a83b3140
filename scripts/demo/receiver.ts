// The demo's webhook receiver: a small HTTP server that trusts nothing but a signature, and is down for a while when it
// is told to. It reports what it answered; it never knows what it should have got.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook } from '../../src/client/index.ts';
import type { RelayEvent } from '../../src/client/index.ts';
import { relayEvent } from '../../src/protocol/index.ts';

export interface ReceiverListener {
  /** Answered with a 2xx: from now on the event is the receiver's. */
  accepted(event: RelayEvent, attempt: number): void;
  /** Answered with that status while it was down. */
  refused(event: RelayEvent, attempt: number, status: number): void;
  down(status: number): void;
  back(): void;
  /** Not a request of the relay's, or not a sound one: a fault. */
  failed(error: unknown): void;
}

const statuses = { accepted: 204, down: 503, untrusted: 401 } as const;
/** Five failures in a row would open the relay's circuit for 30 s, and nobody wants to watch that. */
const maxRefusals = 3;

interface Outage {
  /** Its time is up. */
  over: boolean;
  readonly timer: NodeJS.Timeout;
  refused: number;
}

export class DemoReceiver {
  /** Requests that arrived, whatever they were answered with. */
  requests = 0;
  readonly #server: Server;
  readonly #listener: ReceiverListener;
  readonly #secret: Promise<string>;
  /** Tells it the secret that requests are signed with. Those that came before have waited for it. */
  readonly trust: (secret: string) => void;
  #outage: Outage | undefined;
  #stopped = false;

  private constructor(listener: ReceiverListener) {
    this.#listener = listener;
    let trust: (secret: string) => void = () => undefined;
    this.#secret = new Promise((resolve) => {
      trust = resolve;
    });
    this.trust = trust;
    this.#server = createServer((request, response) => {
      this.#take(request, response).catch((error: unknown) => {
        // A request that the stop has cut off is nobody's fault.
        if (!this.#stopped) listener.failed(error);
        if (!response.headersSent) response.writeHead(statuses.untrusted);
        response.end();
      });
    });
  }

  /** Listens on a free port of this machine when it resolves. */
  static async start(listener: ReceiverListener): Promise<DemoReceiver> {
    const receiver = new DemoReceiver(listener);
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once('error', reject);
      receiver.#server.listen(0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`;
  }

  /** Refuses what comes for so long: at least one request, never so many that the relay would stop asking. */
  goDown(forMs: number): void {
    if (this.#outage) return;
    const timer = setTimeout(() => {
      outage.over = true;
      this.#lookUp();
    }, forMs);
    const outage: Outage = { over: false, timer, refused: 0 };
    this.#outage = outage;
    this.#listener.down(statuses.down);
  }

  /** Resolves when no socket is open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#outage?.timer);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const body = await textOf(request);
    const secret = await this.#secret;
    const { attempt } = await verifyWebhook({ secret, headers: request.headers, body });
    const event = relayEvent.parse(JSON.parse(body));
    const status = this.#outage ? statuses.down : statuses.accepted;
    response.writeHead(status).end();
    if (status === statuses.accepted) {
      this.#listener.accepted(event, attempt ?? 1);
    } else {
      this.#listener.refused(event, attempt ?? 1, status);
      if (this.#outage) this.#outage.refused += 1;
      this.#lookUp();
    }
  }

  /** Whether the outage is over. */
  #lookUp(): void {
    const outage = this.#outage;
    if (!outage || outage.refused === 0) return;
    if (!outage.over && outage.refused < maxRefusals) return;
    clearTimeout(outage.timer);
    this.#outage = undefined;
    this.#listener.back();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
