// One connection to a receiver, one request at a time on it: opens its socket, writes, and tells the attempt what comes back.
// It reads no more for one request than it may, and is never used again after anything that it did not expect. It neither
// knows other connections nor sends anything twice.
import type { Socket } from 'node:net';
import { errors } from 'undici';
import type { AnswerHead } from './answer-head.ts';
import { AnswerReader, type AnswerSink } from './answer-reader.ts';
import type { Attempt } from './attempt.ts';
import type { Connector } from './egress/index.ts';
import type { Target } from './targets.ts';

/**
 * An idle connection is closed before the receiver does so: Node and uvicorn do it after 5 s, nearly everything else
 * later. A receiver that closes while a request is on its way costs an attempt.
 */
const idleMs = 4_000;
/** A receiver's `Keep-Alive: timeout=…` is heeded, less the margin for the way there, up to the maximum. */
const idleMarginMs = 1_000;
const maxIdleMs = 10_000;

/**
 * A connection that is never idle would go to the address of its first day for ever, however often the name has moved
 * since. After so many requests it is made anew, and the name asked and vetted again.
 */
const maxRequests = 1_000;

export interface ConnectionDeps {
  readonly connect: Connector;
  /** What may arrive for one request, of whatever kind: interim answers, framing and lines without end count as well. */
  readonly maxBytes: number;
  /** It is over. Called once, also when it was the caller who ended it. */
  readonly onOver: (connection: Connection) => void;
}

const noHeaders = {};

export class Connection implements AnswerSink {
  readonly target: Target;
  readonly #deps: ConnectionDeps;
  readonly #reader = new AnswerReader(this);
  #socket: Socket | undefined;
  #attempt: Attempt | undefined;
  /** What came before the request was written. */
  #early: Buffer[] = [];
  #bytes = 0;
  #requests = 0;
  #idleMs = 0;
  #isOver = false;

  constructor(target: Target, deps: ConnectionDeps) {
    this.target = target;
    this.#deps = deps;
  }

  /** For how long it may wait for the next request; 0: it takes no other. Milliseconds. */
  get idleMs(): number {
    // Answered before the request was taken: the rest of it stands in the way of the next.
    const isUsable = !this.#isOver && !this.#attempt && this.#socket?.writableLength === 0;
    return isUsable && this.#requests < maxRequests ? this.#idleMs : 0;
  }

  /** `request`: the whole of it. Only while no other is under way. */
  send(request: Buffer, attempt: Attempt): void {
    this.#attempt = attempt;
    this.#bytes = 0;
    this.#requests += 1;
    this.#reader.restart();
    if (this.#socket) this.#write(this.#socket, request);
    else this.#open(request);
  }

  /** Closes it at once, with what is under way on it. */
  destroy(): void {
    this.#attempt = undefined;
    this.#over();
  }

  /** As undici's controllers have it. */
  abort(): void {
    this.destroy();
  }

  head({ status, keepAlive, keepAliveMs, retryAfter }: AnswerHead): boolean {
    const headers = retryAfter === undefined ? noHeaders : { 'retry-after': retryAfter };
    this.#idleMs = keepAlive ? idleTime(keepAliveMs) : 0;
    this.#attempt?.onResponseStart(this, status, headers);
    return this.#attempt !== undefined;
  }

  body(chunk: Buffer): boolean {
    this.#attempt?.onResponseData(this, chunk);
    return this.#attempt !== undefined;
  }

  end(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.onResponseEnd();
  }

  #open(request: Buffer): void {
    const { protocol, hostname, port } = this.target;
    const onBytes = (chunk: Buffer): void => this.#read(chunk);
    this.#deps.connect({ protocol, hostname, port, onBytes }, (...[error, socket]) => {
      if (this.#isOver) socket?.destroy();
      else if (error) this.#fail(error);
      else if (socket) this.#opened(socket, request);
    });
  }

  #opened(socket: Socket, request: Buffer): void {
    this.#socket = socket;
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new errors.SocketError('closed')));
    this.#write(socket, request);
    for (const chunk of this.#early.splice(0)) this.#parse(chunk);
  }

  #write(socket: Socket, request: Buffer): void {
    this.#attempt?.onRequestStart(this);
    if (this.#attempt) socket.write(request);
  }

  #read(chunk: Buffer): void {
    // Nobody asked for anything.
    if (!this.#attempt) return this.#over();
    this.#bytes += chunk.length;
    if (this.#bytes > this.#deps.maxBytes) return this.#fail(new errors.ResponseExceededMaxSizeError());
    // A receiver that talks first is read when it is asked.
    if (this.#socket) this.#parse(chunk);
    else this.#early.push(Buffer.from(chunk));
  }

  #parse(chunk: Buffer): void {
    if (!this.#attempt) return this.#over();
    let behind: number;
    try {
      behind = this.#reader.read(chunk);
    } catch (error) {
      return this.#fail(error);
    }
    // Whatever it is, it would be taken for the next request's answer.
    if (behind > 0) this.#over();
  }

  #ended(): void {
    this.#idleMs = 0;
    if (!this.#attempt || this.#reader.finish()) this.#over();
    else this.#fail(new errors.SocketError('other side closed'));
  }

  #fail(error: unknown): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#over();
    attempt?.onResponseError(undefined, error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    this.#deps.onOver(this);
  }
}

const idleTime = (hintMs: number | null): number =>
  hintMs === null ? idleMs : Math.min(maxIdleMs, Math.max(0, hintMs - idleMarginMs));
