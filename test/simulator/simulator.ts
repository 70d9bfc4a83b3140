// Owns the simulator's lifetime and the face that tests see. It must never import the relay: it is the second opinion.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { Accounts } from './accounts.ts';
import { Activity } from './activity.ts';
import type { WaitOptions } from './activity.ts';
import { newestVersion } from './catalog.ts';
import { controlRoutes } from './control-routes.ts';
import type { Core } from './core.ts';
import { Delivery } from './delivery.ts';
import type { BurstOptions, SendOptions } from './delivery.ts';
import { FaultBoard } from './faults.ts';
import type { FaultHandle, FaultSpec, FaultState } from './faults.ts';
import { helixRoutes } from './helix-routes.ts';
import { HttpDoor } from './http-door.ts';
import { Ids } from './ids.ts';
import { oauthRoutes } from './oauth-routes.ts';
import { DEFAULTS } from './options.ts';
import type { SimulatorOptions } from './options.ts';
import type { EventFields } from './payloads.ts';
import type { RateBuckets } from './rate-bucket.ts';
import { SessionHub } from './session-hub.ts';
import type { ReconnectOptions } from './session-hub.ts';
import { SubscriptionRules } from './subscription-rules.ts';
import { SubscriptionStore } from './subscription-store.ts';
import type {
  Condition,
  ConnectionRecord,
  RequestRecord,
  SentNotification,
  SessionSnapshot,
  SimUser,
  Subscription,
  SubscriptionSnapshot,
} from './types.ts';

export interface PlantedSubscription {
  userId: string;
  /** May name a session that never was: a zombie that lives until it is deleted. */
  sessionId: string;
  type: string;
  version?: string;
  condition: Condition;
  status?: string;
}

