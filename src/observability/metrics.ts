// Every metric of the daemon, in one place, on a registry of its own. No label is unbounded: bots are few and the
// operator's own; services and consumers, which may be many, are only ever summed or maximised.
import {
  Counter,
  Gauge,
  Histogram,
  Registry as PromRegistry,
  type OpenMetricsContentType,
} from 'prom-client';

type Registry = PromRegistry<OpenMetricsContentType>;

const prefix = 'relay_';

/** Read when somebody looks. Whatever is missing is not shown. */
export interface GaugeSources {
  readonly bots?: () => readonly BotGauges[];
  readonly log?: () => { readonly head: number; readonly floors: Readonly<Record<string, number>> };
  /** What became of notifications since the start, and how many wait for their commit. */
  readonly ingest?: () => IngestCounts | undefined;
  /** Events that retention has removed since the start, by class. */
  readonly removed?: () => Readonly<Record<string, number>>;
  readonly connections?: () => Readonly<Record<string, number>>;
  /** Of the open consumer that is furthest behind. */
  readonly maxConsumerLag?: () => number;
  readonly webhooks?: () => WebhookGauges | undefined;
}

export interface IngestCounts {
  readonly pending: number;
  readonly duplicatesTotal: number;
  readonly unwantedTotal: number;
  readonly droppedTotal: number;
  readonly refusedTotal: number;
}

export interface WebhookGauges {
  /** Endpoints that are worked on, by state; a disabled one is not. */
  readonly endpoints: Readonly<Record<string, number>>;
  readonly inFlight: number;
  /** Of the endpoint that is furthest behind. */
  readonly maxBehind: number;
}

