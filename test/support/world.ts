// The whole daemon against the simulator, on real sockets and a real database: what every scenario starts from.
import { randomBytes } from 'node:crypto';
import { startDaemon, type Daemon, type DaemonOverrides, type Launch } from '../../src/daemon.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { Database } from '../../src/store/database.ts';
import { defaultTimings, type Timings } from '../../src/upstream/twitch/timings.ts';
import type { InterestView } from '../../src/protocol/rest.ts';
import type { AttemptView, EndpointView } from '../../src/protocol/rest-webhooks.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import {
  startSimulator,
  type SessionSnapshot,
  type Simulator,
  type SimulatorOptions,
  type SimUser,
} from '../simulator/index.ts';
import { Canary } from './canary.ts';
import { connectConsumer, type ConsumerOptions, type TestConsumer } from './consumer.ts';
import type { Receiver } from './receiver.ts';
import { ShiftClock } from './shift-clock.ts';
import { sharedDatabase, type TestDatabase } from './test-database.ts';
import { until } from './until.ts';

export const adminKey = 'test-admin-key-0123456789';

/** Scopes for every type the scenarios use. */
export const allScopes = [
  'user:read:chat',
  'moderator:read:followers',
  'channel:read:subscriptions',
  'bits:read',
  'channel:moderate',
  'channel:read:redemptions',
  'channel:read:polls',
];

export interface Bot {
  readonly id: string;
  readonly user: SimUser;
  readonly accessToken: string;
  readonly refreshToken: string;
}

export interface Service {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface WebhookOptions {
  readonly broadcasterId?: string;
  readonly path?: string;
  /** For PATCH /v1/endpoints/{id}. */
  readonly settings?: object;
}

export interface WorldOptions {
  readonly simulator?: SimulatorOptions;
  readonly timings?: Partial<Timings>;
  readonly overrides?: Partial<DaemonOverrides>;
  readonly env?: Readonly<Record<string, string>>;
  /** Opened by the caller; emptied here, closed by the caller. */
  readonly database: Database;
  /** Keep what earlier worlds left in the database. */
  readonly keep?: boolean;
}

/** Quick enough that nobody waits, slow enough that order shows. */
const quick: Partial<Timings> = {
  backOff: { firstMs: 20, maxMs: 200 },
  handoverRetryMs: 20,
  coverageMs: 100,
  reconcileMs: 30_000,
  // Scenarios that let days pass have Twitch announce so long a silence.
  longestKeepaliveMs: Infinity,
};

export class World implements AsyncDisposable {
  readonly sim: Simulator;
  readonly clock = new ShiftClock();
  readonly logs: string[] = [];
  /** Every secret of this world; none may be in `logs`, which the disposal checks. */
  readonly canary: Canary;
  readonly #options: WorldOptions;
  readonly #consumers: TestConsumer[] = [];
  readonly #env: Record<string, string>;
  #daemon: Daemon | undefined;
  #broadcasters = 0;
  /** What node has to say, such as of listeners that pile up: an operator would see it too. */
  readonly #warnings: string[] = [];
  readonly #warned = (warning: Error) => void this.#warnings.push(warning.stack ?? warning.message);

