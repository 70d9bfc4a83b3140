// Who is told what: upstream, ingest and gateway report here, and it becomes a counter and a line of the log.
import { budgetLimits, subscriptionLimit } from '../domain/budget.ts';
import type { EventFeed, ReadResult } from '../delivery/port.ts';
import type { GatewayHandle, GatewayObserver } from '../delivery/gateway/index.ts';
import type { Sender, WebhookObserver, WebhooksHandle } from '../delivery/webhooks/ports.ts';
import type { DoorObserver } from '../door/index.ts';
import type { EventDraft } from '../domain/event.ts';
import type { Ingest, IngestObserver } from '../ingest/ingest.ts';
import type { LogReader } from '../log/port.ts';
import type { Retention } from '../log/retention.ts';
import type { BusinessEvents } from '../observability/business-events.ts';
import { lineBudget } from '../observability/line-budget.ts';
import type { Logger } from '../observability/logger.ts';
import type { DeliveryPath, GaugeSources } from '../observability/metrics.ts';
import { processReadings } from '../observability/process-readings.ts';
import type { GapEvent } from '../protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { UpstreamObserver } from '../upstream/observer.ts';
import type { UpstreamSink } from '../upstream/port.ts';
import type { TwitchUpstream } from '../upstream/twitch/twitch-upstream.ts';
import { packageVersion } from './version.ts';

/** The running parts that gauges look at; filled in as they come up. */
export interface Live {
  reader?: LogReader;
  retention?: Pick<Retention, 'counts'>;
  ingest?: Ingest;
  upstream?: TwitchUpstream;
  gateway?: GatewayHandle;
  webhooks?: Pick<WebhooksHandle, 'stats'>;
}

export const gaugeSources = (live: Live, clock: Clock): GaugeSources => ({
  bots: () =>
    (live.upstream?.statuses() ?? []).map(({ botId, status }) => ({
      bot: botId,
      sessions: status.sockets,
      lastFrameAgeS: status.lastFrameAt === null ? null : (clock.now() - status.lastFrameAt) / 1000,
      subscriptions: status.confirmed,
      cost: status.cost,
      healthy: status.healthy,
    })),
  limits: { subscriptions: subscriptionLimit, cost: budgetLimits.cost },
  process: processReadings,
  version: packageVersion(),
  log: () => ({ head: live.reader?.head() ?? 0, floors: live.reader?.floors() ?? {} }),
  ingest: () => live.ingest?.stats(),
  removed: () => live.retention?.counts.removed ?? {},
  connections: () => live.gateway?.stats().connections ?? {},
  maxConsumerLag: () => live.gateway?.stats().maxBehind ?? 0,
  webhooks: () => live.webhooks?.stats(),
});

/** Anybody may knock without end. */
const refusalLinesPerMinute = 30;

export function gatewayObserver(told: BusinessEvents, log: Logger, clock: Clock): GatewayObserver {
  const lines = lineBudget(refusalLinesPerMinute);
  return {
    closed: (kind, code, { serviceAccountId, reason }) =>
      told.consumerClosed({ service: serviceAccountId ?? 'unknown', protocol: kind, code, reason }),
    opened: (kind, serviceAccountId) => told.consumerConnected({ service: serviceAccountId, protocol: kind }),
    sent: (kind, events) => told.eventsSent(kind, events),
    refused: (status, code) => told.loginRefused(`${status} ${code}`, lines.take(clock.now())),
    failed: (what, err) => log.warn({ what, err }, 'the gateway met a fault'),
  };
}

export const webhookObserver = (told: BusinessEvents, log: Logger): WebhookObserver => ({
  // Member by member: it is told of every request, and a spread takes longer than the rest of it.
  attempted: ({ endpointId: endpoint, outcome, state, attempt, status, durationMs }) =>
    told.webhookAttempted({ endpoint, outcome, state, attempt, status, durationMs }),
  health: ({ endpointId, serviceAccountId, health }) =>
    told.endpointChanged({
      id: endpointId,
      service: serviceAccountId,
      state: health.state,
      code: health.code,
    }),
  failed: (what, err) => log.warn({ what, err }, 'webhook delivery met a fault'),
  recordsDropped: (count) => told.webhookHistoryDropped(count),
});

export const ingestObserver = (told: BusinessEvents, log: Logger): IngestObserver => ({
  committed: ({ size, tookMs }) => told.batchAppended(size, tookMs),
  failing: (fault, error) => told.appendFailed(fault, error),
  recovered: (afterMs) => log.info({ after_ms: afterMs }, 'the log can be written again'),
  refused: (draft, fault) =>
    log.error({ message_id: draft.id, type: draft.type, fault }, 'the database will not take this event'),
  overflowed: ({ botAccountId, cause, topicIds, from, to, count }) => {
    log.error({ bot: botAccountId, count }, 'notifications were dropped: the database was away for too long');
    told.gapDeclared({ bot: botAccountId, cause, topics: topicIds.length, from, to });
  },
});

