// Owns one EventSub session: who it belongs to, its keepalives and its 10-second rule. It must never open or accept
// connections; the hub hands them in.
import type { Connection } from './connection.ts';
import { CLOSE } from './connection.ts';
import type { Core } from './core.ts';
import { keepaliveFrame, welcomeFrame } from './frames.ts';
import type { SessionSnapshot, SessionState } from './types.ts';

/** Keepalives leave a little before the announced window ends, so that a client without any leeway is content too. */
const KEEPALIVE_SHARE = 0.9;
/** Beyond it node fires at once. */
const LONGEST_TIMER_MS = 0x7fffffff;

export interface ReconnectOffer {
  readonly token: string;
  readonly session: Session;
  readonly keepSessionId: boolean;
  state: 'pending' | 'used' | 'void';
}

export class Session {
  readonly id: string;
  readonly connectedAt: string;
  readonly keepaliveSeconds: number;
  readonly #core: Core;
  userId: string | null = null;
  state: SessionState = 'open';
  connection: Connection;
  /** After a hand-over: the socket that the client has yet to close. */
  previous: Connection | null = null;
  offer: ReconnectOffer | null = null;
  /** A notification that a reorder fault holds back. */
  heldBack: (() => void) | null = null;
  #lastSentAt = Date.now();
  #keepalives: NodeJS.Timeout | undefined;
  #unusedDeadline: NodeJS.Timeout | undefined;

  constructor(core: Core, connection: Connection, keepaliveSeconds: number, id?: string) {
    this.#core = core;
    this.id = id ?? core.ids.sessionId();
    this.connectedAt = core.ids.timestamp(Date.now());
    this.keepaliveSeconds = keepaliveSeconds;
    this.connection = connection;
  }

  get live(): boolean {
    return this.state === 'open' && this.connection.open && !this.connection.silent;
  }

  /** Sends the welcome. `carried`: subscriptions came with a hand-over, so the 10-second rule does not apply. */
  welcome(carried: boolean): void {
    const record = this.connection.record;
    record.sessionId = this.id;
    record.welcomedAt = Date.now();
    this.send(welcomeFrame(this.#core.ids, this));
    this.#armKeepalive();
    if (!carried) {
      this.#unusedDeadline = setTimeout(() => {
        if (!this.connection.silent) this.connection.close(CLOSE.unused, 'connection unused');
      }, this.#core.settings.firstSubscriptionDeadlineMs);
    }
    this.#core.activity.touch();
  }

  /** The first subscription is there: the 10-second rule is met for good. */
  markUsed(userId: string): void {
    this.userId ??= userId;
    clearTimeout(this.#unusedDeadline);
  }

  send(text: string): boolean {
    const sent = this.connection.send(text);
    if (sent) this.#lastSentAt = Date.now();
    return sent;
  }

  /** Every timer is dead afterwards. */
  stop(state: SessionState): void {
    this.state = state;
    clearTimeout(this.#keepalives);
    clearTimeout(this.#unusedDeadline);
    this.#core.activity.touch();
  }

  snapshot(subscriptionCount: number): SessionSnapshot {
    return {
      id: this.id,
      userId: this.userId,
      open: this.state === 'open' && this.connection.open,
      state: this.state,
      subscriptionCount,
      connectedAt: this.connectedAt,
      keepaliveSeconds: this.keepaliveSeconds,
      silent: this.connection.silent,
      reconnecting: this.offer?.state === 'pending',
      connectionId: this.connection.record.id,
    };
  }

  #armKeepalive(): void {
    clearTimeout(this.#keepalives);
    const windowMs = this.keepaliveSeconds * 1_000 * KEEPALIVE_SHARE;
    const dueInMs = Math.min(LONGEST_TIMER_MS, Math.max(1, this.#lastSentAt + windowMs - Date.now()));
    this.#keepalives = setTimeout(() => {
      // Only when nothing else was delivered in the window.
      if (Date.now() - this.#lastSentAt >= windowMs - 1) {
        this.send(keepaliveFrame(this.#core.ids));
        this.#lastSentAt = Date.now();
      }
      this.#armKeepalive();
    }, dueInMs);
  }
}
