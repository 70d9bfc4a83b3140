// Who is told what: upstream, ingest and gateway report here, and it becomes a counter and a line of the log.
import type { GatewayHandle, GatewayObserver } from '../delivery/gateway/index.ts';
import type { WebhookObserver, WebhooksHandle } from '../delivery/webhooks/ports.ts';
import type { Ingest, IngestObserver } from '../ingest/ingest.ts';
import type { LogReader } from '../log/port.ts';
import type { Retention } from '../log/retention.ts';
import type { BusinessEvents } from '../observability/business-events.ts';
import type { Logger } from '../observability/logger.ts';
import type { GaugeSources } from '../observability/metrics.ts';
import type { Clock } from '../runtime/clock.ts';
import type { UpstreamObserver } from '../upstream/observer.ts';
import type { UpstreamSink } from '../upstream/port.ts';
import type { TwitchUpstream } from '../upstream/twitch/twitch-upstream.ts';

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
    })),
  log: () => ({ head: live.reader?.head() ?? 0, floors: live.reader?.floors() ?? {} }),
  ingest: () => live.ingest?.stats(),
  removed: () => live.retention?.counts.removed ?? {},
  connections: () => live.gateway?.stats().connections ?? {},
  maxConsumerLag: () => live.gateway?.stats().maxBehind ?? 0,
  webhooks: () => live.webhooks?.stats(),
});

export const gatewayObserver = (told: BusinessEvents, log: Logger): GatewayObserver => ({
  closed: (kind, code, { serviceAccountId, reason }) =>
    told.consumerClosed({ service: serviceAccountId ?? 'unknown', protocol: kind, code, reason }),
  opened: (kind, serviceAccountId) => told.consumerConnected({ service: serviceAccountId, protocol: kind }),
  sent: (kind, events) => told.eventsSent(kind, events),
  refused: (status, code) => told.loginRefused(`${status} ${code}`),
  failed: (what, err) => log.warn({ what, err }, 'the gateway met a fault'),
});

export const webhookObserver = (told: BusinessEvents, log: Logger): WebhookObserver => ({
  attempted: ({ endpointId, ...attempt }) => told.webhookAttempted({ endpoint: endpointId, ...attempt }),
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
  };
}

/** The sink that upstream fills, with every notification counted by its type on the way. */
export const countingSink = (ingest: Ingest, told: BusinessEvents): UpstreamSink => ({
  notification(notification) {
    told.notificationReceived(notification.type);
    ingest.notification(notification);
  },
  declare: (draft) => ingest.declare(draft),
  durableUntil: (botAccountId, at) => ingest.durableUntil(botAccountId, at),
});
