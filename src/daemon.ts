// The composition root: a configuration goes in, a running relay comes out. Starts the stages from the log outwards,
// stops them in the reverse order; decides nothing else.
import { setMaxListeners } from 'node:events';
import type { Config } from './config/config.ts';
import { attachGateway, gatewayPath, upgradeRequired } from './delivery/gateway/index.ts';
import { createDoor } from './door/index.ts';
import { Audience } from './fanout/audience.ts';
import { createFeed } from './fanout/feed.ts';
import { createApp } from './http/app.ts';
import { routesOf, type Route } from './http/routes-of.ts';
import { listen } from './http/server.ts';
import type { DedupeOptions } from './ingest/dedupe.ts';
import { createIngest } from './ingest/ingest.ts';
import { openLog } from './log/postgres-log.ts';
import { createReader } from './log/reader.ts';
import { Retention } from './log/retention.ts';
import { openTail } from './log/tail.ts';
import { createBusinessEvents, type BusinessEvents } from './observability/business-events.ts';
import { createLogger, type Logger } from './observability/logger.ts';
import { createMetrics } from './observability/metrics.ts';
import { systemClock, type Clock } from './runtime/clock.ts';
import type { EventDraft } from './domain/event.ts';
import type { Crash } from './runtime/crash-points.ts';
import { openDatabase, type Database } from './store/database.ts';
import { migrate } from './store/migrate.ts';
import type { Superseded } from './store/ownership.ts';
import { createSealer } from './store/seal.ts';
import { newWebhookSecret } from './store/secrets.ts';
import { createStore, type Store } from './store/store.ts';
import { catalogue, eventTypes } from './upstream/twitch/catalog.ts';
import { defaultTimings, type Timings } from './upstream/twitch/timings.ts';
import { createTwitchUpstream, type TwitchUpstreamDeps } from './upstream/twitch/twitch-upstream.ts';
import { httpAccounts, tellResumed } from './wiring/accounts.ts';
import { followStore, loadInterests } from './wiring/audience.ts';
import {
  countingDeclare,
  countingSink,
  doorObserver,
  gaugeSources,
  gatewayObserver,
  ingestObserver,
  measuredFeed,
  measuredSender,
  upstreamObserver,
  webhookObserver,
  type Live,
} from './wiring/observers.ts';
import {
  botStatus,
  consumerActions,
  grantStore,
  importBot,
  readiness,
  tokenStore,
  upstreamStore,
} from './wiring/ports.ts';
import { becomeOwner, checkRole, type Role } from './wiring/owner.ts';
import { standBeside, whileInUse } from './wiring/take-over.ts';
import { packageVersion } from './wiring/version.ts';
import { stopShares } from './wiring/stop-shares.ts';
import { openWebhooks } from './wiring/webhooks.ts';

const hourMs = 3_600_000;
/** Beside the consumers' sockets: so that a full house of them still leaves room for requests. */
const requestSockets = 1_000;

/** Everything that a test may replace; this bag is the whole mechanism. */
export interface DaemonOverrides {
  readonly clock?: Clock;
  readonly timings?: Timings;
  readonly random?: () => number;
  /** Opened by the caller and left open at the stop. */
  readonly database?: Database;
  /** Where log lines go instead of stderr. */
  readonly logTo?: { write(line: string): void };
  readonly logFormat?: 'human' | 'json';
  readonly retentionIntervalMs?: number;
  /** How many message ids are remembered for how long. */
  readonly dedupe?: DedupeOptions;
  /** Called at each of the points at which a death of the process is tried out. */
  readonly crash?: Crash;
}

/** How this process becomes the active one. */
export interface Launch {
  /** `alone` unless said otherwise. */
  readonly role?: Role;
  /** Ends one that stands by. */
  readonly signal?: AbortSignal;
}

export interface Daemon {
  /** `http://host:port` */
  readonly url: string;
  readonly databaseKind: Database['kind'];
  readonly log: Logger;
  /** Every route that is served. */
  readonly routes: readonly Route[];
  /** Settles when this one is to be stopped: another relay asks for its place, or has it. */
  readonly superseded: Promise<Superseded>;
  /**
   * Tells consumers, closes every socket, commits what is held, closes the database. Resolves when nothing is left
   * open. Idempotent.
   */
  stop(): Promise<void>;
}