export function upstreamObserver(told: BusinessEvents, log: Logger): UpstreamObserver {
  const malformedOf = new Set<string>();
  return {
    sessionReady: ({ botId, slot }) => told.sessionLive(botId, slot + 1),
    sessionLost: ({ botId, cause, code, httpStatus, retryInMs }) => {
      if (cause !== 'stopped') told.reconnecting(botId, cause, { code, httpStatus, retryInMs });
    },
    handedOver: ({ botId, slot, gapMs }) => {
      told.handedOver(botId, slot, gapMs);
    },
    malformedFrame: ({ botId, problem }) => {
      told.malformedFrame(botId, problem, !malformedOf.has(botId));
      malformedOf.add(botId);
    },
    unknownFrame: ({ botId, messageType }) =>
      log.debug({ bot: botId, message_type: messageType }, 'upstream sent a message type that is not known'),
    gapDeclared: ({ botId, cause, topics, fromMs, toMs }) =>
      told.gapDeclared({ bot: botId, cause, topics, from: fromMs, to: toMs }),
    topicState: ({ topicId, type, state, code }) => told.topicSettled({ id: topicId, type, state, code }),
    subscriptionRemoved: ({ botId, subscriptionId }) =>
      log.info({ bot: botId, subscription_id: subscriptionId }, 'subscription removed'),
    listFailed: ({ botId, status, reason }) =>
      log.warn(
        { bot: botId, status, reason },
        'the list of subscriptions could not be fetched; nothing is changed',
      ),
    reauthRequired: ({ botId }) => told.reauthRequired(botId),
    passFailed: ({ botId, error }) =>
      log.warn({ bot: botId, err: error }, 'reconciling failed and is tried again'),
    authorizationStarted: ({ id, kind }) => told.authorization(kind, 'started', { id }),
    authorizationEnded: ({ id, kind, state, code, botId }) =>
      told.authorization(kind, state, { id, code, bot: botId }),
    botRemoval: ({ botId, step, done }) => {
      if (done) log.info({ bot: botId, step }, 'a bot is being taken out');
      else log.warn({ bot: botId, step }, 'a bot cannot be taken out yet; tried again');
    },
  };
}

export const doorObserver = (told: BusinessEvents): DoorObserver => ({
  refused: (code) => {
    if (code === 'too_many_failed_logins') told.loginHeldBack();
  },
  failedLogin: (kind) => told.loginFailed(kind),
  turnedAway: (address) => told.turnedAway(address),
  limited: ({ address, fence, clientId, retryAfterMs }) =>
    told.loginsLimited({ address, fence, clientId, retryInMs: retryAfterMs }),
});

/** The sink that upstream fills, with every notification counted by its type on the way. */
export const countingSink = (ingest: Ingest, told: BusinessEvents): UpstreamSink => ({
  notification(notification) {
    told.notificationReceived(notification.type);
    return ingest.notification(notification);
  },
  declare: (draft) => ingest.declare(draft),
  durableUntil: (botAccountId, at) => ingest.durableUntil(botAccountId, at),
});

/** What delivery and accounts declare. A gap of theirs is told here; upstream and ingest report theirs themselves. */
export const countingDeclare = (ingest: Ingest, told: BusinessEvents) => (draft: EventDraft) => {
  if (draft.type === 'relay.gap') {
    const { event } = JSON.parse(`{${draft.body}}`) as { event: GapEvent };
    const { cause, bot_account_id: bot, topic_ids: topics } = event;
    told.gapDeclared({
      bot,
      cause,
      topics: topics.length,
      from: Date.parse(event.from),
      to: Date.parse(event.to),
    });
  }
  return ingest.declare(draft);
};

/**
 * The feed as sockets read it, with the age of what they take: from the platform's timestamp to the read that the write
 * follows at once. Only what comes out of memory counts; who reads history out of the database is catching up, and its
 * age says nothing about the relay. One number per read: the oldest event's, for all of them.
 */
export const measuredFeed = (feed: EventFeed, clock: Clock, told: BusinessEvents): EventFeed => ({
  ...feed,
  batch(after, filter, limit, encoding) {
    const batch = feed.batch(after, filter, limit, encoding);
    if (!(batch instanceof Promise)) tellAge(encoding, batch, clock, told);
    return batch;
  },
});

function tellAge(path: DeliveryPath, { records }: ReadResult, clock: Clock, told: BusinessEvents): void {
  const [oldest] = records;
  if (!oldest) return;
  const sentAt = Date.parse(oldest.eventTimestamp);
  if (!Number.isNaN(sentAt)) told.delivered(path, clock.now() - sentAt, records.length);
}

/** In the body that the sender is given, whose members have a fixed order; far from the platform's own part. */
const timestampInBody = /^.{0,400}?"event_timestamp":"([^"]{1,40})"/s;

/** The sender, with the age of each event whose receiver took it: up to its answer. */
export const measuredSender = (sender: Sender, clock: Clock, told: BusinessEvents): Sender => ({
  send: (request, signal) =>
    sender.send(request, signal).then((outcome) => {
      if (outcome.kind !== 'success') return outcome;
      const sentAt = Date.parse(request.eventTimestamp ?? timestampInBody.exec(request.body)?.[1] ?? '');
      const path = request.attempt > 1 ? 'webhook_again' : 'webhook';
      if (!Number.isNaN(sentAt)) told.delivered(path, clock.now() - sentAt, 1);
      return outcome;
    }),
  close: () => sender.close(),
});
