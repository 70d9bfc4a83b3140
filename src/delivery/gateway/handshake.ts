// The handshake: turns an upgrade request into an admitted connection or a refusal, in the order of PROTOCOL §4. It owns
// the sockets that are still waiting for an answer, and never an open connection.
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Cursor } from '../../domain/cursor.ts';
import { encodeCursor, standing } from '../../domain/cursor.ts';
import type { Door, Knock, Visitor } from '../../domain/visitor.ts';
import { pause } from '../../runtime/clock.ts';
import { maxMessageBytes } from './client-message.ts';
import { parseConnect, selectProtocol } from './connect-request.ts';
import type { ConnectRequest } from './connect-request.ts';
import { Gateway } from './gateway.ts';
import type { DrainOptions, GatewayStats } from './gateway.ts';
import { logIn } from './login.ts';
import type { Login, Throttled } from './login.ts';
import { handBack, wantsWebSocket } from './plain-request.ts';
import type { GatewayDeps } from './ports.ts';
import { refuse } from './refusal.ts';
import type { Refusal } from './refusal.ts';
import type { AckOutcome } from './session.ts';
import { RelaySocket, Wire } from './wire.ts';

/** A database that takes longer to answer a log-in counts as away. */
const logInWithinMs = 10_000;
const retryAfter = { 'retry-after': '5' };

const unavailable: Refusal = {
  status: 503,
  code: 'unavailable',
  detail: 'The relay cannot check credentials right now.',
  headers: retryAfter,
};
const restarting: Refusal = {
  status: 503,
  code: 'draining',
  detail: 'The relay is about to restart.',
  headers: retryAfter,
};
const throttled = (retryAfterSeconds: number): Refusal => ({
  status: 429,
  code: 'too_many_failed_logins',
  detail: `Too many log-ins from this address have failed; try again in ${retryAfterSeconds} s, with other credentials.`,
  headers: { 'retry-after': String(retryAfterSeconds) },
});
const crowded: Refusal = {
  status: 429,
  code: 'too_many_connections',
  detail: 'The relay has as many connections as it takes.',
  headers: retryAfter,
};

export interface GatewayHandle {
  /** Whether a connection of this consumer is open in this process. */
  isConnected(serviceAccountId: string, consumer: string): boolean;
  /**
   * An acknowledgement that came over HTTP, for a consumer that is connected. `beyond`: it names what was never sent,
   * and nothing happened. `not_connected`: the caller writes the row.
   */
  acknowledge(serviceAccountId: string, consumer: string, seq: number): AckOutcome;
  stats(): GatewayStats;
  /** No more log-ins (503); every connection is told and closed within the time. Resolves when none is left. */
  drain(options: DrainOptions): Promise<void>;
  /** Ends everything now. Resolves when no socket, no timer and no listener of the gateway is left. Idempotent. */
  stop(): Promise<void>;
}

/** Serves `/ws/events` on the server's upgrade requests; the server itself stays the caller's. */
export function attachGateway({ server, deps }: { server: Server; deps: GatewayDeps }): GatewayHandle {
  const gateway = new Gateway(deps);
  const door = new Upgrades(server, gateway, deps);
  server.on('upgrade', door.onUpgrade);
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    const stopped = gateway.stop();
    await Promise.all([door.close(), stopped]);
    // After the last socket: until then a late client is refused in words, not by a broken handshake.
    server.off('upgrade', door.onUpgrade);
  };
  return {
    isConnected: (serviceAccountId, consumer) => gateway.isConnected(serviceAccountId, consumer),
    acknowledge: (serviceAccountId, consumer, seq) => gateway.acknowledge(serviceAccountId, consumer, seq),
    stats: () => gateway.stats(),
    drain: (options) => gateway.drain(options),
    stop: () => (stopping ??= stop()),
  };
}

