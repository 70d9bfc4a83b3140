// The connections to receivers: one undici Client each, one request at a time on each, the newest idle one taken first.
// How many there are is not limited here: the callers cap what is under way. Must never reuse one whose request was cut off.
import { Client, type buildConnector } from 'undici';
import { deferred } from '../../runtime/deferred.ts';
import { AnswerMeter } from './answer-meter.ts';

/**
 * An idle connection is closed before the receiver does so: Node and uvicorn do it after 5 s, nearly everything else
 * later. A receiver that closes while a request is on its way costs an attempt.
 */
const idleMs = 4_000;
/** A receiver's `Keep-Alive: timeout=…` is heeded, less the margin for the way there, up to the maximum. */
const idleMarginMs = 1_000;
const maxIdleMs = 10_000;

/** As much as Node's own server accepts. */
const maxHeadBytes = 16_384;

/**
 * A connection that is never idle would go to the address of its first day for ever, however often the name has moved
 * since. After so many requests it is made anew, and the name asked and vetted again.
 */
const maxRequests = 1_000;

/** What arrives for one request may be so many times the body and the head that are read: chunks have their framing. */
const framingFactor = 2;

const clientOptions: Client.Options = {
  pipelining: 1,
  maxRequestsPerClient: maxRequests,
  keepAliveTimeout: idleMs,
  keepAliveTimeoutThreshold: idleMarginMs,
  keepAliveMaxTimeout: maxIdleMs,
  maxHeaderSize: maxHeadBytes,
  // The deadline of the attempt is the only one, and runs on the relay's clock.
  headersTimeout: 0,
  bodyTimeout: 0,
};

export class Connections {
  readonly #connect: buildConnector.connector;
  readonly #maxBytes: number;
  readonly #all = new Map<Client, AnswerMeter>();
  /** By origin, the newest last; no origin without one. */
  readonly #idle = new Map<string, Client[]>();
  /** Sockets, from before they are opened until they are closed. */
  readonly #sockets = new Set<Promise<void>>();

  /** `maxAnswerBytes`: how much of a body is read. */
  constructor(connect: buildConnector.connector, maxAnswerBytes: number) {
    this.#maxBytes = framingFactor * (maxHeadBytes + maxAnswerBytes);
    this.#connect = (options, callback) => {
      const { promise, resolve } = deferred<void>();
      this.#await(promise);
      connect(options, (...result) => {
        const [, socket] = result;
        if (socket) socket.once('close', () => resolve());
        else resolve();
        callback(...result);
      });
    };
  }

  /** One for the next request, and for it alone: to be given back, or dropped. It may still have to connect. */
  take(origin: string): Client {
    const waiting = this.#idle.get(origin);
    const client = waiting?.pop();
    if (waiting?.length === 0) this.#idle.delete(origin);
    if (!client) return this.#open(origin);
    this.#all.get(client)?.restart();
    return client;
  }

  /** After an answer that was read to its end. */
  giveBack(origin: string, client: Client): void {
    if (!this.#all.has(client)) return;
    const waiting = this.#idle.get(origin);
    if (waiting) waiting.push(client);
    else this.#idle.set(origin, [client]);
  }

  /** Closes it at once, with what is under way on it. */
  drop(client: Client): void {
    if (this.#all.delete(client)) void client.destroy();
  }

  /** Closes all of them; resolves when every socket is closed. Whoever calls has ended what is being opened. */
  async close(): Promise<void> {
    for (const client of this.#all.keys()) this.drop(client);
    while (this.#sockets.size > 0) await Promise.all(this.#sockets);
  }

  #open(origin: string): Client {
    const meter = new AnswerMeter(this.#maxBytes);
    const connect: buildConnector.connector = (options, callback) =>
      this.#connect(options, (...result) => {
        const [, socket] = result;
        if (socket) meter.watch(socket);
        callback(...result);
      });
    const client = new Client(origin, { ...clientOptions, connect });
    this.#all.set(client, meter);
    // While a request waits on it, it connects anew by itself; nothing was sent then.
    client.on('disconnect', () => this.#dropIfIdle(origin, client));
    return client;
  }

  #dropIfIdle(origin: string, client: Client): void {
    const waiting = this.#idle.get(origin);
    const index = waiting?.indexOf(client) ?? -1;
    if (!waiting || index < 0) return;
    waiting.splice(index, 1);
    if (waiting.length === 0) this.#idle.delete(origin);
    this.drop(client);
  }

  #await(closed: Promise<void>): void {
    this.#sockets.add(closed);
    void closed.then(() => this.#sockets.delete(closed));
  }
}
