// Owns every upgrade, connection and session, and the hand-over between two connections of one session. It must never
// build an event.
import type { IncomingMessage, Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { CLOSE, Connection } from './connection.ts';
import type { Core } from './core.ts';
import { reconnectFrame } from './frames.ts';
import { announcedKeepaliveSeconds } from './options.ts';
import { Session } from './session.ts';
import type { ReconnectOffer } from './session.ts';
import type { ConnectionRecord, SessionSnapshot } from './types.ts';

const BASE_PATH = '/ws';
const RECONNECT_PATH = '/eventsub/ws';
/** Long enough that a client notices the loss of the old socket before the new welcome. */
const HANDOVER_GAP_MS = 50;

/** https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message, as subscription statuses. */
const STATUS_BY_CODE: Readonly<Record<number, string>> = {
  1006: 'websocket_network_error',
  4000: 'websocket_internal_error',
  4001: 'websocket_received_inbound_traffic',
  4002: 'websocket_failed_ping_pong',
  4003: 'websocket_connection_unused',
  4004: 'websocket_failed_to_reconnect',
  4005: 'websocket_network_timeout',
  4006: 'websocket_network_error',
  4007: 'websocket_failed_to_reconnect',
};

export interface ReconnectOptions {
  graceMs?: number;
  keepSessionId?: boolean;
}

type PathKind = ConnectionRecord['kind'];

export class SessionHub {
  readonly connections: ConnectionRecord[] = [];
  readonly sessions = new Map<string, Session>();
  readonly #core: Core;
  readonly #wss = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #owners = new Map<Connection, Session>();
  /** Connections on a reconnect URL whose welcome is still to come. */
  readonly #awaiting = new Map<Connection, ReconnectOffer>();
  readonly #offers = new Map<string, ReconnectOffer>();
  readonly #open = new Set<Connection>();
  readonly #tcp = new Set<Duplex>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #zombieMs = new Map<Session, number>();
  #socketUrl = '';

  constructor(core: Core) {
    this.#core = core;
  }

  attach(server: Server, socketUrl: string): void {
    this.#socketUrl = socketUrl;
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Throws for an id that was never handed out. */
  session(id: string): Session {
    const found = this.sessions.get(id);
    if (!found) throw new Error(`no session ${id}; known: ${[...this.sessions.keys()].join(', ') || 'none'}`);
    return found;
  }

  snapshots(): SessionSnapshot[] {
    return [...this.sessions.values()].map((session) =>
      session.snapshot(this.#core.store.enabledOfSession(session.id).length),
    );
  }

  /** Sends session_reconnect and answers with the URL in it. The old socket closes with 4004 after the grace. */
  requestReconnect(sessionId: string, options: ReconnectOptions = {}): string {
    const session = this.session(sessionId);
    const offer: ReconnectOffer = {
      token: this.#core.ids.token(40),
      session,
      keepSessionId: options.keepSessionId ?? false,
      state: 'pending',
    };
    if (session.offer?.state === 'pending') session.offer.state = 'void';
    session.offer = offer;
    this.#offers.set(offer.token, offer);
    const url = `${this.#socketUrl}${RECONNECT_PATH}?id=${this.#core.ids.uuid()}&challenge=${offer.token}`;
    const old = session.connection;
    session.send(reconnectFrame(this.#core.ids, session, url));
    this.later(options.graceMs ?? this.#core.settings.reconnectGraceMs, () => {
      const missed = offer.state === 'pending';
      if (missed) offer.state = 'void';
      if (old.open && !old.silent) old.close(CLOSE.graceOver, 'client reconnect grace time expired');
      else if (missed && session.state === 'open') this.#end(session, 'websocket_failed_to_reconnect');
    });
    this.#core.activity.touch();
    return url;
  }

  closeSession(sessionId: string, code: number, reason?: string): void {
    this.session(sessionId).connection.close(code, reason);
  }

  /** Cuts the TCP connection. `zombieMs` overrides how long Twitch goes on believing in the session. */
  dropSession(sessionId: string, options: { zombieMs?: number } = {}): void {
    const session = this.session(sessionId);
    if (options.zombieMs !== undefined) this.#zombieMs.set(session, options.zombieMs);
    session.connection.drop();
  }

  /** Lets armed silence faults take hold of the sessions that are open now. */
  applySilence(): void {
    for (;;) {
      const candidates = [...this.sessions.values()].filter((session) => session.live).toReversed();
      let target: Session | undefined;
      const fault = this.#core.faults.takeWithUndo('keepalive_silence', (spec) => {
        target = candidates.find((session) => spec.sessionId === undefined || spec.sessionId === session.id);
        return target !== undefined;
      });
      if (!fault || !target) return;
      const { connection } = target;
      connection.setSilent(true);
      fault.onDisarm(() => connection.setSilent(false));
    }
  }

  /** A timer that dies with the simulator. */
  later(delayMs: number, fn: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, delayMs);
    this.#timers.add(timer);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const session of this.sessions.values()) session.stop('ended');
    for (const connection of this.#open) connection.drop();
    for (const socket of this.#tcp) socket.destroy();
    this.#wss.close();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#tcp.add(socket);
    socket.on('close', () => this.#tcp.delete(socket));
    socket.on('error', () => undefined);
    const path = request.url ?? '/';
    const url = new URL(path, this.#socketUrl);
    const kind = url.pathname === RECONNECT_PATH ? 'reconnect' : 'base';
    const record: ConnectionRecord = {
      id: `c${this.connections.length + 1}`,
      path,
      kind,
      openedAt: Date.now(),
      sessionId: null,
      welcomedAt: null,
      refusedWith: null,
      closedAt: null,
      closeCode: null,
      byClient: false,
    };
    this.connections.push(record);
    const onPath = pathMatcher(kind);
    const refusal = this.#refusal(kind, url.pathname);
    if (refusal !== undefined) {
      record.refusedWith = refusal;
      record.closedAt = Date.now();
      socket.end(
        `HTTP/1.1 ${refusal} ${STATUS_CODES[refusal] ?? 'Error'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      );
    } else if (this.#core.faults.take('upgrade_hangs', onPath)) {
      socket.on('close', () => {
        record.closedAt = Date.now();
        record.byClient = true;
        this.#core.activity.touch();
      });
      // Read on, or the client's leaving would never be seen; HTTP sockets outlive the other end unless told otherwise.
      socket.on('end', () => socket.destroy());
      socket.resume();
    } else if (socket instanceof Socket) {
      this.#wss.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, socket, record, url));
    }
    this.#core.activity.touch();
  }

  #refusal(kind: PathKind, pathname: string): number | undefined {
    if (pathname !== BASE_PATH && pathname !== RECONNECT_PATH) return 404;
    const reconnect = kind === 'reconnect' ? this.#core.faults.take('reconnect_refused') : undefined;
    if (reconnect) return reconnect.status ?? 503;
    return this.#core.faults.take('upgrade_refused', pathMatcher(kind))?.status;
  }

  #accept(ws: WebSocket, tcp: Socket, record: ConnectionRecord, url: URL): void {
    const connection: Connection = new Connection(ws, tcp, record, this.#core.settings.pingIntervalMs, {
      onClosed: (how) => this.#closed(connection, how),
    });
    this.#open.add(connection);
    if (record.kind === 'reconnect')
      this.#acceptReconnect(connection, url.searchParams.get('challenge') ?? '');
    else this.#acceptBase(connection, url.searchParams.get('keepalive_timeout_seconds'));
  }

  #acceptBase(connection: Connection, askedKeepalive: string | null): void {
    const { faults, settings } = this.#core;
    if (faults.take('welcome_withheld', pathMatcher('base'))) return;
    this.#after(faults.take('welcome_late')?.delayMs ?? 0, () => {
      if (!connection.open) return;
      const session = new Session(
        this.#core,
        connection,
        announcedKeepaliveSeconds(settings, askedKeepalive),
      );
      this.#begin(session, false);
    });
  }

  #acceptReconnect(connection: Connection, token: string): void {
    const { faults } = this.#core;
    const offer = this.#offers.get(token);
    if (offer?.state !== 'pending' || faults.take('reconnect_url_4007')) {
      connection.close(CLOSE.invalidReconnect, 'invalid reconnect');
      return;
    }
    this.#awaiting.set(connection, offer);
    if (faults.take('welcome_withheld', pathMatcher('reconnect'))) return;
    let delayMs = faults.take('handover_welcome_late')?.delayMs ?? 0;
    const death = faults.take('old_socket_dies_during_handover');
    if (death) {
      offer.session.connection.drop();
      delayMs = Math.max(delayMs, death.delayMs ?? HANDOVER_GAP_MS);
    }
    this.#after(delayMs, () => this.#completeHandover(connection, offer));
  }

  #completeHandover(connection: Connection, offer: ReconnectOffer): void {
    this.#awaiting.delete(connection);
    if (!connection.open) return;
    if (offer.state !== 'pending') {
      connection.close(CLOSE.invalidReconnect, 'invalid reconnect');
      return;
    }
    offer.state = 'used';
    const old = offer.session;
    const session = new Session(
      this.#core,
      connection,
      old.keepaliveSeconds,
      offer.keepSessionId ? old.id : undefined,
    );
    old.stop('moved');
    session.previous = old.connection;
    session.userId = old.userId;
    this.#core.store.moveSession(old.id, session.id, session.connectedAt);
    this.#begin(session, old.userId !== null);
  }

  #begin(session: Session, carried: boolean): void {
    const { faults } = this.#core;
    const kind = session.connection.record.kind;
    this.sessions.set(session.id, session);
    this.#owners.set(session.connection, session);
    session.welcome(carried);
    this.applySilence();
    const close = faults.take('close_after_welcome', pathMatcher(kind));
    if (close) {
      this.#after(close.delayMs ?? 0, () => {
        if (close.code === 1006) session.connection.drop();
        else session.connection.close(close.code, 'fault');
      });
    }
  }

  #closed(connection: Connection, how: { code: number; clean: boolean; byClient: boolean }): void {
    this.#open.delete(connection);
    this.#awaiting.delete(connection);
    const session = this.#owners.get(connection);
    if (session?.state === 'open') this.#sessionLost(session, how);
    this.#core.activity.touch();
  }

  #sessionLost(session: Session, how: { code: number; clean: boolean; byClient: boolean }): void {
    const offer = session.offer;
    if (offer?.state === 'pending') {
      // A server-side loss leaves the offer good; a client that hangs up on the old socket first has thrown it away.
      if (!how.byClient) return;
      offer.state = 'void';
      for (const [waiting, its] of this.#awaiting) {
        if (its === offer) waiting.close(CLOSE.invalidReconnect, 'invalid reconnect');
      }
    }
    const unnoticed = !how.clean || session.connection.silent;
    const zombieMs = this.#zombieMs.get(session) ?? this.#core.settings.zombieMs;
    if (unnoticed && zombieMs > 0) {
      session.stop('zombie');
      this.later(zombieMs, () => this.#end(session, 'websocket_network_error'));
      return;
    }
    this.#end(session, STATUS_BY_CODE[how.code] ?? 'websocket_disconnected');
  }

  #end(session: Session, status: string): void {
    session.stop('ended');
    this.#core.store.endSession(session.id, status, this.#core.ids.timestamp(Date.now()));
  }

  #after(delayMs: number, fn: () => void): void {
    if (delayMs === 0) fn();
    else this.later(delayMs, fn);
  }
}

function pathMatcher(kind: PathKind): (spec: { path?: 'base' | 'reconnect' | 'any' | undefined }) => boolean {
  return (spec) => spec.path === 'any' || (spec.path ?? 'base') === kind;
}