export class Simulator implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly eventSubUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly sent: readonly SentNotification[];
  readonly requests: readonly RequestRecord[];
  readonly connections: readonly ConnectionRecord[];
  readonly #core: Core;
  readonly #server: Server;
  readonly #hub: SessionHub;
  readonly #rules: SubscriptionRules;
  readonly #delivery: Delivery;
  readonly #buckets: RateBuckets;
  #closing: Promise<void> | undefined;

  /** Use `startSimulator`; the server must be listening already. */
  constructor(core: Core, server: Server, port: number) {
    this.#core = core;
    this.#server = server;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.eventSubUrl = `ws://127.0.0.1:${port}/ws`;
    this.clientId = core.settings.clientId;
    this.clientSecret = core.settings.clientSecret;
    this.#hub = new SessionHub(core);
    this.#rules = new SubscriptionRules(core, this.#hub);
    this.#delivery = new Delivery(core, this.#hub);
    const helix = helixRoutes({ core, hub: this.#hub, rules: this.#rules, delivery: this.#delivery });
    this.#buckets = helix.buckets;
    const door = new HttpDoor(core, [...helix.routes, ...oauthRoutes(core), ...controlRoutes(this)]);
    this.sent = this.#delivery.sent;
    this.requests = door.requests;
    this.connections = this.#hub.connections;
    this.#hub.attach(server, core.settings.advertisedSocketUrl ?? `ws://127.0.0.1:${port}`);
    server.on('request', door.listener);
  }

  addUser(user: { id?: string; login: string; displayName?: string }): SimUser {
    return this.#core.accounts.addUser(user);
  }

  users(): SimUser[] {
    return [...this.#core.accounts.users.values()];
  }

  /** The user authorizes the app: from now on conditions that name this user cost nothing. */
  grant(wanted: { userId: string; scopes: readonly string[]; expiresInSeconds?: number }): {
    accessToken: string;
    refreshToken: string;
  } {
    const { accessToken, refreshToken } = this.#core.accounts.grant(wanted);
    return { accessToken, refreshToken };
  }

  expireToken(accessToken: string): void {
    this.#core.accounts.expireToken(accessToken);
  }

  /** Every token of the user dies, and each subscription made with one ends with `authorization_revoked`. */
  revokeGrant(userId: string): void {
    this.#core.accounts.revokeGrant(userId);
    for (const subscription of this.#core.store.enabledOfUser(userId)) {
      this.#delivery.revoke(subscription, 'authorization_revoked');
    }
  }

  /** Whoever answers the next oauth2/authorize; null: the first user added. */
  signIn(userId: string | null): void {
    this.#core.accounts.signedInUserId = userId;
  }

  denyNextConsent(): void {
    this.#core.accounts.denyNextConsent = true;
  }

  /** The next consent, in a browser or for a device, grants these at most, whatever is asked. */
  grantOnlyNext(scopes: readonly string[]): void {
    this.#core.accounts.grantOnlyNext = [...scopes];
  }

  /** Tokens that clients gave back, oldest first: whose each was. */
  revokes(): { userId: string | null; at: number }[] {
    return this.requests
      .filter(({ operation, status }) => operation === 'revoke' && status === 200)
      .map(({ userId, at }) => ({ userId, at }));
  }

  /** The user types the code on the activation page and agrees, or refuses when `userId` is null. */
  answerDevice(userCode: string, userId: string | null): boolean {
    return this.#core.accounts.answerDevice(userCode, userId);
  }

  sessions(): SessionSnapshot[] {
    return this.#hub.snapshots();
  }

  /** Every subscription ever made and not deleted, whatever its status. */
  subscriptions(): SubscriptionSnapshot[] {
    return this.#core.store.all().map((item) => ({
      ...item,
      zombie: item.status === 'enabled' && this.#hub.sessions.get(item.sessionId)?.live !== true,
    }));
  }

  send(type: string, fields?: Condition, event?: EventFields, options?: SendOptions): SentNotification[] {
    return this.#delivery.send(type, fields, event, options);
  }

  sendBurst(subscriptionId: string, count: number, options?: BurstOptions): SentNotification[] {
    return this.#delivery.burst(this.#subscription(subscriptionId), count, options);
  }

  sendRaw(sessionId: string, data: string | Buffer): void {
    this.#hub.session(sessionId).connection.sendRaw(data);
  }

  /** Bytes that a session's socket has not yet handed to the kernel. */
  bufferedBytes(sessionId: string): number {
    return this.#hub.session(sessionId).connection.bufferedBytes;
  }

  requestReconnect(sessionId: string, options?: ReconnectOptions): string {
    return this.#hub.requestReconnect(sessionId, options);
  }

  revoke(subscriptionId: string, status: string): void {
    this.#delivery.revoke(this.#subscription(subscriptionId), status);
  }

  closeSession(sessionId: string, code: number, reason?: string): void {
    this.#hub.closeSession(sessionId, code, reason);
  }

  dropSession(sessionId: string, options?: { zombieMs?: number }): void {
    this.#hub.dropSession(sessionId, options);
  }

  plant(wanted: PlantedSubscription): SubscriptionSnapshot {
    const session = this.#hub.sessions.get(wanted.sessionId);
    session?.markUsed(wanted.userId);
    const { id } = this.#rules.insert({
      userId: wanted.userId,
      sessionId: wanted.sessionId,
      type: wanted.type,
      version: wanted.version ?? newestVersion(wanted.type) ?? '1',
      condition: wanted.condition,
      status: wanted.status ?? 'enabled',
      connectedAt: session?.connectedAt ?? this.#core.ids.timestamp(Date.now()),
      planted: true,
    });
    const planted = this.subscriptions().find((item) => item.id === id);
    if (!planted) throw new Error('a planted subscription vanished');
    return planted;
  }

  /** Empties the Helix bucket of this user (or of the app), so that the next call answers 429. */
  drainRateLimit(userId: string | null): void {
    this.#buckets.drain(userId ?? 'app');
  }

  arm(spec: FaultSpec): FaultHandle {
    const handle = this.#core.faults.arm(spec);
    this.#hub.applySilence();
    return handle;
  }

  faults(): readonly Readonly<FaultState>[] {
    return this.#core.faults.state();
  }

  disarm(faultId: number): boolean {
    return this.#core.faults.disarmById(faultId);
  }

  /** Looks again after every activity of the simulator and every 20 ms; rejects after `timeoutMs` (default 5,000). */
  waitFor<T>(predicate: () => T | undefined | false, options?: WaitOptions): Promise<T> {
    return this.#core.activity.waitFor(predicate, options);
  }

  /** Everything it opened is closed when this resolves. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #shutDown(): Promise<void> {
    this.#hub.close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #subscription(id: string): Subscription {
    const found = this.#core.store.get(id);
    if (!found) throw new Error(`no subscription ${id}`);
    return found;
  }
}

/** Listens on 127.0.0.1 when it resolves; rejects if the port is taken. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { seed, ...given } = options;
  const settings = { ...DEFAULTS, ...given };
  const ids = new Ids(seed);
  const activity = new Activity();
  const touch = (): void => activity.touch();
  const core: Core = {
    settings,
    ids,
    activity,
    faults: new FaultBoard(touch),
    accounts: new Accounts(ids, settings),
    store: new SubscriptionStore(touch),
  };
  const server = createServer({ keepAliveTimeout: 0 });
  server.listen(settings.port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator has no TCP port');
  return new Simulator(core, server, address.port);
}
