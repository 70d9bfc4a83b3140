// A WebSocket consumer of the load: obeys the contract, never gives up, comes back after every close where it was.
import { WebSocket } from 'ws';
import type { Credentials } from '../support/consumer.ts';
import type { Inbox } from './inbox.ts';

/** An acknowledgement for each frame would be half of the traffic. */
const ackEveryMs = 25;
const backOffMs = 60;
const handshakeMs = 3_000;

const relayHead = /^\{"type":"event","cursor":"([^"]+)","attempt":(\d+)/;
const plainHead = /"cursor":"([^"]+)"/;

export class SocketConsumer implements AsyncDisposable {
  readonly inbox: Inbox;
  readonly closes: number[] = [];
  readonly #url: string;
  readonly #credentials: Credentials;
  readonly #types: readonly string[];
  #connection = 0;
  #last: string;
  #ws: WebSocket | undefined;
  #ackTimer: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    inbox: Inbox,
    options: { url: string; credentials: Credentials; types: readonly string[]; from: string },
  ) {
    this.inbox = inbox;
    this.#url = options.url;
    this.#credentials = options.credentials;
    this.#types = options.types;
    this.#last = options.from;
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  /** Without a word; it comes back by itself. */
  cut(): void {
    this.#ws?.terminate();
  }

  #connect(): void {
    const { via, name } = this.inbox.consumer;
    const target = new URL('/ws/events', this.#url.replace(/^http/, 'ws'));
    target.searchParams.set('types', this.#types.join(','));
    const isPlain = via === 'plain';
    if (isPlain || this.#connection === 0) target.searchParams.set('after', this.#last);
    if (!isPlain) target.searchParams.set('consumer', name);
    const resumed = this.#last;
    const headers = {
      'X-Client-Id': this.#credentials.clientId,
      'X-Client-Secret': this.#credentials.clientSecret,
    };
    const ws = new WebSocket(target, isPlain ? [] : ['relay.v1'], {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
    });
    this.#ws = ws;
    ws.on('open', () => void (this.#connection += 1));
    ws.on('error', () => undefined);
    ws.on('message', (data) => this.#take(ws, data as Buffer, isPlain ? resumed : undefined));
    ws.on('close', (code) => {
      this.closes.push(code);
      clearTimeout(this.#ackTimer);
      this.#ackTimer = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => this.#connect(), backOffMs);
    });
  }

  #take(ws: WebSocket, text: Buffer, resumed: string | undefined): void {
    const head = text.toString('latin1', 0, 300);
    const isPlain = this.inbox.consumer.via === 'plain';
    const found = (isPlain ? plainHead : relayHead).exec(head);
    const cursor = found?.[1];
    if (cursor === undefined) return;
    this.inbox.take({
      text,
      cursor,
      attempt: isPlain ? null : Number(found?.[2]),
      accepted: true,
      connection: this.#connection,
      resumed,
    });
    this.#last = cursor;
    if (isPlain) return;
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined;
      if (ws.readyState === WebSocket.OPEN) ws.send(JSON.stringify({ type: 'ack', cursor: this.#last }));
    }, ackEveryMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#ackTimer);
    const ws = this.#ws;
    if (!ws || ws.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => ws.once('close', resolve));
    ws.terminate();
    await closed;
  }
}
