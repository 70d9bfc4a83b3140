// The HTTP surface on a real listener over the real store, log and feed; only the platform and the sending of webhooks are
// stand-ins.
import { createApp } from '../../src/http/app.ts';
import type { BotStatus, HttpDeps, UpstreamCheck } from '../../src/http/port.ts';
import type { Challenged, HttpWebhooks, SentOutcome } from '../../src/http/port-webhooks.ts';
import { listen, type Listener, type ListenOptions } from '../../src/http/server.ts';
import { Audience } from '../../src/fanout/audience.ts';
import { createFeed } from '../../src/fanout/feed.ts';
import type { EventFeed } from '../../src/delivery/port.ts';
import { openLog, type PostgresLog } from '../../src/log/postgres-log.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Database } from '../../src/store/database.ts';
import { createSealer } from '../../src/store/seal.ts';
import { newWebhookSecret } from '../../src/store/secrets.ts';
import { createStore, type Store } from '../../src/store/store.ts';
import { catalogue, eventTypes } from '../../src/upstream/twitch/catalog.ts';
import { RelayError } from '../../src/domain/errors.ts';
import { openDoor } from '../../src/domain/visitor.ts';
import { AccountsDouble, AuthorizationsDouble } from './account-doubles.ts';

export const adminKey = 'admin-key-of-the-tests';

export interface HttpWorld extends AsyncDisposable {
  readonly url: string;
  readonly listener: Listener;
  readonly store: Store;
  readonly log: PostgresLog;
  readonly feed: EventFeed;
  readonly lines: string[];
  readonly stopping: AbortController;
  readonly webhooks: WebhooksDouble;
  readonly accounts: AccountsDouble;
  readonly authorizations: AuthorizationsDouble;
  /** Consumers watching for a wake-up right now. */
  watching(): number;
  status: BotStatus;
  /** What asking Twitch gives. */
  upstream: UpstreamCheck;
  admin(method: string, path: string, body?: unknown): Promise<Response>;
  service(name?: string): Promise<ServiceCaller>;
}

export interface ServiceCaller {
  readonly id: string;
  readonly clientId: string;
  readonly clientSecret: string;
  call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response>;
}

type Call = { [Name in keyof HttpWebhooks]: [Name, ...Parameters<HttpWebhooks[Name]>] }[keyof HttpWebhooks];

/** Sends nothing: answers what the test has set, and remembers what it was asked. */
export class WebhooksDouble implements HttpWebhooks {
  readonly calls: Call[] = [];
  /** Why the egress guard refuses; null: it does not. */
  egress: string | null = null;
  echoed = true;
  outcome: SentOutcome = { kind: 'success', status: 200, response: 'ok', durationMs: 7 };
  /** What only a running delivery knows of: an endpoint that is gone for it. */
  gone = false;
  replayed: { run: string | null; events: number } = { run: null, events: 0 };

  async checkUrl(url: string) {
    this.calls.push(['checkUrl', url]);
    return this.egress === null ? ({ ok: true } as const) : ({ ok: false, message: this.egress } as const);
  }
  async challenge(url: string, secret: string): Promise<Challenged> {
    this.calls.push(['challenge', url, secret]);
    return { echoed: this.echoed, outcome: this.outcome };
  }
  async inForce(): Promise<void> {
    // Nothing is put in force here.
  }

  async challengeEndpoint(endpointId: string): Promise<Challenged | undefined> {
    this.calls.push(['challengeEndpoint', endpointId]);
    return this.gone ? undefined : { echoed: this.echoed, outcome: this.outcome };
  }
  async test(endpointId: string): Promise<SentOutcome | undefined> {
    this.calls.push(['test', endpointId]);
    return this.gone ? undefined : this.outcome;
  }
  async replay(request: Parameters<HttpWebhooks['replay']>[0]) {
    this.calls.push(['replay', request]);
    return this.replayed;
  }
}

const idle: BotStatus = {
  session: { state: 'none', sockets: 0, connected_at: null, last_frame_at: null, reconnects: 0 },
  healthy: true,
  detail: 'nothing is wanted',
  usage: null,
};

const reachable: UpstreamCheck = { unreachable: null, clockAheadMs: 0, tokens: new Map() };