  constructor(sim: Simulator, options: WorldOptions) {
    this.sim = sim;
    this.#options = options;
    this.#env = {
      ADMIN_API_KEY: adminKey,
      TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      TWITCH_CLIENT_ID: sim.clientId,
      TWITCH_CLIENT_SECRET: sim.clientSecret,
      TWITCH_EVENTSUB_URL: sim.eventSubUrl,
      TWURPLE_MOCK_API_PORT: String(sim.port),
      PORT: '0',
      LOG_LEVEL: 'trace',
      // Receivers of the tests are on this machine.
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      ...options.env,
    };
    this.canary = new Canary([sim.clientId]);
    this.canary.learnSettings(this.#env);
    process.on('warning', this.#warned);
  }

  get daemon(): Daemon {
    if (!this.#daemon) throw new Error('the daemon is stopped');
    return this.#daemon;
  }

  get url(): string {
    return this.daemon.url;
  }

  async start(): Promise<void> {
    const loaded = loadConfig(this.#env);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    this.#daemon = await startDaemon(loaded.config, {
      clock: this.clock,
      database: this.#options.database,
      timings: { ...defaultTimings, ...quick, ...this.#options.timings },
      logTo: { write: (line) => void this.logs.push(line) },
      ...this.#options.overrides,
    });
  }

  /** Another relay on the same server's database, with connections of its own. The caller stops it, or has it `adopted`. */
  beside(launch: Launch, env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
    const loaded = loadConfig({ ...this.env(), ...env });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const overrides = {
      clock: this.clock,
      timings: { ...defaultTimings, ...quick, ...this.#options.timings },
      logTo: { write: (line: string) => void this.logs.push(line) },
    };
    return startDaemon(loaded.config, overrides, launch);
  }

  get database(): Database {
    return this.#options.database;
  }

  /** Of a process of its own on the same database. */
  env(): Record<string, string> {
    const url = this.#options.database.connection.connectionString;
    return { ...this.#env, ...(url ? { DATABASE_URL: url } : {}) };
  }

  /** The world's relay from now on; the one before was stopped. */
  adopt(daemon: Daemon): void {
    this.#daemon = daemon;
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.stop();
  }

  /** On the same port, as a service manager would. */
  async restart(): Promise<void> {
    this.#env['PORT'] = new URL(this.url).port;
    await this.stop();
    await this.start();
  }

  /** A call to the API: the status and the parsed body. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    options: { body?: unknown; as?: Service | 'admin' } = {},
  ): Promise<{ status: number; body: T; headers: Headers }> {
    const headers: Record<string, string> = {};
    if (options.as === 'admin') headers['X-Admin-Key'] = adminKey;
    else if (options.as) {
      headers['X-Client-Id'] = options.as.clientId;
      headers['X-Client-Secret'] = options.as.clientSecret;
    }
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(new URL(path, this.url), {
      method,
      headers,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    this.canary.learnAnswer(text);
    return {
      status: response.status,
      body: (text ? JSON.parse(text) : null) as T,
      headers: response.headers,
    };
  }

  async addBot(
    login = `bot${randomBytes(3).toString('hex')}`,
    scopes: readonly string[] = allScopes,
  ): Promise<Bot> {
    const user = this.sim.addUser({ login });
    const grant = this.sim.grant({ userId: user.id, scopes });
    const answer = await this.call<{ id: string }>('POST', '/v1/admin/bots/import', {
      as: 'admin',
      body: { name: login, access_token: grant.accessToken, refresh_token: grant.refreshToken },
    });
    if (answer.status >= 300) throw new Error(`import: ${answer.status} ${JSON.stringify(answer.body)}`);
    return { id: answer.body.id, user, ...grant };
  }

  async addService(name = `service-${randomBytes(3).toString('hex')}`): Promise<Service> {
    const { status, body } = await this.call<{ client_id: string; client_secret: string }>(
      'POST',
      `/v1/admin/service-accounts?name=${encodeURIComponent(name)}`,
      { as: 'admin' },
    );
    if (status !== 201) throw new Error(`service: ${status} ${JSON.stringify(body)}`);
    return { name, clientId: body.client_id, clientSecret: body.client_secret };
  }

  /** Somebody whose channel can be watched; costs 1 unless they have authorised the app. */
  addBroadcaster(authorised = true): SimUser {
    const user = this.sim.addUser({
      login: `channel${this.#broadcasters++}${randomBytes(2).toString('hex')}`,
    });
    if (authorised) this.sim.grant({ userId: user.id, scopes: [] });
    return user;
  }

  async addInterest(
    service: Service,
    bot: Bot,
    type: string,
    broadcasterId: string = bot.user.id,
    { wait = 10, ...more }: { wait?: number; version?: string; condition?: Record<string, string> } = {},
  ): Promise<InterestView> {
    const { status, body } = await this.call<InterestView>('POST', `/v1/interests?wait=${wait}`, {
      as: service,
      body: {
        bot_account_id: bot.id,
        event_type: type,
        broadcaster_user_id: broadcasterId,
        transport: 'websocket',
        ...more,
      },
    });
    if (status !== 201 && status !== 200) throw new Error(`interest: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** An interest over a webhook; the receiver is told the secret if this made the endpoint. */
  async addWebhook(
    service: Service,
    bot: Bot,
    type: string,
    receiver: Receiver,
    { broadcasterId = bot.user.id, path = '/hook', settings }: WebhookOptions = {},
  ): Promise<InterestView & { endpoint_id: string }> {
    const { status, body } = await this.call<InterestView & { endpoint_id: string; webhook_secret?: string }>(
      'POST',
      '/v1/interests?wait=10',
      {
        as: service,
        body: {
          bot_account_id: bot.id,
          event_type: type,
          broadcaster_user_id: broadcasterId,
          transport: 'webhook',
          webhook_url: receiver.url(path),
        },
      },
    );
    if (status !== 201 && status !== 200) throw new Error(`webhook: ${status} ${JSON.stringify(body)}`);
    if (body.webhook_secret) receiver.secrets.push(body.webhook_secret);
    if (settings) await this.configure(service, body.endpoint_id, settings);
    return body;
  }

  async configure(service: Service, endpointId: string, settings: object): Promise<void> {
    const answer = await this.call('PATCH', `/v1/endpoints/${endpointId}`, { as: service, body: settings });
    if (answer.status !== 200) throw new Error(`endpoint: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async endpoint(service: Service, endpointId: string): Promise<EndpointView> {
    const { body } = await this.call<EndpointView>('GET', `/v1/endpoints/${endpointId}`, { as: service });
    return body;
  }

  /** The history of attempts, the newest first. */
  async attempts(service: Service, query = ''): Promise<AttemptView[]> {
    const { body } = await this.call<AttemptView[]>('GET', `/v1/deliveries?limit=1000&${query}`, {
      as: service,
    });
    return body;
  }

  async consumer(
    service: Service,
    protocol: 'plain' | 'relay.v1' = 'relay.v1',
    options: ConsumerOptions = {},
  ): Promise<TestConsumer> {
    const consumer = await connectConsumer(this.url, service, protocol, options);
    this.#consumers.push(consumer);
    return consumer;
  }

  /** The whole log as the service may read it. */
  async log(service: Service): Promise<RelayEvent[]> {
    const events: RelayEvent[] = [];
    let after = '';
    for (;;) {
      const query = after ? `?limit=1000&after=${after}` : '?limit=1000';
      const { body } = await this.call<{ events: RelayEvent[]; next: string }>('GET', `/v1/events${query}`, {
        as: service,
      });
      events.push(...body.events);
      // A page may be short of what was asked for; an empty one is the end.
      if (body.events.length === 0) return events;
      after = body.next;
    }
  }

  gaps(events: readonly RelayEvent[]): { cause: string; topic_ids: string[]; from: string; to: string }[] {
    return events
      .filter((event) => event.type === 'relay.gap')
      .map((event) => event.event as { cause: string; topic_ids: string[]; from: string; to: string });
  }

  /** The open session of the bot's user; waits for one. */
  session(bot: Bot, but?: string): Promise<SessionSnapshot> {
    return until(
      () => this.sim.sessions().find((each) => each.open && each.userId === bot.user.id && each.id !== but),
      { what: `a session of ${bot.user.login}` },
    );
  }

  /** Waits until that many subscriptions of the bot are enabled on open sessions. */
  subscribed(bot: Bot, count: number, timeoutMs = 10_000): Promise<unknown> {
    return until(
      () =>
        this.sim
          .subscriptions()
          .filter((each) => each.userId === bot.user.id && each.status === 'enabled' && !each.zombie)
          .length === count,
      { what: `${count} live subscriptions of ${bot.user.login}`, timeoutMs },
    );
  }

  /** Waits until the relay says that everything wished for is confirmed. */
  ready(): Promise<unknown> {
    return until(async () => (await fetch(new URL('/ready', this.url))).status === 200, { what: 'ready' });
  }

  /** Requests that the relay made, since `from`. */
  requests(operation: string, from = 0): { status: number; body: unknown; query: unknown }[] {
    return this.sim.requests.slice(from).filter((each) => each.operation === operation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const consumer of this.#consumers) await consumer[Symbol.asyncDispose]();
    await this.stop();
    await this.sim.close();
    process.off('warning', this.#warned);
    this.canary.assertSilent(this.logs);
    if (this.#warnings.length > 0) throw new Error(`node warned: ${this.#warnings.join('\n')}`);
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers were left behind`);
  }
}

/** An empty database, a simulator and a running daemon. */
export async function createWorld(options: WorldOptions & { testDatabase: TestDatabase }): Promise<World> {
  if (!options.keep) await options.testDatabase.reset();
  const sim = await startSimulator(options.simulator);
  process.env['TWURPLE_MOCK_API_PORT'] = String(sim.port);
  const world = new World(sim, options);
  try {
    await world.start();
    return world;
  } catch (error) {
    await sim.close();
    throw error;
  }
}

/** One database for a test file; worlds are made in it one after another. */
export function worlds(): {
  open(): Promise<void>;
  close(): Promise<void>;
  create(options?: Omit<WorldOptions, 'database'>): Promise<World>;
} {
  let place: TestDatabase | undefined;
  let database: Database | undefined;
  return {
    async open() {
      place = await sharedDatabase();
      database = await place.open();
    },
    async close() {
      await place?.[Symbol.asyncDispose]();
    },
    create(options = {}) {
      if (!place || !database) throw new Error('open the database first');
      return createWorld({ ...options, database, testDatabase: place });
    },
  };
}
