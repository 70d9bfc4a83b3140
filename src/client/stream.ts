// One consumer's stream: connections one after another, and what they bring handed to one loop. It acknowledges nothing
// whose body is not done, and when the loop has ended, nothing that it opened is left.
import { bearerProtocolPrefix, subprotocol } from '../protocol/index.ts';
import type { EventFrame, HelloFrame, RelayEvent, ServerFrame } from '../protocol/index.ts';
import { AckQueue } from './ack-queue.ts';
import type { ClientClock } from './clock.ts';
import { pause } from './clock.ts';
import { RelayApiError } from './errors.ts';
import type { EventsOptions, StreamQuery } from './events-options.ts';
import { queryOf } from './events-options.ts';
import { Link } from './link.ts';
import { Mailbox } from './mailbox.ts';
import type { LinkEnd, RetryState } from './retry.ts';
import { afterEnd, afterLoginError, freshRetryState } from './retry.ts';
import type { SocketConstructor } from './socket.ts';
import { socketConstructor, streamUrl } from './socket.ts';

/** A token that takes longer than this does not come. */
const tokenWithinMs = 15_000;

/** An event with what is known about its delivery. */
export interface Delivery {
  readonly event: RelayEvent;
  readonly cursor: string;
  /** Above 1: this consumer may have got it before. */
  readonly attempt: number;
  /** Says now that everything up to here is done, as the end of the loop's body would; for a `break` after it. */
  done(): void;
}

export interface StreamDeps {
  readonly baseUrl: URL;
  /** A fresh single-use token for one connection. */
  token(signal: AbortSignal): Promise<string>;
  /**
   * Asked after a handshake that was refused, since a WebSocket does not tell why: rejects if the relay does not accept
   * this cursor to start from.
   */
  checkCursor?(after: string, signal: AbortSignal): Promise<void>;
  readonly webSocket: SocketConstructor | undefined;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly log: (message: string) => void;
}

export async function* openStream(
  deps: StreamDeps,
  options: EventsOptions,
): AsyncGenerator<Delivery, void, undefined> {
  const stream = new Stream(deps, options);
  try {
    for (;;) {
      const delivery = await stream.next();
      if (!delivery) return;
      yield delivery;
      // Not reached by `break`, `return` or an exception in the body: those look the same from here.
      delivery.done();
    }
  } finally {
    await stream.stop();
  }
}

class Stream {
  readonly #deps: StreamDeps;
  readonly #options: EventsOptions;
  readonly #query: StreamQuery;
  readonly #mailbox = new Mailbox<Delivery>();
  readonly #acks: AckQueue;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #onAbort = () => this.#end();
  #link: Link | undefined;
  /** Where the next connection is told to start; undefined: where the relay remembers. */
  #after: string | undefined;
  #retry: RetryState = freshRetryState;

