// Connections beside the fifty that are judged: a crowd that comes and is cut at once, and sockets that misbehave. A service
// of their own pays for them.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { until } from '../support/until.ts';
import type { Service } from './api.ts';
import type { BadConsumer, Crowd, Topic } from './contract.ts';
import { interestBody, type Ground } from './population.ts';

type Badness = Parameters<Crowd['bad']>[0];

const openWithinMs = 15_000;

export class LoadCrowd implements Crowd, AsyncDisposable {
  readonly #deps: { ground: Ground; topics: readonly Topic[]; addService: () => Promise<Service> };
  readonly #sockets = new Set<WebSocket>();
  readonly #bad = new Set<BadConsumer>();
  #service: Promise<Service> | undefined;
  #made = 0;

  constructor(deps: { ground: Ground; topics: readonly Topic[]; addService: () => Promise<Service> }) {
    this.#deps = deps;
  }

  async open(count: number): Promise<void> {
    const service = await this.#joined();
    await Promise.all(Array.from({ length: count }, () => this.#enter(service)));
  }

  cut(): number {
    const count = this.#sockets.size;
    for (const socket of this.#sockets) socket.terminate();
    this.#sockets.clear();
    return count;
  }

  async bad(how: Badness): Promise<BadConsumer> {
    const service = await this.#joined();
    const made = new Misbehaving(socketOptions(this.#deps.ground, service, `bad${++this.#made}`), how);
    this.#bad.add(made);
    await made.started;
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await Promise.all([...this.#bad].map((each) => each.stop()));
  }

  #joined(): Promise<Service> {
    this.#service ??= this.#join();
    return this.#service;
  }

  async #join(): Promise<Service> {
    const { ground, topics, addService } = this.#deps;
    const service = await addService();
    for (const topic of topics) await ground.api.as(service, 'POST', '/v1/interests', interestBody(topic));
    return service;
  }

  async #enter(service: Service): Promise<void> {
    const { url, headers } = socketOptions(this.#deps.ground, service, `crowd${++this.#made}`);
    const socket = new WebSocket(url, ['relay.v1'], { headers, perMessageDeflate: false });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    // Acknowledges in its own time; what it read is of no account.
    socket.on('message', (data) => {
      const cursor = /^\{"type":"event","cursor":"([^"]+)"/.exec(
        (data as Buffer).toString('latin1', 0, 120),
      )?.[1];
      if (cursor !== undefined) socket.send(JSON.stringify({ type: 'ack', cursor }));
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('close', (code) => reject(new Error(`one of the crowd was closed with ${code}`)));
    });
  }
}

interface SocketOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

function socketOptions({ url }: Ground, service: Service, consumer: string): SocketOptions {
  const target = new URL('/ws/events', url.replace(/^http/, 'ws'));
  target.searchParams.set('consumer', consumer);
  target.searchParams.set('max_in_flight', '4096');
  return {
    url: target,
    headers: { 'X-Client-Id': service.clientId, 'X-Client-Secret': service.clientSecret },
  };
}

/** So many bytes at a time, so often. */
const sip = { bytes: 512, everyMs: 100 };

class Misbehaving implements BadConsumer {
  readonly closes: number[] = [];
  readonly started: Promise<void>;
  count = 0;
  readonly #options: SocketOptions;
  readonly #how: Badness;
  #socket: WebSocket | undefined;
  #raw: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SocketOptions, how: Badness) {
    this.#options = options;
    this.#how = how;
    this.started = this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const socket = this.#socket;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.terminate();
    await closed;
  }

  async #begin(): Promise<void> {
    this.#connect();
    await until(() => this.#socket?.readyState === WebSocket.OPEN || this.count > 0, {
      what: `a socket that ${this.#how}`,
      timeoutMs: openWithinMs,
    });
  }

  #connect(): void {
    const { url, headers } = this.#options;
    const socket = new WebSocket(url, ['relay.v1'], {
      headers: { ...headers },
      perMessageDeflate: false,
      createConnection: () => (this.#raw = connect(Number(url.port), '127.0.0.1')),
    });
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.closes.push(code);
      clearInterval(this.#timer);
      if (!this.#stopped) setTimeout(() => !this.#stopped && this.#connect(), 20);
    });
    socket.on('open', () => this.#misbehave(socket));
  }

  #misbehave(socket: WebSocket): void {
    switch (this.#how) {
      case 'stops_reading':
        this.count += 1;
        this.#raw?.pause();
        return;
      case 'reads_slowly':
        this.#raw?.pause();
        this.#timer = setInterval(() => {
          this.count += 1;
          this.#raw?.read(sip.bytes);
          this.#raw?.resume();
          setImmediate(() => this.#raw?.pause());
        }, sip.everyMs);
        return;
      case 'never_acks':
        socket.on('message', () => void (this.count += 1));
        return;
      case 'acks_garbage':
        socket.on('message', (data) => {
          this.count += 1;
          socket.send(
            this.count % 2 === 0 ? '{"type":"ack","cursor":"none"}' : (data as Buffer).subarray(0, 20),
          );
        });
        return;
      case 'reconnects_in_a_loop':
        this.count += 1;
        socket.terminate();
    }
  }
}
