// Every open connection: who they are, which consumer is whose, and how they all end. Nobody else closes a connection for
// a reason outside it. It holds connections, never events.
import { randomUUID } from 'node:crypto';
import { encodeCursor } from '../../domain/cursor.ts';
import type { CloseReason } from '../../protocol/close-codes.ts';
import { connectLimits } from '../../protocol/frames.ts';
import { pause } from '../../runtime/clock.ts';
import { around } from '../../runtime/crash-points.ts';
import { Positions } from '../positions.ts';
import { Turns } from '../turns.ts';
import { Accounts } from './accounts.ts';
import { ClientMessages } from './client-message.ts';
import { Connection, errorFrame } from './connection.ts';
import { startConsumer } from './consumer-start.ts';
import type { ConsumerRequest } from './consumer-start.ts';
import type { Credential } from './credential.ts';
import { controlFrame } from './encode.ts';
import type { Given, Login } from './login.ts';
import { PlainConnection } from './plain-connection.ts';
import type { PlainOptions } from './plain-connection.ts';
import { consumerKey, gatewayDefaults } from './ports.ts';
import type {
  ConnectionKind,
  ConsumerPosition,
  GatewayDeps,
  GatewayLimits,
  GatewayService,
} from './ports.ts';
import type { AckOutcome, Session, SessionContext } from './session.ts';
import { Tally } from './tally.ts';
import type { Wire } from './wire.ts';

/** What a close handshake may take when the process stops, before the socket is cut. */
const stopWithinMs = 1_000;

/** A service that has logged in, on an accepted socket. */
export interface Admitted {
  readonly wire: Wire;
  readonly service: GatewayService;
  readonly given: Given;
}

export interface ConnectionRequest extends Omit<ConsumerRequest, 'serviceAccountId'> {
  readonly ackMode: 'cumulative' | 'auto';
  readonly maxInFlight: number;
}

export interface DrainOptions {
  /** Connections close at moments spread over this time. */
  readonly withinMs: number;
  /** What their close handshakes may take after that, before the sockets are cut; a second if it is not given. */
  readonly cutAfterMs?: number;
  /** For people and logs; part of the `reconnect` frame. */
  readonly reason: string;
  /** True when no relay will be there afterwards: 1001 instead of 1012. */
  readonly final?: boolean;
}

export interface GatewayStats {
  readonly connections: Readonly<Record<ConnectionKind, number>>;
  /** Close code to count, since the start. */
  readonly closes: ReadonlyMap<number, number>;
  readonly eventsSent: Readonly<Record<ConnectionKind, number>>;
  readonly bytesSent: number;
  /** The farthest that an open connection is behind the head, in positions. */
  readonly maxBehind: number;
}

export class Gateway {
  readonly deps: GatewayDeps;
  readonly limits: GatewayLimits;
  readonly #tally: Tally;
  readonly #context: SessionContext;
  readonly #wires = new Set<Wire>();
  readonly #sessions = new Set<Session>();
  readonly #accounts: Accounts;
  readonly #consumers = new Map<string, Connection>();
  /** Per consumer the end of the queue of openings: a position has one owner at a time. */
  readonly #openings = new Map<string, Promise<void>>();
  #draining: DrainOptions | undefined;