export interface BotGauges {
  readonly bot: string;
  readonly sessions: number;
  readonly lastFrameAgeS: number | null;
  readonly subscriptions: number;
  readonly cost: number;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** Counters to be counted up by business events, gauges that ask `sources` when they are read. */
export function createMetrics(sources: GaugeSources = {}) {
  const registry: Registry = new PromRegistry();
  registry.setContentType(PromRegistry.OPENMETRICS_CONTENT_TYPE);
  return {
    registry,
    async render(): Promise<{ contentType: string; body: string }> {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    ...upstreamCounters(registry),
    ...logMetrics(registry),
    ...deliveryMetrics(registry),
    ...webhookMetrics(registry),
    ...gauges(registry, sources),
  };
}

const counter = <T extends string>(registry: Registry, name: string, help: string, labelNames: T[] = []) =>
  new Counter({ name: `${prefix}${name}`, help, labelNames, registers: [registry] });

const histogram = <T extends string>(
  registry: Registry,
  name: string,
  help: string,
  buckets: number[],
  labelNames: T[] = [],
) => new Histogram({ name: `${prefix}${name}`, help, buckets, labelNames, registers: [registry] });

function upstreamCounters(registry: Registry) {
  return {
    reconnects: counter(registry, 'upstream_reconnects_total', 'New upstream sockets, by cause', ['cause']),
    gaps: counter(registry, 'gaps_total', 'Declared windows of possible loss, by cause', ['cause']),
    notifications: counter(registry, 'notifications_total', 'Notifications received, by type', ['type']),
    malformed: counter(registry, 'upstream_malformed_frames_total', 'Upstream frames that could not be read'),
    verdicts: counter(registry, 'topic_verdicts_total', 'What became of subscriptions, by state', ['state']),
  };
}

function logMetrics(registry: Registry) {
  return {
    appendBatch: histogram(
      registry,
      'log_append_batch_events',
      'Events per commit',
      [1, 4, 16, 64, 256, 1024],
    ),
    appendSeconds: histogram(
      registry,
      'log_append_seconds',
      'Duration of a commit',
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    ),
    appendFailures: counter(registry, 'log_append_failures_total', 'Commits that failed and are tried again'),
  };
}

function deliveryMetrics(registry: Registry) {
  return {
    eventsSent: counter(registry, 'events_sent_total', 'Events handed to consumers', ['protocol']),
    closes: counter(registry, 'connection_closes_total', 'Closed consumer sockets, by code', ['code']),
    refusedLogins: counter(registry, 'refused_logins_total', 'Log-ins that were refused'),
  };
}

function webhookMetrics(registry: Registry) {
  return {
    attempts: counter(registry, 'webhook_attempts_total', 'Webhook requests that ended, by outcome', [
      'outcome',
    ]),
    attemptSeconds: histogram(
      registry,
      'webhook_attempt_seconds',
      'Duration of a webhook request',
      [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    ),
    deliveriesEnded: counter(registry, 'webhook_deliveries_ended_total', 'Deliveries that ended, by state', [
      'state',
    ]),
    endpointChanges: counter(
      registry,
      'webhook_endpoint_changes_total',
      'Endpoints that changed state, by state',
      ['state'],
    ),
    historyDropped: counter(
      registry,
      'webhook_history_dropped_total',
      'Attempts that could not be written to the history',
    ),
  };
}

function gauges(registry: Registry, sources: GaugeSources) {
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name: `${prefix}${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  const ofBots = (name: string, help: string, read: (bot: BotGauges) => number | null) =>
    gauge(name, help, ['bot'], (own) => {
      for (const bot of sources.bots?.() ?? []) {
        const value = read(bot);
        if (value !== null) own.set({ bot: bot.bot }, value);
      }
    });
  const scalar = (name: string, help: string, read: (() => number) | undefined) =>
    gauge(name, help, [], (own) => {
      if (read) own.set(read());
    });
  const labelled = (
    name: string,
    help: string,
    label: string,
    read: () => Readonly<Record<string, number>> | undefined,
  ) =>
    gauge(name, help, [label], (own) => {
      for (const [key, value] of Object.entries(read() ?? {})) own.set({ [label]: key }, value);
    });
  const { log } = sources;
  const ingest = () => sources.ingest?.();
  /** A counter that somebody else keeps. */
  const total = (name: string, help: string, read: (counts: IngestCounts) => number) =>
    new Counter({
      name: `${prefix}${name}`,
      help,
      registers: [registry],
      collect() {
        const counts = ingest();
        this.reset();
        this.inc(counts ? read(counts) : 0);
      },
    });
  return {
    sessions: ofBots('upstream_sessions', 'Live upstream sockets', (bot) => bot.sessions),
    frameAge: ofBots('upstream_last_frame_age_seconds', 'Since the last frame', (bot) => bot.lastFrameAgeS),
    subscriptions: ofBots('upstream_subscriptions', 'Confirmed subscriptions', (bot) => bot.subscriptions),
    cost: ofBots('upstream_cost', 'Cost in use', (bot) => bot.cost),
    head: scalar('log_head', 'Highest committed position', log && (() => log().head)),
    floors: labelled('log_floor', 'Removed up to here', 'class', () => log?.().floors),
    pending: scalar(
      'ingest_pending_events',
      'Notifications waiting for their commit',
      () => ingest()?.pending ?? 0,
    ),
    duplicates: total(
      'notifications_duplicate_total',
      'Notifications seen before',
      (counts) => counts.duplicatesTotal,
    ),
    unwanted: total(
      'notifications_unwanted_total',
      'Notifications that no interest asks for',
      (counts) => counts.unwantedTotal,
    ),
    dropped: total(
      'notifications_dropped_total',
      'Notifications dropped while the database was away; a gap says so',
      (counts) => counts.droppedTotal,
    ),
    refused: total(
      'notifications_refused_total',
      'Notifications the database never takes',
      (counts) => counts.refusedTotal,
    ),
    removed: labelled('log_removed_events', 'Events removed by retention since the start', 'class', () =>
      sources.removed?.(),
    ),
    connections: labelled('connections', 'Open sockets', 'protocol', () => sources.connections?.()),
    lag: scalar(
      'consumer_lag_max_events',
      'Events the slowest open consumer is behind',
      sources.maxConsumerLag,
    ),
    endpoints: labelled(
      'webhook_endpoints',
      'Webhook endpoints that are worked on, by state',
      'state',
      () => sources.webhooks?.()?.endpoints,
    ),
    inFlight: scalar(
      'webhook_requests_in_flight',
      'Webhook requests under way',
      () => sources.webhooks?.()?.inFlight ?? 0,
    ),
    endpointLag: scalar(
      'webhook_lag_max_events',
      'Events the slowest webhook endpoint is behind',
      () => sources.webhooks?.()?.maxBehind ?? 0,
    ),
  };
}
