// Every metric of the daemon, in one place, on registries of its own. No label is unbounded: its values are a closed set
// (anything else is `other`), or bots, which are few and the operator's own; services, consumers and endpoints, which may
// be many, are only ever summed or maximised.
import { Registry as PromRegistry } from 'prom-client';
import type { OpenMetricsContentType, PrometheusContentType } from 'prom-client';
import { closeCodes } from '../protocol/close-codes.ts';
import { gapCauses } from '../protocol/event.ts';
import { registerGauges, type GaugeSources } from './gauges.ts';
import {
  crossTally,
  histogram,
  labelledTally,
  tally,
  WeightedHistogram,
  type Registries,
} from './instruments.ts';

export type { BotGauges, GaugeSources, IngestCounts, ProcessGauges, WebhookGauges } from './gauges.ts';

export type Metrics = ReturnType<typeof createMetrics>;

/** Counters to be counted up by business events, gauges that ask `sources` when they are read. */
export function createMetrics(sources: GaugeSources = {}) {
  const open = new PromRegistry<OpenMetricsContentType>();
  open.setContentType(PromRegistry.OPENMETRICS_CONTENT_TYPE);
  const plain = new PromRegistry<PrometheusContentType>();
  const registries: Registries = [open, plain];
  registerGauges(registries, sources);
  const delivery = deliveryMetrics(registries);
  return {
    /** In the format that the reader asks for by its `Accept`: OpenMetrics, unless it wants plain text only. */
    async render(accept?: string): Promise<{ contentType: string; body: string }> {
      const registry = wantsOpenMetrics(accept) ? open : plain;
      const body = delivery.deliverySeconds.text() + (await registry.metrics());
      return { contentType: registry.contentType, body };
    },
    ...upstreamCounters(registries),
    ...logMetrics(registries),
    ...delivery,
    ...accountMetrics(registries),
    ...webhookMetrics(registries),
  };
}

/** OpenMetrics is what there is unless the text format is named and OpenMetrics is not. */
function wantsOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return true;
  return /application\/openmetrics-text/i.test(accept) || !/text\/(plain|\*)/i.test(accept);
}

/** Why a socket to the platform was replaced. */
const reconnectCauses = [
  'requested',
  'closed',
  'silence',
  'connect_failed',
  'handshake_timeout',
  'welcome_timeout',
  'handover_failed',
];
const topicStates = ['active', 'pending', 'rejected', 'revoked', 'degraded'];

function upstreamCounters(registries: Registries) {
  const labelled = (name: string, help: string, label: string, values: Iterable<string>) =>
    labelledTally(registries, { name, help }, label, values);
  return {
    reconnects: labelled(
      'upstream_reconnects_total',
      'New upstream sockets, by cause',
      'cause',
      reconnectCauses,
    ),
    gaps: labelled('gaps_total', 'Declared windows of possible loss, by cause', 'cause', gapCauses),
    /** The catalogue's types are made known by who has the catalogue. */
    notifications: labelled('notifications_total', 'Notifications received, by type', 'type', []),
    malformed: tally(registries, {
      name: 'upstream_malformed_frames_total',
      help: 'Upstream frames that could not be read',
    }),
    verdicts: labelled(
      'topic_verdicts_total',
      'What became of subscriptions, by state',
      'state',
      topicStates,
    ),
  };
}

function logMetrics(registries: Registries) {
  return {
    appendBatch: histogram(
      registries,
      { name: 'log_append_batch_events', help: 'Events per commit' },
      [1, 4, 16, 64, 256, 1024],
    ),
    appendSeconds: histogram(
      registries,
      { name: 'log_append_seconds', help: 'Duration of a commit' },
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    ),
    appendFailures: tally(registries, {
      name: 'log_append_failures_total',
      help: 'Times that the log became unwritable; what could not be written is tried again',
    }),
  };
}

/** Of RFC 6455 §7.4.1: what a peer may send, or a library reports. */
const protocolCloseCodes = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013];