  constructor(deps: GatewayDeps) {
    this.deps = deps;
    this.limits = { ...gatewayDefaults, ...deps.limits };
    const { feed, clock, store, crash } = deps;
    const tally = new Tally(deps.observer ?? {});
    const positions = new Positions<ConsumerPosition>({
      clock,
      save: around(crash, 'ack', (rows) => store.consumers.save(rows)),
      failed: (error) => tally.failed('save', error),
    });
    this.#tally = tally;
    this.#context = {
      feed,
      clock,
      turns: new Turns({ clock, moreToCome: deps.moreToCome }),
      messages: new ClientMessages(),
      positions,
      observer: tally,
      crash,
    };
    this.#accounts = new Accounts({ store, clock, observer: tally }, this.limits.maxConnectionsPerService);
  }

  get isDraining(): boolean {
    return this.#draining !== undefined;
  }

  /** How many changes of service accounts there were; see `logIn`. */
  get serviceChanges(): number {
    return this.#accounts.changes;
  }

  get tally(): Tally {
    return this.#tally;
  }

  get connectionCount(): number {
    return this.#wires.size;
  }

  /** Counts the socket from its first moment, so that a stop waits for it whatever becomes of it. */
  track(wire: Wire): void {
    this.#wires.add(wire);
    void wire.ended.then(() => this.#wires.delete(wire));
  }

  /** Accepted only to be told why not. */
  deny(wire: Wire, kind: ConnectionKind, reason: CloseReason, message: string): void {
    if (kind === 'relay.v1') wire.write(controlFrame(errorFrame(reason, message)));
    wire.close(reason, message);
    void wire.ended.then(() => this.#tally.ended(kind, wire, null));
  }

  denyLogin(wire: Wire, kind: ConnectionKind, login: Extract<Login, { ok: false }>): void {
    this.deny(wire, kind, login.reason, login.message);
  }

  openPlain(admitted: Admitted, options: Omit<PlainOptions, 'serviceAccountId'>): void {
    const { wire, service } = admitted;
    if (this.#accounts.isFull(service.id)) {
      this.deny(wire, 'plain', 'too_many_connections', 'too many connections of this account');
      return;
    }
    const session = new PlainConnection(this.#context, wire, { ...options, serviceAccountId: service.id });
    this.#enter(session, wire, admitted);
    session.start();
  }

  /** Takes the consumer over from an older connection, finds its position and starts. Never rejects. */
  async openConsumer(admitted: Admitted, request: ConnectionRequest): Promise<void> {
    const key = consumerKey(admitted.service.id, request.consumer);
    const before = this.#openings.get(key) ?? Promise.resolve();
    const opening = before.then(() => this.#open(key, admitted, request));
    this.#openings.set(key, opening);
    await opening;
    if (this.#openings.get(key) === opening) this.#openings.delete(key);
  }

  /** Whether a connection of this consumer is open. */
  isConnected(serviceAccountId: string, consumer: string): boolean {
    return this.#consumers.has(consumerKey(serviceAccountId, consumer));
  }

  acknowledge(serviceAccountId: string, consumer: string, seq: number): AckOutcome {
    const connection = this.#consumers.get(consumerKey(serviceAccountId, consumer));
    return connection?.acknowledge(seq) ?? 'not_connected';
  }

  stats(): GatewayStats {
    const connections = { plain: 0, 'relay.v1': 0 };
    let maxBehind = 0;
    for (const session of this.#sessions) {
      connections[session.kind]++;
      maxBehind = Math.max(maxBehind, session.behind());
    }
    const { closes, eventsSent, bytesSent } = this.#tally;
    return { connections, closes: new Map(closes), eventsSent: { ...eventsSent }, bytesSent, maxBehind };
  }

  /** No more log-ins; every connection is told and closed, spread out. Resolves when none is left. */
  async drain(options: DrainOptions): Promise<void> {
    this.#draining ??= options;
    for (const session of this.#sessions) this.#drainOne(session, options);
    await this.#allEnded(options.withinMs + (options.cutAfterMs ?? stopWithinMs));
  }

  /** Ends everything now: 1001, and what does not answer is cut. Resolves when no socket and no timer is left. */
  async stop(): Promise<void> {
    this.#draining ??= { withinMs: 0, reason: 'stopping', final: true };
    for (const session of this.#sessions) session.abort('going_away', 'the relay stops');
    await this.#allEnded(stopWithinMs);
    this.#accounts.stop();
    await this.#context.positions.stop();
  }

  async #open(key: string, { wire, service, given }: Admitted, request: ConnectionRequest): Promise<void> {
    const older = this.#consumers.get(key);
    if (!older && this.#accounts.isFull(service.id)) {
      this.deny(wire, 'relay.v1', 'too_many_connections', 'too many connections of this account');
      return;
    }
    const credential = this.#accounts.watch(service, given, wire);
    try {
      await older?.takeOver();
      await this.#startConsumer(key, { wire, service, given }, request, credential);
    } catch (error) {
      this.#tally.failed('open', error);
      this.deny(wire, 'relay.v1', 'internal_error', 'the position could not be read');
    }
  }

  async #startConsumer(
    key: string,
    { wire, service }: Admitted,
    request: ConnectionRequest,
    credential: Credential,
  ): Promise<void> {
    const { feed, positions } = this.#context;
    const serviceAccountId = service.id;
    const startDeps = { ...this.deps, longestRetentionMs: this.limits.longestRetentionMs };
    const start = await startConsumer(startDeps, { ...request, serviceAccountId });
    if (!start.ok) {
      const floor = encodeCursor(feed.epoch, start.floor);
      const message = `the position was removed; the floor is ${floor}. Choose on_expired=earliest or live.`;
      this.deny(wire, 'relay.v1', 'cursor_expired', message);
      return;
    }
    const options = { ...request, ...start, serviceAccountId, sessionId: randomUUID(), head: feed.head() };
    const session = new Connection(this.#context, wire, {
      ...options,
      heartbeatMs: connectLimits.heartbeatMs,
    });
    // Before the first event is sent: a crash from here on is seen by the next connection.
    await positions.saveNow(key, session.position);
    if (!wire.isOpen) {
      wire.terminate();
      await positions.saveNow(key, { ...session.position, open: false });
      return;
    }
    this.#consumers.set(key, session);
    void session.ended.then(() => {
      if (this.#consumers.get(key) === session) this.#consumers.delete(key);
    });
    this.#register(session, wire, credential);
    session.start();
  }

  #enter(session: Session, wire: Wire, { service, given }: Admitted): void {
    this.#register(session, wire, this.#accounts.watch(service, given, wire));
  }

  #register(session: Session, wire: Wire, credential: Credential): void {
    const { kind, serviceAccountId } = session;
    this.#sessions.add(session);
    this.#tally.opened(kind, serviceAccountId);
    this.deps.store.services.touch(serviceAccountId);
    void session.ended.then(() => {
      this.#sessions.delete(session);
      this.#tally.ended(kind, wire, serviceAccountId);
    });
    // Both may end the session at once; its hello comes first, so not before the caller has started it.
    queueMicrotask(() => {
      credential.attach((reason, message) => session.revoke(reason, message));
      if (this.#draining) this.#drainOne(session, this.#draining);
    });
  }

  #drainOne(session: Session, { withinMs, reason, final }: DrainOptions): void {
    const inMs = Math.round(this.deps.random() * withinMs);
    session.drain(inMs, reason, final ? 'going_away' : 'restart');
  }

  /** Waits for every socket; those that are still there after the time are cut. */
  async #allEnded(withinMs: number): Promise<void> {
    const timer = new AbortController();
    const gone = this.#wiresGone().then(() => timer.abort());
    await pause(this.deps.clock, withinMs, timer.signal);
    for (const wire of this.#wires) wire.terminate();
    await gone;
    await Promise.all([...this.#sessions].map((session) => session.ended));
    // An opening that waits for the database has no socket any more; it is not waited for without end.
    const openings = Promise.all(this.#openings.values());
    const bound = new AbortController();
    await Promise.race([openings, pause(this.deps.clock, stopWithinMs, bound.signal)]);
    bound.abort();
  }

  async #wiresGone(): Promise<void> {
    while (this.#wires.size > 0) await Promise.all([...this.#wires].map((wire) => wire.ended));
  }
}
