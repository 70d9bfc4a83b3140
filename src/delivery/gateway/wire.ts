// One accepted socket: whole frames in, whole messages out, one way to end it. Owns the `ws` object, the TCP socket below
// it and the timer of the close handshake. It knows nothing of events, positions or services.
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { RawData } from 'ws';
import type { CloseReason } from '../../protocol/close-codes.ts';
import { closeCodes } from '../../protocol/close-codes.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { pingFrame, pongFrame } from './encode.ts';

/** How long the other side may take to answer a close frame; a peer that stopped reading never will. */
const closeGraceMs = 5_000;
/** How often it is given that time again while it drains. */
const closeGraces = 5;
/** A close frame carries at most 125 bytes, two of them the code. */
const maxReasonBytes = 123;
/** A client that sends pings and does not read gets no more pongs than fit below this. */
const maxBufferedForPong = 64 * 1024;
/** RFC 6455 §7.4.1: a message too big to process. */
const tooBig = 1009;

export interface WireEvents {
  /** A whole message, text or binary. */
  message(data: Buffer, isBinary: boolean): void;
  pong(): void;
  /** The buffer is empty again. */
  drain(): void;
  /** A message beyond the limit of the handshake; the socket closes by itself unless this closes it otherwise. */
  oversized(): void;
  /** Once, after everything else. */
  closed(): void;
}

const noEvents: WireEvents = {
  message: () => {},
  pong: () => {},
  drain: () => {},
  oversized: () => {},
  closed: () => {},
};

/** A `ws` whose own verdict on an oversized message can be overruled, since ours has another code for it. */
export class RelaySocket extends WebSocket {
  onOversized: (() => void) | undefined;

  override close(code?: number, data?: string | Buffer): void {
    if (code === tooBig) this.onOversized?.();
    // Does nothing if the line above has closed it.
    super.close(code, data);
  }
}

export class Wire {
  readonly #ws: RelaySocket;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #events = noEvents;
  #cancelGrace: Cancel | undefined;
  #closedWith: number | undefined;
  #closeCode = 1006;
  /** Settles when the socket is gone. Never rejects. */
  readonly ended: Promise<void>;

  constructor(ws: RelaySocket, socket: Socket, clock: Clock) {
    this.#ws = ws;
    this.#socket = socket;
    this.#clock = clock;
    const onDrain = () => this.#events.drain();
    // `ws` reports a protocol fault here and closes; the close event that follows is what counts.
    ws.on('error', () => {});
    ws.on('message', (data, isBinary) => this.#events.message(asBuffer(data), isBinary));
    ws.on('pong', () => this.#events.pong());
    ws.on('ping', (payload: Buffer) => {
      if (this.bufferedBytes < maxBufferedForPong) this.write(pongFrame(payload));
    });
    ws.onOversized = () => this.#events.oversized();
    socket.on('drain', onDrain);
    this.ended = new Promise((resolve) => {
      ws.once('close', (code) => {
        this.#cancelGrace?.();
        this.#closeCode = this.#closedWith ?? code;
        socket.off('drain', onDrain);
        this.#events.closed();
        this.#events = noEvents;
        resolve();
      });
    });
  }

  /** Who is told from now on. One listener; the last one set counts. */
  listen(events: Partial<WireEvents>): void {
    this.#events = { ...noEvents, ...events };
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN && this.#socket.writable;
  }

  /** Written by us and not yet taken by the kernel. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Of a socket that has ended: our code if we closed it, else the peer's, 1006 without one. */
  get closeCode(): number {
    return this.#closeCode;
  }

  /** With which of our codes it was closed from this side, if it was. */
  get closedWith(): number | undefined {
    return this.#closedWith;
  }

  /**
   * Writes whole frames straight to the socket: `ws` runs without compression, so what it writes is whole as well, and
   * nothing can come between the bytes of a frame. `flushed` is called when the kernel has them, never for a dead socket.
   */
  write(frames: Buffer, flushed?: () => void): boolean {
    if (!this.isOpen) return false;
    if (!flushed) this.#socket.write(frames);
    else {
      this.#socket.write(frames, (error) => {
        if (!error) flushed();
      });
    }
    return true;
  }

  ping(flushed: () => void): void {
    this.write(pingFrame, flushed);
  }

  /** Nothing inbound is read until `resume`. */
  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  /** Sends the close frame; a peer that does not answer in time is cut off. */
  close(reason: CloseReason, message: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    const { code } = closeCodes[reason];
    this.#closedWith = code;
    // A paused socket would never see the peer's answer.
    this.#ws.resume();
    this.#ws.close(code, clipped(message));
    this.#awaitClose(Number.POSITIVE_INFINITY, closeGraces);
  }

  /** The close frame stands behind what is buffered: a peer that is still taking that gets the time to reach it. */
  #awaitClose(buffered: number, graces: number): void {
    this.#cancelGrace = this.#clock.after(closeGraceMs, () => {
      const left = this.bufferedBytes;
      if (graces > 1 && left > 0 && left < buffered) this.#awaitClose(left, graces - 1);
      else this.#ws.terminate();
    });
  }

  /** Cuts the socket at once. */
  terminate(): void {
    this.#ws.terminate();
  }
}

function asBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** Cut at a character, not within one. */
function clipped(text: string): string {
  let cut = text;
  while (Buffer.byteLength(cut) > maxReasonBytes) cut = cut.slice(0, -1);
  return cut;
}
