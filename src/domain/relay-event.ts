// The relay's own events (`provider: "relay"`): they live in the same log as the platform's. Pure but for the id.
import { randomUUID } from 'node:crypto';
import type { Audience, EventDraft } from './event.ts';

export type GapCause =
  | 'upstream_reconnect'
  | 'upstream_silence'
  | 'revoked'
  | 'restart'
  | 'retention'
  | 'relay_overflow'
  | 'upstream_malformed'
  | 'delivery_failed'
  | 'delivery_expired';

export type InterestVerdict = 'active' | 'rejected' | 'revoked' | 'degraded';

function draft(
  type: string,
  at: number,
  botAccountId: string | null,
  audience: Audience,
  event: object,
): EventDraft {
  return {
    id: `relay-${randomUUID()}`,
    provider: 'relay',
    type,
    version: '1',
    eventTimestamp: new Date(at).toISOString(),
    receivedAt: at,
    botAccountId,
    audience,
    body: `"subscription":null,"event":${JSON.stringify(event)}`,
  };
}

export interface GapWindow {
  readonly cause: GapCause;
  readonly botAccountId: string;
  readonly topicIds: readonly string[];
  /** Milliseconds since the epoch; nothing before `from` and nothing from `to` on is missing. */
  readonly from: number;
  readonly to: number;
}

/** Between `from` and `to` an event of these topics may have been missed. */
export function gapEvent(window: GapWindow, at: number): EventDraft {
  return draft(
    'relay.gap',
    at,
    window.botAccountId,
    { kind: 'topics', topicIds: window.topicIds },
    {
      cause: window.cause,
      bot_account_id: window.botAccountId,
      topic_ids: window.topicIds,
      from: new Date(Math.min(window.from, window.to)).toISOString(),
      to: new Date(window.to).toISOString(),
    },
  );
}

/** What a consumer had not read before retention removed it. For that consumer's service alone. */
export function retentionGapEvent(
  gap: { serviceAccountId: string; consumer: string; from: number; to: number },
  at: number,
): EventDraft {
  return draft(
    'relay.gap',
    at,
    null,
    { kind: 'service', serviceAccountId: gap.serviceAccountId },
    {
      cause: 'retention',
      bot_account_id: null,
      topic_ids: [],
      from: new Date(Math.min(gap.from, gap.to)).toISOString(),
      to: new Date(gap.to).toISOString(),
      consumer: gap.consumer,
    },
  );
}

/** Beyond this many events a gap counts them and names only these. */
const maxNamedEvents = 100;

export interface DeliveryGap {
  readonly serviceAccountId: string;
  readonly endpointId: string;
  /** Given up after the last attempt, too old by the endpoint's own setting, or removed by retention before. */
  readonly cause: 'delivery_failed' | 'delivery_expired' | 'retention';
  /** When the first of them was received, and after when the last one was. Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** How many; null when retention took them and nobody knows. */
  readonly events: number | null;
  readonly eventIds: readonly string[];
}

/** What a webhook endpoint was not given and will not be by itself. For its service alone. */
export function deliveryGapEvent(gap: DeliveryGap, at: number): EventDraft {
  return draft(
    'relay.gap',
    at,
    null,
    { kind: 'service', serviceAccountId: gap.serviceAccountId },
    {
      cause: gap.cause,
      bot_account_id: null,
      topic_ids: [],
      from: new Date(Math.min(gap.from, gap.to)).toISOString(),
      to: new Date(gap.to).toISOString(),
      endpoint_id: gap.endpointId,
      ...(gap.events === null ? {} : { events: gap.events }),
      ...(gap.eventIds.length === 0 ? {} : { event_ids: gap.eventIds.slice(0, maxNamedEvents) }),
    },
  );
}

/** An endpoint changed for the worse or the better. For its service. */
export function endpointEvent(
  endpoint: { id: string; serviceAccountId: string },
  change: {
    state: 'degraded' | 'disabled' | 'recovered';
    code: string | null;
    reason: string | null;
    since: number;
    retryAt?: number | undefined;
  },
  at: number,
): EventDraft {
  return draft(
    `relay.endpoint.${change.state}`,
    at,
    null,
    { kind: 'service', serviceAccountId: endpoint.serviceAccountId },
    {
      endpoint_id: endpoint.id,
      code: change.code,
      reason: change.reason,
      since: new Date(change.since).toISOString(),
      ...(change.retryAt === undefined ? {} : { retry_at: new Date(change.retryAt).toISOString() }),
    },
  );
}

/** What became of a wish. For the service that made it. */
export function interestEvent(
  interest: { id: string; serviceAccountId: string; botAccountId: string },
  verdict: {
    state: InterestVerdict;
    reason: string | null;
    code: string | null;
    retryAt?: number | undefined;
  },
  at: number,
): EventDraft {
  return draft(
    `relay.interest.${verdict.state}`,
    at,
    interest.botAccountId,
    { kind: 'service', serviceAccountId: interest.serviceAccountId },
    {
      interest_id: interest.id,
      reason: verdict.reason,
      code: verdict.code,
      ...(verdict.retryAt === undefined ? {} : { retry_at: new Date(verdict.retryAt).toISOString() }),
    },
  );
}

/** The bot's grant is gone; its topics are not covered until somebody authorises it again. */
export function reauthEvent(
  bot: { id: string; name: string; topicIds: readonly string[] },
  reason: string,
  at: number,
): EventDraft {
  return draft(
    'relay.bot.reauth_required',
    at,
    bot.id,
    { kind: 'topics', topicIds: bot.topicIds },
    {
      bot_account_id: bot.id,
      name: bot.name,
      topic_ids: bot.topicIds,
      reason,
    },
  );
}