/** `webhook_again`: a repetition, whose age says more about the receiver, or about a replay, than about the relay. */
export const deliveryPaths = ['plain', 'relay.v1', 'webhook', 'webhook_again'] as const;
export type DeliveryPath = (typeof deliveryPaths)[number];

function deliveryMetrics(registries: Registries) {
  const own = Object.values(closeCodes).map(({ code }) => code);
  const codes = new Set([...protocolCloseCodes, ...own].map(String));
  return {
    eventsSent: labelledTally(
      registries,
      { name: 'events_sent_total', help: 'Events handed to consumers' },
      'protocol',
      ['plain', 'relay.v1'],
    ),
    closes: labelledTally(
      registries,
      { name: 'connection_closes_total', help: 'Closed consumer sockets, by code' },
      'code',
      codes,
    ),
    refusedLogins: tally(registries, { name: 'refused_logins_total', help: 'Log-ins that were refused' }),
    deliverySeconds: new WeightedHistogram(
      {
        name: 'delivery_seconds',
        help: "From the platform's timestamp to the write to a consumer, or to a receiver's success",
      },
      'path',
      deliveryPaths,
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    ),
  };
}

const authorizationKinds = ['browser', 'device', 'broadcaster', 'import'] as const;
const authorizationOutcomes = ['started', 'completed', 'denied', 'failed', 'expired'] as const;

function accountMetrics(registries: Registries) {
  return {
    authorizations: crossTally(
      registries,
      { name: 'authorizations_total', help: 'Ways in which bots are added, by kind and outcome' },
      ['kind', 'outcome'],
      [authorizationKinds, authorizationOutcomes],
    ),
    reauths: tally(registries, { name: 'bot_reauth_total', help: 'Grants that were found to be gone' }),
    failedLogins: labelledTally(
      registries,
      { name: 'failed_logins_total', help: 'Log-ins with a wrong key, secret or token, by kind' },
      'kind',
      ['admin', 'service', 'token', 'nobody'],
    ),
    loginLocks: tally(registries, {
      name: 'login_locks_total',
      help: 'Times that an address or an account had failed too often',
    }),
    loginsHeldBack: tally(registries, {
      name: 'logins_held_back_total',
      help: 'Log-ins refused without a look, while locked',
    }),
    turnedAway: tally(registries, {
      name: 'addresses_turned_away_total',
      help: 'Addresses that are not on the allow list',
    }),
  };
}

/** As docs/webhooks.md lists them. */
const attemptOutcomes = [
  'success',
  'redirect',
  'gone',
  'rate_limited',
  'client_error',
  'unavailable',
  'server_error',
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'dns_failed',
  'tls_failed',
  'egress_refused',
  'protocol_error',
  'ours',
  'aborted',
];
const endpointStates = ['healthy', 'open', 'disabled'];
const deliveryEnds = ['delivered', 'failed', 'expired'];

function webhookMetrics(registries: Registries) {
  const labelled = (name: string, help: string, label: string, values: Iterable<string>) =>
    labelledTally(registries, { name, help }, label, values);
  return {
    attempts: labelled(
      'webhook_attempts_total',
      'Webhook requests that ended, by outcome',
      'outcome',
      attemptOutcomes,
    ),
    attemptSeconds: histogram(
      registries,
      { name: 'webhook_attempt_seconds', help: 'Duration of a webhook request' },
      [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
    ),
    deliveriesEnded: labelled(
      'webhook_deliveries_ended_total',
      'Deliveries that ended, by state',
      'state',
      deliveryEnds,
    ),
    endpointChanges: labelled(
      'webhook_endpoint_changes_total',
      'Endpoints that changed state, by state',
      'state',
      endpointStates,
    ),
    historyDropped: tally(registries, {
      name: 'webhook_history_dropped_total',
      help: 'Attempts that could not be written to the history',
    }),
  };
}
