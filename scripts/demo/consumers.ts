// The demo's two consumers: one through the SDK, one with nothing but a WebSocket. What they report is what came out of
// their sockets; each can have its connection cut, to be seen coming back.
import { WebSocket } from 'ws';
import type { RelayClient, RelayEvent } from '../../src/client/index.ts';
import { createRelayClient } from '../../src/client/index.ts';

export interface ConsumerListener {
  /** `attempt` is 1 where the protocol knows none. */
  event(event: RelayEvent, attempt: number): void;
  connected(detail: string): void;
  disconnected(detail: string): void;
  /** It ended and will not come back: a fault. */
  failed(error: unknown): void;
}

export interface DemoConsumer {
  /** Pulls the cable, as a network would. */
  cut(): void;
  /** Resolves when its socket is closed. */
  stop(): Promise<void>;
}

export interface ConsumerLogin {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Ten lines of a service's code, and the reporting around them. */
export function startSdkConsumer(login: ConsumerLogin, listener: ConsumerListener): DemoConsumer {
  const stopping = new AbortController();
  let socket: WebSocket | undefined;
  const keep = (opened: WebSocket) => {
    socket = opened;
  };
  class CuttableSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      keep(this);
    }
  }
  const relay: RelayClient = createRelayClient(login, { webSocket: CuttableSocket });
  const loop = async () => {
    const deliveries = relay.deliveries({
      consumer: 'demo',
      signal: stopping.signal,
      onHello: ({ resumed }) =>
        listener.connected(resumed ? 'resumed where it had left off' : 'new consumer'),
      onReconnect: ({ code, inMs }) => listener.disconnected(`closed with ${code}, comes back in ${inMs} ms`),
    });
    for await (const { event, attempt } of deliveries) listener.event(event, attempt);
  };
  const running = loop().catch((error: unknown) => listener.failed(error));
  return {
    cut: () => socket?.terminate(),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

const plainRetryMs = 300;

/** The consumer without an SDK: each frame is an event, and the last cursor is all there is to remember. */
export class PlainConsumer implements DemoConsumer {
  readonly #login: ConsumerLogin;
  readonly #listener: ConsumerListener;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #socket: WebSocket | undefined;
  #cursor: string;

  /** Starts after the cursor. */
  constructor(login: ConsumerLogin, after: string, listener: ConsumerListener) {
    this.#login = login;
    this.#listener = listener;
    this.#cursor = after;
    this.#running = this.#run();
  }

  cut(): void {
    this.#socket?.terminate();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.close(1000);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const code = await this.#connection();
      if (signal.aborted) return;
      this.#listener.disconnected(`closed with ${code}, comes back in ${plainRetryMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, plainRetryMs));
    }
  }

  /** Resolves with the close code. */
  #connection(): Promise<number> {
    const url = new URL('/ws/events', this.#login.url.replace(/^http/u, 'ws'));
    url.searchParams.set('after', this.#cursor);
    const { clientId, clientSecret } = this.#login;
    const socket = new WebSocket(url, {
      headers: { 'X-Client-Id': clientId, 'X-Client-Secret': clientSecret },
    });
    this.#socket = socket;
    socket.on('open', () => this.#listener.connected('after the last cursor it has seen'));
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString('utf8')) as RelayEvent;
      this.#cursor = event.cursor;
      this.#listener.event(event, 1);
    });
    socket.on('error', () => undefined);
    return new Promise((resolve) => {
      socket.on('close', (code) => resolve(code));
    });
  }
}
