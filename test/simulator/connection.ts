// Owns one accepted WebSocket: its record, its pings and the rule that a client may only pong. It must never know
// what a subscription is.
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { ConnectionRecord } from './types.ts';

export const CLOSE = {
  internalError: 4000,
  inboundTraffic: 4001,
  pongMissing: 4002,
  unused: 4003,
  graceOver: 4004,
  invalidReconnect: 4007,
} as const;

const ABNORMAL = 1006;
/** A client that does not answer a close frame must not keep a test waiting. */
const CLOSE_ANSWER_MS = 1_000;

export interface ConnectionEvents {
  /** Exactly once. `clean`: there was a close frame. */
  onClosed: (how: { code: number; clean: boolean; byClient: boolean }) => void;
}

export class Connection {
  readonly record: ConnectionRecord;
  readonly #ws: WebSocket;
  readonly #tcp: Socket;
  #closingByServer = false;
  #pongSeen = true;
  #blackHole = false;
  #pings: NodeJS.Timeout | undefined;

  constructor(
    ws: WebSocket,
    tcp: Socket,
    record: ConnectionRecord,
    pingIntervalMs: number,
    events: ConnectionEvents,
  ) {
    this.record = record;
    this.#ws = ws;
    this.#tcp = tcp;
    const breach = (): void => {
      if (!this.#blackHole) this.close(CLOSE.inboundTraffic, 'client sent inbound traffic');
    };
    ws.on('message', breach);
    ws.on('ping', breach);
    ws.on('pong', () => {
      this.#pongSeen = true;
    });
    // A reset by the peer is an ordinary end here; `close` follows and tells the story.
    ws.on('error', () => undefined);
    ws.on('close', (code) => {
      clearInterval(this.#pings);
      record.closedAt = Date.now();
      record.byClient = !this.#closingByServer;
      record.closeCode ??= code;
      events.onClosed({
        code: record.closeCode,
        clean: record.closeCode !== ABNORMAL,
        byClient: record.byClient,
      });
    });
    this.#pings = setInterval(() => this.#ping(), pingIntervalMs);
  }

  get open(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  get silent(): boolean {
    return this.#blackHole;
  }

  /** Nothing leaves any more and nothing that arrives is acted upon: a half-open connection as a client sees it. */
  setSilent(silent: boolean): void {
    this.#blackHole = silent;
  }

  /** False if it cannot reach the client. */
  send(text: string): boolean {
    if (!this.open || this.#blackHole) return false;
    this.#ws.send(text);
    return true;
  }

  /** Writes whatever it is given, as it is: text or a binary frame. */
  sendRaw(data: string | Buffer): void {
    if (this.open) this.#ws.send(data);
  }

  /** Runs `write` with the kernel seeing one write for all of its frames. */
  corked(write: () => void): void {
    this.#tcp.cork();
    try {
      write();
    } finally {
      this.#tcp.uncork();
    }
  }

  /** Frames written but not yet taken by the client's kernel, in bytes. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  close(code: number, reason = ''): void {
    if (this.#ws.readyState >= this.#ws.CLOSING) return;
    this.#closingByServer = true;
    this.record.closeCode = code;
    this.#ws.close(code, reason);
    const cut = setTimeout(() => this.#ws.terminate(), CLOSE_ANSWER_MS);
    this.#ws.once('close', () => clearTimeout(cut));
  }

  /** Cuts the TCP connection: the client sees 1006. */
  drop(): void {
    if (this.#ws.readyState === this.#ws.CLOSED) return;
    this.#closingByServer = true;
    this.record.closeCode ??= ABNORMAL;
    this.#ws.terminate();
  }

  #ping(): void {
    if (!this.open || this.#blackHole) return;
    if (!this.#pongSeen) {
      this.close(CLOSE.pongMissing, 'client failed ping-pong');
      return;
    }
    this.#pongSeen = false;
    this.#ws.ping();
  }
}
