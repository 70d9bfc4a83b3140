// One connection from its opening to its end: frames in, acks out, and noticing when nobody is there any more. It never
// reconnects, and once it has ended it says nothing more.
import { serverFrame, subprotocol } from '../protocol/index.ts';
import type { EventFrame, HelloFrame, ServerFrame } from '../protocol/index.ts';
import type { ClientClock } from './clock.ts';
import { RelayProtocolError } from './errors.ts';
import type { LinkEnd } from './retry.ts';
import type { SocketLike } from './socket.ts';

/** From the start of the handshake to the hello. */
const helloWithinMs = 15_000;
/** A relay that is silent for this many of its own heartbeats is gone. */
const silentHeartbeats = 2;
/** What the close handshake may take before the socket is given up. */
const closeWithinMs = 2_000;

export interface LinkListener {
  hello(frame: HelloFrame): void;
  event(frame: EventFrame): void;
  other(frame: ServerFrame): void;
  /** A frame that a newer relay may send. */
  ignored(type: string): void;
  /** The last moment in which an ack can be sent. */
  leaving(): void;
}

export interface LinkDeps {
  readonly clock: ClientClock;
  readonly random: () => number;
}

const knownTypes: ReadonlySet<string> = new Set(serverFrame.options.map((option) => option.shape.type.value));

export class Link {
  /** Resolves, never rejects, when the socket is closed or given up. */
  readonly ended: Promise<LinkEnd>;
  readonly #socket: SocketLike;
  readonly #listener: LinkListener;
  readonly #deps: LinkDeps;
  readonly #timers = new Set<() => void>();
  #settle: (end: LinkEnd) => void = () => undefined;
  #state: 'opening' | 'live' | 'leaving' | 'ended' = 'opening';
  #helloAt: number | null = null;
  #lastFrameAt = 0;
  #error: LinkEnd['error'];
  #comeBackAt: number | undefined;
  #paused = false;
  readonly #cancelHello: () => void;

  constructor(socket: SocketLike, listener: LinkListener, deps: LinkDeps) {
    this.#socket = socket;
    this.#listener = listener;
    this.#deps = deps;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#cancelHello = this.#after(helloWithinMs, () => this.#giveUp('no hello in time'));
    socket.addEventListener('message', ({ data }) => this.#onMessage(data));
    socket.addEventListener('close', ({ code, reason }) => this.#end(code, reason));
    // A close event follows every error; the error itself says nothing that a browser would let us see.
    socket.addEventListener('error', () => undefined);
  }

  /** False when there is nobody to tell. */
  ack(cursor: string): boolean {
    if (this.#state !== 'live') return false;
    this.#socket.send(JSON.stringify({ type: 'ack', cursor }));
    return true;
  }

  /** Says good-bye; frames that still come are not looked at. */
  leave({ paused = false } = {}): void {
    if (this.#state === 'ended' || this.#state === 'leaving') return;
    if (this.#state === 'live') this.#listener.leaving();
    this.#state = 'leaving';
    this.#paused = paused;
    this.#after(closeWithinMs, () => this.#giveUp('the close handshake was not finished'));
    this.#socket.close(1000);
  }

  #onMessage(data: unknown): void {
    if (this.#state !== 'opening' && this.#state !== 'live') return;
    this.#lastFrameAt = this.#deps.clock.now();
    try {
      const frame = this.#parse(data);
      if (frame) this.#onFrame(frame);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #parse(data: unknown): ServerFrame | undefined {
    if (typeof data !== 'string') throw new RelayProtocolError('a frame is no text');
    const value = jsonOf(data);
    const type = value !== null && typeof value === 'object' && 'type' in value ? value.type : undefined;
    if (typeof type !== 'string' || !knownTypes.has(type)) {
      // Turning anything else into text may fail, and this frame is to be skipped whatever it is.
      this.#listener.ignored(typeof type === 'string' ? type : typeof type);
      return undefined;
    }
    const parsed = serverFrame.safeParse(value);
    // Skipping it could be the silent loss of an event.
    if (!parsed.success) throw new RelayProtocolError(`a frame of type ${type} does not have its members`);
    return parsed.data;
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.type === 'error') {
      const { code, message, retry_after_ms: retryAfterMs = null } = frame;
      this.#error = { code, message, retryAfterMs };
      return;
    }
    if (frame.type === 'hello') {
      this.#begin(frame);
      return;
    }
    if (this.#state === 'opening') throw new RelayProtocolError(`expected a hello first, got ${frame.type}`);
    if (frame.type === 'event') this.#listener.event(frame);
    else {
      if (frame.type === 'reconnect') this.#leaveWithin(frame.in_ms);
      this.#listener.other(frame);
    }
  }

  #begin(hello: HelloFrame): void {
    if (this.#state !== 'opening') throw new RelayProtocolError('a second hello');
    if (this.#socket.protocol !== subprotocol) throw new RelayProtocolError(`expected ${subprotocol}`);
    this.#state = 'live';
    this.#cancelHello();
    this.#helloAt = this.#lastFrameAt;
    this.#watchSilence(silentHeartbeats * hello.heartbeat_ms);
    this.#listener.hello(hello);
  }

  #watchSilence(withinMs: number): void {
    const silentMs = this.#deps.clock.now() - this.#lastFrameAt;
    if (silentMs >= withinMs) this.#giveUp('the relay is silent');
    else this.#after(withinMs - silentMs, () => this.#watchSilence(withinMs));
  }

  /** All clients of a restarting relay are told the same: each picks its own moment to come back. */
  #leaveWithin(inMs: number): void {
    if (this.#comeBackAt !== undefined) return;
    const waitMs = this.#deps.random() * Math.max(0, inMs);
    this.#comeBackAt = this.#deps.clock.now() + waitMs;
    this.#after(waitMs, () => this.leave());
  }

  #fail(cause: unknown): void {
    this.#end(1006, 'the connection was given up', { cause });
    this.#hangUp();
  }

  #giveUp(reason: string): void {
    this.#end(1006, reason);
    this.#hangUp();
  }

  #hangUp(): void {
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#socket.close();
  }

  /** The first end counts. */
  #end(code: number, reason: string, fault?: { readonly cause: unknown }): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    const now = this.#deps.clock.now();
    this.#settle({
      code,
      reason,
      livedMs: this.#helloAt === null ? null : now - this.#helloAt,
      paused: this.#paused,
      ...(this.#error ? { error: this.#error } : {}),
      ...(this.#comeBackAt === undefined ? {} : { comeBackInMs: Math.max(0, this.#comeBackAt - now) }),
      ...(fault ? { fault } : {}),
    });
  }

  #after(delayMs: number, fn: () => void): () => void {
    const stop = this.#deps.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      fn();
    });
    const cancel = () => {
      this.#timers.delete(cancel);
      stop();
    };
    this.#timers.add(cancel);
    return cancel;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RelayProtocolError('a frame is no JSON', { cause });
  }
}