  constructor(deps: StreamDeps, options: EventsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#query = queryOf(options);
    this.#after = options.after;
    this.#acks = new AckQueue({
      clock: deps.clock,
      maxInFlight: this.#query.max_in_flight,
      random: deps.random,
      send: (cursor) => this.#link?.ack(cursor) ?? false,
    });
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#end();
    this.#running = this.#run().then(
      () => this.#mailbox.end(),
      (cause: unknown) => this.#mailbox.end({ cause }),
    );
  }

  next(): Promise<Delivery | undefined> {
    return this.#mailbox.take();
  }

  /** Tells what is done, says good-bye and waits until the socket is closed. */
  async stop(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#end();
    this.#link?.leave();
    await this.#running;
    this.#acks.stop();
  }

  /** No more events; the link stays for the ack of the body that is still running. */
  #end(): void {
    this.#mailbox.clear();
    this.#mailbox.end();
    this.#stopping.abort();
  }

  get #isAuto(): boolean {
    return this.#query.ack === 'auto';
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const step = await this.#attempt(signal);
      this.#retry = step.state;
      if (signal.aborted) return;
      if (step.decision.do === 'stop') throw step.decision.error;
      const { inMs, code, reason } = step.decision;
      if (!step.quiet) this.#options.onReconnect?.({ code, reason, inMs });
      await pause(this.#deps.clock, inMs, signal);
    }
  }

  /**
   * A page's own server may be away, or restarting with the relay: whatever its token function throws, or a token that
   * does not come, is a reason to try again. Only the relay's own refusal is final.
   */
  async #token(signal: AbortSignal): Promise<string> {
    const waited = new AbortController();
    const late = pause(this.#deps.clock, tokenWithinMs, waited.signal).then(() => undefined);
    try {
      const token = await Promise.race([this.#deps.token(signal), late]);
      if (typeof token === 'string' && token !== '') return token;
    } catch (error) {
      if (error instanceof RelayApiError) throw error;
    } finally {
      waited.abort();
    }
    throw new TypeError('no token could be had');
  }

  /** One connection from log-in to end, or one log-in that failed. */
  async #attempt(signal: AbortSignal) {
    const { random } = this.#deps;
    // In auto mode nothing bounds what arrives but this.
    if (this.#isAuto) await this.#mailbox.atMost(this.#query.max_in_flight / 2);
    let end: LinkEnd;
    try {
      const Socket = await socketConstructor(this.#deps.webSocket);
      const token = await this.#token(signal);
      if (signal.aborted) return { ...quit(this.#retry), quiet: true };
      end = await this.#connect(Socket, token);
      if (end.code === 1006 && end.livedMs === null && this.#after !== undefined && !signal.aborted) {
        await this.#deps.checkCursor?.(this.#after, signal);
      }
    } catch (error) {
      return { ...afterLoginError(this.#retry, error, random), quiet: false };
    }
    // The relay sends again whatever was not acknowledged; kept, it would come out twice. In auto mode it would not.
    if (!this.#isAuto) this.#mailbox.clear();
    return { ...afterEnd(this.#retry, end, random), quiet: end.paused ?? false };
  }

  async #connect(Socket: SocketConstructor, token: string): Promise<LinkEnd> {
    const url = streamUrl(this.#deps.baseUrl, { ...this.#query, after: this.#after });
    const socket = new Socket(url, [subprotocol, bearerProtocolPrefix + token]);
    const link = new Link(
      socket,
      {
        hello: (frame) => this.#onHello(frame),
        event: (frame) => this.#onEvent(frame),
        other: (frame) => this.#onOther(frame),
        ignored: (type) => this.#deps.log(`a frame of the unknown type ${type.slice(0, 64)} was ignored`),
        leaving: () => this.#acks.flush(),
      },
      this.#deps,
    );
    this.#link = link;
    const end = await link.ended;
    this.#link = undefined;
    return end;
  }

  #onHello(hello: HelloFrame): void {
    // From now on the relay remembers; only in auto mode do we know better than it what has arrived here.
    if (!this.#isAuto) this.#after = undefined;
    if (hello.resumed) this.#acks.retell();
    else this.#acks.forget();
    this.#options.onHello?.(hello);
  }

  #onEvent({ event, cursor, attempt }: EventFrame): void {
    if (this.#stopping.signal.aborted) return;
    const done = () => {
      if (!this.#isAuto) this.#acks.done(cursor);
    };
    this.#mailbox.push({ event, cursor, attempt, done });
    if (!this.#isAuto) return;
    this.#after = cursor;
    if (this.#mailbox.size >= this.#query.max_in_flight) this.#link?.leave({ paused: true });
  }

  #onOther(frame: ServerFrame): void {
    if (frame.type === 'lag') {
      const { behind_events, behind_ms, floor_in_ms } = frame;
      this.#options.onLag?.({ behind_events, behind_ms, floor_in_ms });
    } else if (frame.type === 'reconnect') {
      this.#deps.log(`the relay asks to come back within ${frame.in_ms} ms: ${frame.reason}`);
    }
  }
}

const quit = (state: RetryState) => ({ state, decision: { do: 'stop', error: undefined } as const });
