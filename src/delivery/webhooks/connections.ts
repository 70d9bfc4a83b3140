// The connections to receivers: one request at a time on each, the newest idle one taken first, and none idle for long. How
// many there are is not limited here: the callers cap what is under way. Must never reuse one whose request was cut off.
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { deferred } from '../../runtime/deferred.ts';
import { maxHeadBytes } from './answer-reader.ts';
import type { Connector } from './egress/index.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import type { Target } from './targets.ts';

/** What arrives for one request may be so many times the body and the head that are read: chunks have their framing. */
const framingFactor = 2;

/** How often idle ones are looked at: so much earlier than it may, one is closed at most. */
const tickMs = 500;

interface Idle {
  readonly connection: Connection;
  /** The tick at which it is closed. */
  readonly until: number;
  /** The time from which it is not taken any more: after a halt of the process no tick has come yet. */
  readonly staleAt: number;
}

export interface ConnectionsDeps {
  readonly connect: Connector;
  readonly clock: Clock;
  /** How much of a body is read. */
  readonly maxAnswerBytes: number;
}

export class Connections {
  readonly #clock: Clock;
  readonly #deps: ConnectionDeps;
  readonly #all = new Set<Connection>();
  /** By origin, the newest last. An origin without one is forgotten at the next tick. */
  readonly #idle = new Map<string, Idle[]>();
  /** Sockets, from before they are opened until they are closed. */
  readonly #sockets = new Set<Promise<void>>();
  #tick = 0;
  #cancelTick: Cancel | undefined;
  #isClosed = false;

  constructor({ connect, clock, maxAnswerBytes }: ConnectionsDeps) {
    this.#clock = clock;
    this.#deps = {
      connect: (options, callback) => {
        const { promise, resolve } = deferred<void>();
        this.#await(promise);
        connect(options, (...result) => {
          const [, socket] = result;
          if (socket) socket.once('close', () => resolve());
          else resolve();
          callback(...result);
        });
      },
      maxBytes: framingFactor * (maxHeadBytes + maxAnswerBytes),
      onOver: (connection) => this.#forget(connection),
    };
  }

  /** One for the next request, and for it alone: to be given back, or dropped. It may still have to connect. */
  take(target: Target): Connection {
    const waiting = this.#idle.get(target.origin);
    for (let idle = waiting?.pop(); idle; idle = waiting?.pop()) {
      if (this.#clock.now() < idle.staleAt) return idle.connection;
      this.drop(idle.connection);
    }
    const connection = new Connection(target, this.#deps);
    this.#all.add(connection);
    return connection;
  }

  /** After an answer that was read to its end. */
  giveBack(connection: Connection): void {
    const { idleMs } = connection;
    if (idleMs === 0 || !this.#all.has(connection)) return this.drop(connection);
    const { origin } = connection.target;
    const until = this.#tick + Math.floor(idleMs / tickMs);
    const idle = { connection, until, staleAt: this.#clock.now() + idleMs };
    const waiting = this.#idle.get(origin);
    if (waiting) waiting.push(idle);
    else this.#idle.set(origin, [idle]);
    if (!this.#cancelTick && !this.#isClosed) this.#tickLater();
  }

  /** Closes it at once, with what is under way on it. */
  drop(connection: Connection): void {
    if (this.#all.delete(connection)) connection.destroy();
  }

  /** Closes all of them; resolves when every socket is closed. Whoever calls has ended what is being opened. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTick?.();
    for (const connection of this.#all) this.drop(connection);
    while (this.#sockets.size > 0) await Promise.all(this.#sockets);
  }

  #tickLater(): void {
    this.#cancelTick = this.#clock.after(tickMs, () => {
      this.#tick += 1;
      this.#cancelTick = undefined;
      this.#closeIdle();
      if (this.#idle.size > 0) this.#tickLater();
    });
  }

  #closeIdle(): void {
    for (const [origin, waiting] of this.#idle) {
      const [over, kept] = [
        waiting.filter(({ until }) => until <= this.#tick),
        waiting.filter(({ until }) => until > this.#tick),
      ];
      if (kept.length === 0) this.#idle.delete(origin);
      else if (over.length > 0) this.#idle.set(origin, kept);
      for (const { connection } of over) this.drop(connection);
    }
  }

  /** It may be idle, and must not be taken any more. */
  #forget(connection: Connection): void {
    this.#all.delete(connection);
    const { origin } = connection.target;
    const waiting = this.#idle.get(origin);
    const kept = waiting?.filter((idle) => idle.connection !== connection);
    if (kept && kept.length !== waiting?.length) this.#idle.set(origin, kept);
  }

  #await(closed: Promise<void>): void {
    this.#sockets.add(closed);
    void closed.then(() => this.#sockets.delete(closed));
  }
}
