// A client of the gateway for tests: collects what arrives and lets a test wait for a condition, with a deadline.
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import { z } from 'zod';
import type { Rig } from './gateway-rig.ts';
import { secret, service } from './gateway-rig.ts';

const anyFrame = z.looseObject({ type: z.string() });
export type Frame = z.infer<typeof anyFrame>;

export const loginHeaders = { 'x-client-id': service.clientId, 'x-client-secret': secret };

export interface ClientConfig extends ClientOptions {
  readonly query?: Record<string, string>;
  readonly protocols?: string[];
}

export class TestClient implements Disposable {
  readonly ws: WebSocket;
  readonly frames: Frame[] = [];
  readonly texts: string[] = [];
  closed: { code: number; reason: string } | undefined;
  error: Error | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(port: number, { query = {}, protocols, ...options }: ClientConfig) {
    const url = `ws://127.0.0.1:${port}/ws/events?${new URLSearchParams(query).toString()}`;
    this.ws = new WebSocket(url, protocols, options);
    this.ws.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      this.texts.push(text);
      this.frames.push(anyFrame.parse(JSON.parse(text)));
      this.#changed();
    });
    this.ws.on('error', (error) => {
      this.error = error;
      this.#changed();
    });
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
      this.#changed();
    });
    this.ws.on('open', () => this.#changed());
  }

  /** Settles when the condition holds after something arrived; fails with what had arrived by then. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(8_000);
    while (!condition()) {
      if (deadline.aborted) throw new Error(`${what}: ${this.#summary()}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#waiting.delete(done);
          deadline.removeEventListener('abort', done);
          resolve();
        };
        this.#waiting.add(done);
        deadline.addEventListener('abort', done, { once: true });
      });
    }
  }

  events(): Frame[] {
    return this.frames.filter((frame) => frame.type === 'event');
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  async opened(): Promise<void> {
    await this.until('open', () => this.ws.readyState === WebSocket.OPEN);
  }

  async hello(): Promise<Frame> {
    await this.until('hello', () => this.frames.length > 0);
    const [first] = this.frames;
    if (first?.type !== 'hello') throw new Error(`expected hello first: ${this.#summary()}`);
    return first;
  }

  async closing(): Promise<{ code: number; reason: string }> {
    await this.until('close', () => this.closed !== undefined);
    return this.closed ?? { code: 0, reason: '' };
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  ack(cursor: unknown): void {
    this.send({ type: 'ack', cursor });
  }

  /**
   * Two pings there and back: what the server sent before has arrived after the first, and what this client answered to
   * it has been read after the second.
   */
  async roundTrips(): Promise<void> {
    for (let trip = 0; trip < 2 && !this.closed; trip++) {
      let isBack = false;
      this.ws.once('pong', () => {
        isBack = true;
        this.#changed();
      });
      if (this.ws.readyState === WebSocket.OPEN) this.ws.ping();
      await this.until('pong', () => isBack || this.closed !== undefined);
    }
  }

  [Symbol.dispose](): void {
    this.ws.terminate();
  }

  #changed(): void {
    for (const done of this.#waiting) done();
  }

  #summary(): string {
    const last = this.frames.slice(-2).map((frame) => JSON.stringify(frame).slice(0, 200));
    return `${this.frames.length} frames, closed ${JSON.stringify(this.closed)}, ${this.error?.message ?? ''} ${last.join(' ')}`;
  }
}

/** A relay.v1 client with good credentials. */
export const relayClient = (rig: Rig, query: Record<string, string> = {}): TestClient =>
  new TestClient(rig.port, { query, protocols: ['relay.v1'], headers: loginHeaders });

export const plainClient = (rig: Rig, query: Record<string, string> = {}): TestClient =>
  new TestClient(rig.port, { query, headers: loginHeaders });

export const seqsOf = (frames: readonly Frame[]): number[] =>
  frames.map(
    (frame) =>
      z
        .object({ event: z.object({ n: z.number() }) })
        .parse(
          frame['event'] && typeof frame['event'] === 'object' && 'event' in frame['event']
            ? frame['event']
            : frame,
        ).event.n,
  );

export const attemptsOf = (frames: readonly Frame[]): unknown[] => frames.map((frame) => frame['attempt']);

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly upgraded: boolean;
}

const handshakeHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};

/** A handshake by hand, to see the answer's bytes. A header of undefined is left out. */
export function rawUpgrade(
  port: number,
  target: string,
  headers: Record<string, string | undefined> = {},
  method = 'GET',
): Promise<HttpAnswer> {
  const all = Object.entries({ ...handshakeHeaders, ...headers }).filter(([, value]) => value !== undefined);
  return new Promise((resolve, reject) => {
    const req = request({
      port,
      host: '127.0.0.1',
      path: target,
      method,
      headers: Object.fromEntries(all),
      agent: false,
    });
    req.on('error', reject);
    req.on('upgrade', (res, socket) => {
      socket.destroy();
      resolve({ status: res.statusCode ?? 0, headers: res.headers, body: '', upgraded: true });
    });
    req.on('response', (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (body += chunk));
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body, upgraded: false }),
      );
    });
    req.end(method === 'POST' ? 'a body' : undefined);
  });
}

/** Waits for a condition that no event announces, turn by turn, with a deadline. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(8_000);
  while (!condition()) {
    if (deadline.aborted) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