class Upgrades {
  readonly #server: Server;
  readonly #gateway: Gateway;
  readonly #deps: GatewayDeps;
  readonly #door: Door;
  /** Upgrades only; connections are tracked by the gateway. No compression: frames are made once for all readers. */
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: maxMessageBytes,
    WebSocket: RelaySocket,
    handleProtocols: selectProtocol,
  });
  readonly #waiting = new Map<Duplex, Promise<void>>();

  constructor(server: Server, gateway: Gateway, deps: GatewayDeps) {
    this.#server = server;
    this.#gateway = gateway;
    this.#deps = deps;
    this.#door = deps.door;
  }

  readonly onUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!wantsWebSocket(req)) {
      handBack(this.#server, req, socket, head);
      return;
    }
    const onError = () => socket.destroy();
    socket.on('error', onError);
    const admitting = this.#admit(req, socket, head)
      .catch((error: unknown) => {
        this.#gateway.tally.failed('handshake', error);
        this.#refuse(socket, unavailable);
      })
      .finally(() => this.#waiting.delete(socket));
    this.#waiting.set(socket, admitting);
  };

  /** Cuts whoever is still waiting for an answer. */
  async close(): Promise<void> {
    for (const socket of this.#waiting.keys()) socket.destroy();
    const bound = new AbortController();
    const all = Promise.all(this.#waiting.values()).then(() => bound.abort());
    await Promise.race([all, pause(this.#deps.clock, logInWithinMs, bound.signal)]);
  }

  async #admit(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const entry = this.#door.enter(knockOf(req));
    if (!entry.ok) return this.#refuse(socket, { ...entry, detail: entry.message });
    const parsed = parseConnect(req);
    if (!parsed.ok) return this.#refuse(socket, parsed.refusal);
    const early = this.#closedDoor();
    if (early) return this.#refuse(socket, early);
    const { request } = parsed;
    const login = await this.#identify(request, entry.visitor);
    if ('status' in login) return this.#refuse(socket, login);
    const late = this.#closedDoor() ?? (login.ok ? this.#checkAfter(request, login.service.id) : undefined);
    if (late) return this.#refuse(socket, late);
    if (!(socket instanceof Socket) || socket.destroyed) {
      socket.destroy();
      return;
    }
    this.#upgrader.handleUpgrade(req, socket, head, (ws) => this.#enter(ws, socket, request, login));
  }

  #enter(ws: RelaySocket, socket: Socket, request: ConnectRequest, login: Login): void {
    const wire = new Wire(ws, socket, this.#deps.clock);
    // Nothing is read before somebody listens.
    wire.pause();
    this.#gateway.track(wire);
    const { kind, query, after } = request;
    if (!login.ok) {
      this.#gateway.denyLogin(wire, kind, login);
      return;
    }
    const admitted = { wire, service: login.service, given: login.given };
    if (kind === 'plain') {
      this.#gateway.openPlain(admitted, { types: query.types, after: after?.seq ?? this.#deps.feed.head() });
      return;
    }
    void this.#gateway.openConsumer(admitted, {
      consumer: query.consumer,
      types: query.types,
      after,
      onExpired: query.on_expired,
      ackMode: query.ack,
      maxInFlight: query.max_in_flight,
    });
  }

  #closedDoor(): Refusal | undefined {
    if (this.#gateway.isDraining) return restarting;
    const { maxConnections } = this.#gateway.limits;
    return this.#gateway.connectionCount >= maxConnections ? crowded : undefined;
  }

  /** A page that may not connect is told so before its credentials are looked at, and without using up its token. */
  async #identify(request: ConnectRequest, visitor: Visitor): Promise<Login | Refusal> {
    if (this.#isForeignOrigin(request.origin)) return foreignOrigin;
    const deadline = new AbortController();
    const login = logIn(this.#deps.store, request.given, {
      visitor,
      changes: () => this.#gateway.serviceChanges,
    });
    const timeout = pause(this.#deps.clock, logInWithinMs, deadline.signal).then(() => unavailable);
    try {
      return await Promise.race([login.then(orThrottled), timeout]);
    } finally {
      deadline.abort();
    }
  }

  /** A cursor that the client brought and from which it cannot go on; unless it said what to do then. */
  #checkAfter({ kind, query, after }: ConnectRequest, serviceAccountId: string): Refusal | undefined {
    if (!after || (kind === 'relay.v1' && query.on_expired !== 'reject')) return undefined;
    const { feed } = this.#deps;
    const floor = feed.floorFor(feed.filter(serviceAccountId, query.types));
    const verdict = standing(after, { epoch: feed.epoch, floor, head: feed.head() });
    if (verdict === 'ok') return undefined;
    return goneRefusal(verdict, { epoch: feed.epoch, seq: floor });
  }

  #isForeignOrigin(origin: string | undefined): boolean {
    const { allowedOrigins } = this.#gateway.limits;
    return allowedOrigins !== null && origin !== undefined && !allowedOrigins.includes(origin);
  }

  #refuse(socket: Duplex, refusal: Refusal): void {
    this.#gateway.tally.refused(refusal.status, refusal.code);
    refuse(socket, refusal);
  }
}

const foreignOrigin: Login = {
  ok: false,
  reason: 'forbidden',
  message: 'this origin may not connect; ALLOWED_ORIGINS says which may',
};

const orThrottled = (login: Login | Throttled): Login | Refusal =>
  'retryAfterSeconds' in login ? throttled(login.retryAfterSeconds) : login;

const knockOf = (req: IncomingMessage): Knock => ({
  peer: req.socket.remoteAddress,
  forwardedFor: forwardedFor(req),
  method: req.method ?? '',
  path: (req.url ?? '').split('?', 1)[0] ?? '',
  targetLength: req.url?.length ?? 0,
  headerCount: req.rawHeaders.length / 2,
});

/** Several such headers are one list. */
function forwardedFor(req: IncomingMessage): string | undefined {
  const value = req.headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : value;
}

function goneRefusal(verdict: 'expired' | 'foreign' | 'ahead', floor: Cursor): Refusal {
  const detail =
    verdict === 'expired'
      ? 'after: events behind this cursor were removed. Start at `floor`, or without `after` for live.'
      : 'after: this cursor is of another log. Start at `floor`, or without `after` for live.';
  return {
    status: 410,
    code: verdict === 'expired' ? 'cursor_expired' : 'cursor_foreign',
    detail,
    extra: { floor: encodeCursor(floor.epoch, floor.seq) },
  };
}