/** `replace` swaps any dependency, as a fault that a test arms. The door is open unless it brings one. */
export async function httpWorld(
  database: Database,
  replace: (deps: HttpDeps) => Partial<HttpDeps> = () => ({}),
  listening: Pick<ListenOptions, 'timings' | 'maxSockets'> = {},
): Promise<HttpWorld> {
  const store = createStore(database, createSealer([Buffer.alloc(32, 7).toString('base64')]), systemClock);
  const log = await openLog({ pool: database.pool });
  const tail = await openTail({ log, clock: systemClock });
  const audience = new Audience({
    async loadInterests(ids) {
      const rows = await store.interests.filters();
      return ids ? rows.filter((row) => ids.includes(row.serviceAccountId)) : rows;
    },
  });
  await audience.reload();
  const real = createFeed({
    reader: createReader({ log, tail }),
    audience,
    keepMs: { chat: 86_400_000, standard: 604_800_000 },
  });
  let watchers = 0;
  const feed: EventFeed = {
    ...real,
    watch(serviceAccountId, wake) {
      watchers += 1;
      const unwatch = real.watch(serviceAccountId, wake);
      return () => {
        watchers -= 1;
        unwatch();
      };
    },
  };
  const lines: string[] = [];
  const stopping = new AbortController();
  const webhooks = new WebhooksDouble();
  const acked = new Map<string, number>();
  const state = { status: idle, upstream: reachable };
  const accounts = new AccountsDouble(store);
  const authorizations = new AuthorizationsDouble();
  const deps: HttpDeps = {
    adminKey,
    door: openDoor,
    version: '0.0.0-test',
    clock: systemClock,
    log: createLogger({
      level: 'debug',
      format: 'json',
      destination: { write: (line) => void lines.push(line) },
    }),
    store,
    feed,
    audience,
    catalogue,
    eventTypes,
    upstream: { botStatus: () => state.status, check: async () => state.upstream },
    async importBot(body) {
      if (body.access_token === 'bad')
        throw new RelayError('token_invalid', 422, 'Twitch does not know this token');
      const grant = { twitchUserId: '900', twitchLogin: 'botty', scopes: ['user:read:chat'] };
      const tokens = { accessToken: body.access_token, refreshToken: null, expiresAt: null };
      return (await store.bots.upsert({ ...grant, ...tokens, name: body.name })).bot;
    },
    accounts,
    authorizations,
    async lookupUser(_botId, login) {
      return login === 'forsen' ? { id: '22484632', login } : undefined;
    },
    consumerActions: {
      async ack(serviceAccountId, name, seq) {
        await store.consumers.open(serviceAccountId, name, { startSeq: 0 });
        await store.consumers.save([
          { serviceAccountId, name, ackedSeq: seq, sentSeq: seq, attempt: 1, open: false },
        ]);
        acked.set(name, Math.max(acked.get(name) ?? 0, seq));
        return acked.get(name) ?? 0;
      },
      connected: () => false,
    },
    webhooks,
    webhookChallenge: false,
    newWebhookSecret,
    readiness: [{ name: 'database', check: async () => ({ ok: true, detail: 'answers' }) }],
    metrics: createMetrics({ log: () => ({ head: feed.head(), floors: log.floors() }) }),
    stopping: stopping.signal,
  };
  const listener = await listen({
    app: createApp({ ...deps, ...replace(deps) }),
    host: '127.0.0.1',
    port: 0,
    ...listening,
  });
  const request =
    (headers: Record<string, string>) =>
    (method: string, path: string, body?: unknown, signal?: AbortSignal) =>
      fetch(`${listener.url}${path}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
  return {
    url: listener.url,
    listener,
    store,
    log,
    feed,
    lines,
    stopping,
    webhooks,
    accounts,
    authorizations,
    watching: () => watchers,
    get status() {
      return state.status;
    },
    set status(status) {
      state.status = status;
    },
    get upstream() {
      return state.upstream;
    },
    set upstream(upstream) {
      state.upstream = upstream;
    },
    admin: request({ 'x-admin-key': adminKey }),
    async service(name = 'worker') {
      const { service, clientSecret } = await store.services.create(name);
      const headers = { 'x-client-id': service.clientId, 'x-client-secret': clientSecret };
      return { id: service.id, clientId: service.clientId, clientSecret, call: request(headers) };
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await listener.close();
      await store.close();
    },
  };
}
