// What happens in the business of this relay, one function each: the counter and the log line in the same place, so
// that neither is forgotten. Decides nothing.
import type { Logger } from './logger.ts';
import type { DeliveryPath, Metrics } from './metrics.ts';

export type BusinessEvents = ReturnType<typeof createBusinessEvents>;

/** `knownTypes` bounds the label of notifications: a type beyond it is counted as `other`. */
export function createBusinessEvents(metrics: Metrics, log: Logger, knownTypes: ReadonlySet<string>) {
  metrics.notifications.foresee(knownTypes);
  return {
    ...upstreamEvents(metrics, log),
    ...accountEvents(metrics, log),
    ...logEvents(metrics, log),
    ...deliveryEvents(metrics, log),
    ...webhookEvents(metrics, log),
  };
}

function upstreamEvents(metrics: Metrics, log: Logger) {
  return {
    sessionLive(bot: string, sockets: number): void {
      log.info({ bot, sockets }, 'upstream session is live');
    },
    reconnecting(
      bot: string,
      cause: string,
      more: { code?: number | undefined; httpStatus?: number | undefined; retryInMs: number },
    ): void {
      metrics.reconnects.add(cause);
      const { code, httpStatus, retryInMs } = more;
      log.warn(
        { bot, cause, code, http_status: httpStatus, retry_in_ms: retryInMs },
        'upstream session ended and is replaced',
      );
    },
    handedOver(bot: string, slot: number, gapMs: number): void {
      metrics.reconnects.add('requested');
      log.info({ bot, slot, gap_ms: gapMs }, 'upstream session was handed over');
    },
    gapDeclared(gap: { bot: string | null; cause: string; topics: number; from: number; to: number }): void {
      metrics.gaps.add(gap.cause);
      const window = { from: new Date(gap.from).toISOString(), to: new Date(gap.to).toISOString() };
      log.warn({ ...gap, ...window }, 'events may have been missed');
    },
    /** Runs for every one, so it logs nothing. */
    notificationReceived(type: string): void {
      metrics.notifications.add(type);
    },
    /** Counted every time; `first` of its kind is also logged. */
    malformedFrame(bot: string, fault: string, first: boolean): void {
      metrics.malformed.add();
      if (first) log.warn({ bot, fault }, 'upstream sent a frame that cannot be read');
    },
    topicSettled(topic: { id: string; type: string; state: string; code: string | null }): void {
      metrics.verdicts.add(topic.state);
      const line = { topic_id: topic.id, type: topic.type, state: topic.state, code: topic.code };
      if (topic.state === 'active') log.info(line, 'subscription is active');
      else log.warn(line, 'subscription is not active');
    },
    reauthRequired(bot: string): void {
      metrics.reauths.add();
      log.error({ bot }, 'the grant of this bot is gone; it must be authorised again');
    },
  };
}

function accountEvents(metrics: Metrics, log: Logger) {
  return {
    /** `kind`: browser, device, broadcaster or import; `outcome`: started, completed, denied, failed or expired. */
    authorization(
      kind: string,
      outcome: string,
      more: { id?: string; code?: string | null; bot?: string | null } = {},
    ): void {
      metrics.authorizations.add(kind, outcome);
      // Not under the name `authorization`, which is a header with a secret to the logger.
      const line = { kind, outcome, authorization_id: more.id, code: more.code, bot: more.bot };
      if (outcome === 'failed') log.warn(line, 'an authorization failed');
      else log.info(line, 'an authorization');
    },
    /** A wrong key or secret. Anybody can cause these without end, so single ones are not worth a line. */
    loginFailed(kind: string): void {
      metrics.failedLogins.add(kind);
    },
    /** From now on log-ins are refused without a look; told once until that is over. */
    loginsLimited(limited: {
      address: string;
      fence: string;
      clientId: string | null;
      retryInMs: number;
    }): void {
      metrics.loginLocks.add();
      const { address, fence, clientId, retryInMs } = limited;
      log.warn(
        { address, of: fence, client_id: clientId, retry_in_ms: retryInMs },
        'too many failed log-ins; more are refused without a look',
      );
    },
    /** One of those that are refused without a look. */
    loginHeldBack(): void {
      metrics.loginsHeldBack.add();
    },
    /** Told once per address, so the counter counts addresses. */
    turnedAway(address: string): void {
      metrics.turnedAway.add();
      log.warn({ address }, 'an address that is not allowed was turned away');
    },
  };
}

function logEvents(metrics: Metrics, log: Logger) {
  return {
    batchAppended(events: number, durationMs: number): void {
      metrics.appendBatch.observe(events);
      metrics.appendSeconds.observe(durationMs / 1000);
    },
    appendFailed(fault: string, error: unknown): void {
      metrics.appendFailures.add();
      log.warn({ fault, err: error }, 'the log cannot be written; events are held back');
    },
  };
}

function deliveryEvents(metrics: Metrics, log: Logger) {
  return {
    consumerConnected(consumer: { service: string; protocol: string }): void {
      log.info(consumer, 'consumer connected');
    },
    consumerClosed(consumer: { service: string; protocol: string; code: number; reason: string }): void {
      metrics.closes.add(String(consumer.code));
      log.info(consumer, 'consumer closed');
    },
    /** Counted every time; logged when `before` tells how many were left out since the last line. */
    loginRefused(reason: string, before: number | undefined): void {
      metrics.refusedLogins.add();
      if (before === undefined) return;
      log.warn(before > 0 ? { reason, not_logged_before: before } : { reason }, 'log-in refused');
    },
    /** Runs per write, so it logs nothing. */
    eventsSent(protocol: string, events: number): void {
      metrics.eventsSent.add(protocol, events);
    },
    /** Of the oldest of so many events that leave together; runs per write, so it logs nothing. */
    delivered(path: DeliveryPath, ageMs: number, events: number): void {
      // The platform's clock may be ahead of ours.
      metrics.deliverySeconds.add(path, Math.max(0, ageMs) / 1000, events);
    },
  };
}

const severity = { healthy: 'info', open: 'warn', disabled: 'error' } as const;

function webhookEvents(metrics: Metrics, log: Logger) {
  return {
    /** Runs for every request, so it logs no success. */
    webhookAttempted(attempt: {
      endpoint: string;
      outcome: string;
      state: string;
      attempt: number;
      status: number | null;
      durationMs: number;
    }): void {
      const { endpoint, outcome, state, status, durationMs } = attempt;
      if (outcome !== 'none') {
        metrics.attempts.add(outcome);
        metrics.attemptSeconds.observe(durationMs / 1000);
      }
      if (state !== 'retrying') metrics.deliveriesEnded.add(state);
      if (state === 'delivered') return;
      const line = { endpoint, outcome, state, attempt: attempt.attempt, status };
      // What is too old may be millions after a long outage; a gap event in the log tells of them together.
      if (state === 'failed') log.warn(line, 'a webhook delivery was given up');
      else log.debug(line, 'a webhook delivery did not succeed');
    },
    endpointChanged(endpoint: {
      id: string;
      service: string;
      state: keyof typeof severity;
      code: string | null;
    }): void {
      metrics.endpointChanges.add(endpoint.state);
      const line = { endpoint: endpoint.id, service: endpoint.service, code: endpoint.code };
      log[severity[endpoint.state]](line, `a webhook endpoint is ${endpoint.state}`);
    },
    webhookHistoryDropped(count: number): void {
      metrics.historyDropped.add(count);
      log.warn({ count }, 'attempts could not be written to the history');
    },
  };
}