/** Resolves once requests are taken; sessions towards Twitch are then under way. Rejects with what is wrong and how to mend it. */
export async function startDaemon(
  config: Config,
  overrides: DaemonOverrides = {},
  launch: Launch = {},
): Promise<Daemon> {
  const clock = overrides.clock ?? systemClock;
  const log = createLogger({
    level: config.logLevel,
    format: overrides.logFormat ?? 'json',
    destination: overrides.logTo ?? { write: (line) => void process.stderr.write(line) },
  });
  const closing: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (let close = closing.pop(); close; close = closing.pop()) {
      await close().catch((error: unknown) => log.error({ err: error }, 'a part did not stop cleanly'));
    }
  };
  try {
    const { role = 'alone', signal = new AbortController().signal } = launch;
    const started = await start(config, overrides, { clock, log, closing, role, signal });
    let stopping: Promise<void> | undefined;
    return { ...started, log, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

const longestRetentionMs = (config: Config) =>
  Math.max(config.retentionHours, config.retentionChatHours) * hourMs;

interface Context {
  readonly clock: Clock;
  readonly log: Logger;
  readonly role: Role;
  readonly signal: AbortSignal;
  /** Called last first. */
  readonly closing: (() => Promise<unknown>)[];
}

async function start(config: Config, overrides: DaemonOverrides, context: Context) {
  const { clock, log, closing } = context;
  const { crash } = overrides;
  const random = overrides.random ?? Math.random;
  const live: Live = {};
  const shares = stopShares(config.shutdownTimeoutSeconds * 1_000);
  const metrics = createMetrics(gaugeSources(live, clock));
  const told = createBusinessEvents(metrics, log, new Set(eventTypes.map(({ type }) => type)));

  const { database, owner, store } = await openStore(config, overrides, context);
  let publicUrl = config.publicUrl;
  let declare: (draft: EventDraft) => Promise<void>;
  const rows = upstreamStore(store);
  const timings = overrides.timings ?? defaultTimings;
  const open = (ports: Pick<TwitchUpstreamDeps, 'store' | 'sink' | 'standingBy'>) =>
    createTwitchUpstream({
      ...ports,
      clientId: config.twitchClientId,
      clientSecret: config.twitchClientSecret,
      eventSubUrl: config.twitchEventsubUrl,
      keepaliveSeconds: config.keepaliveTimeoutSeconds,
      clock,
      random,
      timings,
      tokens: tokenStore(store),
      authorizations: store.authorizations,
      grants: grantStore(store, (resumed) => tellResumed({ store, declare, clock, log }, resumed)),
      redirectUri: () => `${publicUrl}/oauth/callback`,
      mockApiPort: config.mockApiPort,
      observer: upstreamObserver(told, log),
      crash,
    });
  const successor = owner.isActive
    ? undefined
    : await standBeside({ ...context, owner, store: rows, open, lookEveryMs: timings.coverageMs });
  await reseal(store, log);
  const { eventLog, reader, retention, audience, feed, ingest } = await openStages(
    config,
    overrides,
    context,
    { database, store, told },
  );
  declare = countingDeclare(ingest, told);
  const sink = countingSink(ingest, told);
  const upstream = successor?.upstream ?? open({ store: rows, sink });
  closing.push(() => upstream.stop());
  await successor?.goOn({ eventLog, sink });
  closing.push(followStore({ store, audience, upstream, clock, log }));
  Object.assign(live, { reader, retention, ingest, upstream } satisfies Live);

  const webhooks = openWebhooks({
    config,
    clock,
    store,
    feed,
    random,
    declare,
    longestRetentionMs: longestRetentionMs(config),
    observer: webhookObserver(told, log),
    measured: (sender) => measuredSender(sender, clock, told),
    crash,
  });
  live.webhooks = webhooks.handle;
  closing.push(() => webhooks.stop(shares.webhooksMs));
  await webhooks.handle.start();

  const stopping = new AbortController();
  // Every request that waits listens to it.
  setMaxListeners(0, stopping.signal);
  const door = createDoor({
    allowed: config.allowedCidrs,
    trusted: config.trustProxy,
    clock,
    observer: doorObserver(told),
  });
  const app = createApp({
    version: packageVersion(),
    door,
    adminKey: config.adminApiKey,
    clock,
    log,
    store,
    feed,
    audience,
    catalogue,
    eventTypes,
    upstream: {
      botStatus: (botId) => botStatus(upstream, botId),
      check: (botIds) => upstream.check(botIds),
    },
    importBot: (body) => importBot(store, upstream, told, body),
    accounts: httpAccounts({
      store,
      upstream,
      declare,
      clock,
      log,
      stopping: stopping.signal,
    }),
    authorizations: upstream.authorizations,
    lookupUser: (botId, login) => upstream.lookupUser(botId, login),
    consumerActions: consumerActions(store, () => live.gateway),
    webhooks: webhooks.actions,
    webhookChallenge: config.webhookChallenge === 'on',
    newWebhookSecret,
    readiness: readiness({ database, ingest, clock }),
    metrics,
    stopping: stopping.signal,
  });
  // Asked for without an upgrade, the socket's path says what it is for.
  app.get(gatewayPath, (c) => upgradeRequired(c.get('requestId')));
  const begin = () =>
    listen({
      app,
      host: config.host,
      port: config.port,
      clock,
      maxSockets: config.maxConnections + requestSockets,
      timings: { closeGraceMs: shares.requestsMs },
    });
  const listener = await (successor ? whileInUse(clock, begin) : begin());
  closing.push(() => listener.close());
  // Twitch takes plain http for this name alone, and not for an address.
  publicUrl ??= `http://localhost:${new URL(listener.url).port}`;
  const gateway = attachGateway({
    server: listener.server,
    deps: {
      door,
      feed: measuredFeed(feed, clock, told),
      moreToCome: () => ingest.isHolding,
      store,
      clock,
      random,
      declare,
      limits: {
        maxConnections: config.maxConnections,
        longestRetentionMs: longestRetentionMs(config),
        allowedOrigins: config.allowedOrigins.length > 0 ? config.allowedOrigins : null,
      },
      observer: gatewayObserver(told, log, clock),
      crash,
    },
  });
  live.gateway = gateway;
  closing.push(() => gateway.stop());
  const { drainMs, cutMs } = shares;
  closing.push(() => gateway.drain({ withinMs: drainMs, cutAfterMs: cutMs, reason: 'restart' }));
  closing.push(async () => stopping.abort());

  await upstream.start();
  if (config.mockApiPort !== undefined)
    log.warn({ port: config.mockApiPort }, 'a stand-in is used for Twitch');
  log.info({ url: listener.url, database: database.kind }, 'the relay takes requests');
  const { superseded } = owner;
  return { url: listener.url, databaseKind: database.kind, routes: routesOf(app), superseded };
}

async function openStore(config: Config, overrides: DaemonOverrides, context: Context) {
  const { clock, log, closing } = context;
  const { databaseUrl, dataDir } = config;
  checkRole(context.role, overrides.database?.kind ?? (databaseUrl ? 'postgres' : 'embedded'));
  const database = overrides.database ?? (await openDatabase({ databaseUrl, dataDir, log }));
  if (!overrides.database) closing.push(() => database.close());
  if (database.kind === 'embedded') {
    log.info(
      { data_dir: dataDir },
      'the embedded database serves this one process; DATABASE_URL chooses PostgreSQL',
    );
  }
  const owner = await becomeOwner({ ...context, database });
  if (owner.isActive) {
    const applied = await migrate(database);
    if (applied.length > 0) log.info({ migrations: applied }, 'the database was brought up to date');
  }
  const store = createStore(database, createSealer(config.tokenEncryptionKeys), clock, {
    serviceBotDefault: config.serviceBotDefault,
  });
  closing.push(() => store.close());
  return { database, owner, store };
}

/** Written by whoever is active, and by nobody else. */
async function reseal(store: Store, log: Logger): Promise<void> {
  const bots = await store.bots.reseal();
  const endpoints = await store.endpoints.reseal();
  if (bots + endpoints > 0)
    log.info({ bots, endpoints }, 'tokens and secrets were sealed again with the first key');
}

async function openStages(
  config: Config,
  overrides: DaemonOverrides,
  { clock, log, closing }: Context,
  { database, store, told }: { database: Database; store: Store; told: BusinessEvents },
) {
  const { crash } = overrides;
  const eventLog = await openLog({ pool: database.pool, crash });
  const tail = await openTail({ log: eventLog, clock });
  const reader = createReader({ log: eventLog, tail });
  const audience = new Audience({ loadInterests: (ids) => loadInterests(store, ids) });
  await audience.reload();
  const keepMs = { chat: config.retentionChatHours * hourMs, standard: config.retentionHours * hourMs };
  const feed = createFeed({
    reader,
    audience,
    keepMs,
    onWakeError: (err) => log.error({ err }, 'a wake-up threw'),
    crash,
  });
  const retention = new Retention({
    log: eventLog,
    clock,
    keepMs,
    ...(overrides.retentionIntervalMs === undefined
      ? {}
      : { options: { intervalMs: overrides.retentionIntervalMs } }),
    onError: (err) => log.warn({ err }, 'retention failed and is tried again'),
  });
  const ingest = createIngest({
    log: eventLog,
    clock,
    isWanted: (topicId) => audience.isWanted(topicId),
    limits: { maxHeldEvents: config.ingestBufferEvents },
    observer: ingestObserver(told, log),
    crash,
    ...(overrides.dedupe ? { dedupe: overrides.dedupe } : {}),
  });
  const loops = new AbortController();
  const running = [tail.run(loops.signal), retention.run(loops.signal)];
  closing.push(async () => {
    loops.abort();
    await Promise.all(running);
  });
  closing.push(() => ingest.stop());
  return { eventLog, reader, retention, audience, feed, ingest };
}
