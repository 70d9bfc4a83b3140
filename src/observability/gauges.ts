// What is read from the running parts when somebody asks for the numbers. It keeps nothing.
import { foreignCounter, gauge, type Registries } from './instruments.ts';

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
  /** Twitch's limits per bot, for what is used to be held against. */
  readonly limits?: { readonly subscriptions: number; readonly cost: number };
  readonly process?: () => ProcessGauges;
  readonly version?: string;
}

export interface IngestCounts {
  readonly pending: number;
  readonly duplicatesTotal: number;
  readonly unwantedTotal: number;
  readonly droppedTotal: number;
  readonly refusedTotal: number;
  /** Why nothing is committed at the moment; null: it is. */
  readonly failing?: string | null;
  readonly oldestPendingMs?: number;
}

export interface WebhookGauges {
  /** Endpoints that are worked on, by state; a disabled one is not. */
  readonly endpoints: Readonly<Record<string, number>>;
  readonly inFlight: number;
  /** Of the endpoint that is furthest behind. */
  readonly maxBehind: number;
}

/** One per bot that the relay holds: few, and the operator's own, so its id may be a label. */
export interface BotGauges {
  readonly bot: string;
  readonly sessions: number;
  readonly lastFrameAgeS: number | null;
  readonly subscriptions: number;
  readonly cost: number;
  /** Everything wished for is confirmed. */
  readonly healthy?: boolean;
}

export interface ProcessGauges {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly cpuSeconds: number;
  /** How long the main thread has had work. */
  readonly loopBusySeconds: number;
  readonly startedAtS: number;
}

export function registerGauges(registries: Registries, sources: GaugeSources): void {
  botGauges(registries, sources);
  logGauges(registries, sources);
  deliveryGauges(registries, sources);
  processGauges(registries, sources);
}

const scalar = (registries: Registries, name: string, help: string, read: () => number | null | undefined) =>
  gauge(registries, { name, help }, [], (set) => {
    const value = read();
    if (value !== null && value !== undefined) set({}, value);
  });

const byLabel = (
  registries: Registries,
  name: string,
  help: string,
  label: string,
  read: () => Readonly<Record<string, number>> | undefined,
) =>
  gauge(registries, { name, help }, [label], (set) => {
    for (const [value, count] of Object.entries(read() ?? {})) set({ [label]: value }, count);
  });

function botGauges(registries: Registries, sources: GaugeSources): void {
  const ofBots = (name: string, help: string, read: (bot: BotGauges) => number | null | undefined) =>
    gauge(registries, { name, help }, ['bot'], (set) => {
      for (const bot of sources.bots?.() ?? []) {
        const value = read(bot);
        if (value !== null && value !== undefined) set({ bot: bot.bot }, value);
      }
    });
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));
  ofBots('upstream_sessions', 'Live upstream sockets', (bot) => bot.sessions);
  ofBots('upstream_last_frame_age_seconds', 'Since the last frame', (bot) => bot.lastFrameAgeS);
  ofBots('upstream_subscriptions', 'Confirmed subscriptions', (bot) => bot.subscriptions);
  ofBots('upstream_cost', 'Cost in use', (bot) => bot.cost);
  ofBots('bot_healthy', '1: everything wished for is confirmed on a live session', (bot) =>
    flag(bot.healthy),
  );
  const { limits } = sources;
  const subscriptions = 'Subscriptions that a bot may have';
  scalar(registries, 'upstream_subscriptions_limit', subscriptions, () => limits?.subscriptions);
  scalar(registries, 'upstream_cost_limit', 'Cost that a bot may use', () => limits?.cost);
}

function logGauges(registries: Registries, { log, removed, ingest }: GaugeSources): void {
  const counts = () => ingest?.();
  scalar(registries, 'log_head', 'Highest committed position', () => log?.().head);
  byLabel(registries, 'log_floor', 'Removed up to here', 'class', () => log?.().floors);
  byLabel(registries, 'log_removed_events', 'Events removed by retention since the start', 'class', () =>
    removed?.(),
  );
  const pending = 'Notifications waiting for their commit';
  scalar(registries, 'ingest_pending_events', pending, () => counts()?.pending ?? 0);
  const oldest = 'How long the oldest notification has waited for its commit';
  scalar(registries, 'ingest_oldest_pending_seconds', oldest, () => (counts()?.oldestPendingMs ?? 0) / 1000);
  const writable = '1: the log can be written; 0: events are held back';
  scalar(registries, 'log_writable', writable, () => ((counts()?.failing ?? null) === null ? 1 : 0));
  for (const [name, help, read] of totals) {
    foreignCounter(registries, { name: `notifications_${name}_total`, help }, () => {
      const now = counts();
      return now && read(now);
    });
  }
}

const totals: readonly (readonly [string, string, (counts: IngestCounts) => number])[] = [
  ['duplicate', 'Notifications seen before', (counts) => counts.duplicatesTotal],
  ['unwanted', 'Notifications that no interest asks for', (counts) => counts.unwantedTotal],
  [
    'dropped',
    'Notifications dropped while the database was away; a gap says so',
    (counts) => counts.droppedTotal,
  ],
  ['refused', 'Notifications the database never takes', (counts) => counts.refusedTotal],
];

function deliveryGauges(registries: Registries, sources: GaugeSources): void {
  byLabel(registries, 'connections', 'Open sockets', 'protocol', () => sources.connections?.());
  const lag = 'Events the slowest open consumer is behind';
  scalar(registries, 'consumer_lag_max_events', lag, () => sources.maxConsumerLag?.());
  const webhooks = () => sources.webhooks?.();
  const endpoints = 'Webhook endpoints that are worked on, by state';
  byLabel(registries, 'webhook_endpoints', endpoints, 'state', () => webhooks()?.endpoints);
  const inFlight = 'Webhook requests under way';
  scalar(registries, 'webhook_requests_in_flight', inFlight, () => webhooks()?.inFlight ?? 0);
  const behind = 'Events the slowest webhook endpoint is behind';
  scalar(registries, 'webhook_lag_max_events', behind, () => webhooks()?.maxBehind ?? 0);
}

function processGauges(registries: Registries, { process, version }: GaugeSources): void {
  const now = () => process?.();
  scalar(registries, 'process_resident_bytes', 'Memory that the process holds', () => now()?.residentBytes);
  scalar(registries, 'process_heap_used_bytes', 'JavaScript heap in use', () => now()?.heapUsedBytes);
  const cpu = { name: 'process_cpu_seconds_total', help: 'Processor time of all threads' };
  foreignCounter(registries, cpu, () => now()?.cpuSeconds);
  const busy = { name: 'process_loop_busy_seconds_total', help: 'Time in which the main thread had work' };
  foreignCounter(registries, busy, () => now()?.loopBusySeconds);
  scalar(registries, 'process_start_time_seconds', 'When the relay started', () => now()?.startedAtS);
  gauge(registries, { name: 'build_info', help: 'The version that runs; always 1' }, ['version'], (set) => {
    if (version !== undefined) set({ version }, 1);
  });
}
