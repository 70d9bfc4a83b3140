// A consumer that obeys the contract by hand and never gives up: it comes back after every close, resumes as its protocol
// lets it, and keeps everything that it was ever sent.
import { WebSocket } from 'ws';
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { Credentials } from './consumer.ts';
import { until } from './until.ts';

export interface Received {
  readonly event: RelayEvent;
  /** 1 on a plain socket, which knows no attempts. */
  readonly attempt: number;
}

export interface FollowerOptions {
  readonly protocol: 'plain' | 'relay.v1';
  readonly query: Readonly<Record<string, string>>;
}

export class Follower implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly closes: number[] = [];
  readonly options: FollowerOptions;
  /** Asked before every connection; throws while there is no relay. */
  readonly #url: () => string;
  readonly #credentials: Credentials;
  #ws: WebSocket | undefined;
  #last: string | undefined;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(url: () => string, credentials: Credentials, options: FollowerOptions) {
    this.#url = url;
    this.#credentials = credentials;
    this.options = options;
    this.#running = this.#run();
  }

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  /** Cuts the socket without a word; it comes back by itself. */
  cut(): void {
    this.#ws?.terminate();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await until(
        () => {
          this.#url();
          return true;
        },
        { what: 'a relay' },
      ).catch(() => undefined);
      if (!this.#stopped) await this.#connect();
    }
  }

  #connect(): Promise<void> {
    const { protocol, query } = this.options;
    const target = new URL('/ws/events', this.#url().replace(/^http/, 'ws'));
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
    if (protocol === 'plain' && this.#last) target.searchParams.set('after', this.#last);
    const { clientId, clientSecret } = this.#credentials;
    const headers = { 'X-Client-Id': clientId, 'X-Client-Secret': clientSecret };
    const ws = new WebSocket(target, protocol === 'plain' ? [] : [protocol], { headers });
    this.#ws = ws;
    ws.on('error', () => undefined);
    ws.on('message', (data) => this.#take(ws, (data as Buffer).toString('utf8')));
    return new Promise((resolve) => {
      ws.on('close', (code) => {
        this.closes.push(code);
        resolve();
      });
    });
  }

  #take(ws: WebSocket, text: string): void {
    const frame = JSON.parse(text) as { type: string; cursor: string; attempt: number; event: RelayEvent };
    const isPlain = this.options.protocol === 'plain';
    if (!isPlain && frame.type !== 'event') return;
    const event = isPlain ? (frame as unknown as RelayEvent) : frame.event;
    this.received.push({ event, attempt: isPlain ? 1 : frame.attempt });
    this.#last = event.cursor;
    if (isPlain || this.options.query['ack'] === 'auto' || ws.readyState !== WebSocket.OPEN) return;
    ws.send(JSON.stringify({ type: 'ack', cursor: frame.cursor }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#ws?.terminate();
    await this.#running;
  }
}
