// What one ended try means for its delivery and for its endpoint: one row per kind of outcome. Pure; it never asks a clock
// and never touches a row.
import type { EndpointSettings } from '../../domain/endpoint.ts';
import { failureReason, type FailureReason } from './failure-reason.ts';
import type { Outcome, OutcomeKind } from './outcome.ts';
import type { DeliveryState } from './ports.ts';
import { capRetryAfter } from './retry-after.ts';
import { nextDelayMs } from './retry-schedule.ts';

export { failureReason, type FailureReason } from './failure-reason.ts';

/** Of the delivery, before this try. */
export interface DeliveryHistory {
  readonly attempt: number;
  /** Steps of the retry schedule used up. */
  readonly spent: number;
  /** What its age counts from: when the event was received, or the replay was asked for. */
  readonly bornAt: number;
}

export interface VerdictInput {
  readonly outcome: Outcome;
  readonly history: DeliveryHistory;
  readonly settings: EndpointSettings;
  /** The try was made while the endpoint's circuit was open. */
  readonly probing: boolean;
  /** The end of the try. */
  readonly now: number;
  /** 0 to 1; jitter. */
  readonly random: number;
  /** Told for completeness: a replay is judged as any other delivery, its age counts from when it was asked for. */
  readonly isReplay: boolean;
}

export interface Verdict {
  readonly state: DeliveryState;
  /** When it is due again; not null exactly while it is owed. */
  readonly nextAt: number | null;
  /** Steps used up, this try included. */
  readonly spent: number;
  /** What the endpoint's health is told. */
  readonly charge: 'success' | 'failure' | 'none';
  /** Until when nothing at all is sent to the endpoint; null: no rest. */
  readonly pauseUntil: number | null;
  readonly disable: FailureReason | null;
  /** Not a byte went out: the same attempt is sent again, under its number. */
  readonly resend: boolean;
}

/** A fault on this side is seldom over at once, and a busy loop would make it worse. */
export const oursRestMs = 5000;
/** A whole endpoint does not rest for longer at one answer's word: the circuit's longest pause between probes. */
export const maxPauseMs = 600_000;

interface Row {
  readonly charge: Verdict['charge'];
  /** `delivered`; `step`: owed by the retry schedule; `free`: owed as before, nothing is spent. */
  readonly delivery: 'delivered' | 'step' | 'free';
  /** The answer's Retry-After counts, for the delivery and for the whole endpoint. */
  readonly retryAfter?: true;
  readonly disables?: true;
  /** The endpoint rests for so long, and the same attempt is sent again. */
  readonly resendAfterMs?: number;
}

const charged: Row = { charge: 'failure', delivery: 'step' };

const rows: Readonly<Record<OutcomeKind, Row>> = {
  success: { charge: 'success', delivery: 'delivered' },
  redirect: charged,
  gone: { charge: 'failure', delivery: 'free', disables: true },
  rate_limited: { ...charged, retryAfter: true },
  client_error: charged,
  unavailable: { ...charged, retryAfter: true },
  server_error: charged,
  timeout: charged,
  connect_timeout: charged,
  connection_refused: charged,
  connection_reset: charged,
  dns_failed: charged,
  tls_failed: charged,
  egress_refused: charged,
  protocol_error: charged,
  ours: { charge: 'none', delivery: 'free', resendAfterMs: oursRestMs },
  aborted: { charge: 'none', delivery: 'free' },
};

/** What becomes of the delivery, and what its endpoint is charged with. Total: every outcome has its row. */
export function judge(input: VerdictInput): Verdict {
  const { outcome, now } = input;
  const row = rows[outcome.kind];
  const waitMs = row.retryAfter ? askedWaitMs(input) : null;
  // Member by member: a spread here takes a fifth of a delivery's time.
  const { state, nextAt, spent } = fateOf(row, waitMs ?? 0, input);
  return {
    state,
    nextAt,
    spent,
    charge: row.charge,
    pauseUntil: pauseUntil(row, waitMs, now),
    disable: row.disables ? failureReason(outcome) : null,
    resend: row.resendAfterMs !== undefined,
  };
}

/** Whether it is too old to be sent. To be asked before a try: while it waited its time may have come. */
export function isExpired(
  settings: Pick<EndpointSettings, 'maxAgeSeconds'>,
  bornAt: number,
  now: number,
): boolean {
  return settings.maxAgeSeconds !== null && now > bornAt + settings.maxAgeSeconds * 1000;
}

type Fate = Pick<Verdict, 'state' | 'nextAt' | 'spent'>;

function fateOf(row: Row, waitMs: number, input: VerdictInput): Fate {
  const { history, now } = input;
  const { spent } = history;
  if (row.delivery === 'delivered') return { state: 'delivered', nextAt: null, spent };
  // Owed whatever its age: `isExpired` has its say before the next try.
  if (row.delivery === 'free') {
    return { state: 'retrying', nextAt: now + (row.resendAfterMs ?? 0), spent };
  }
  // The circuit says when the next probe goes out, so the delivery itself is due at once.
  if (input.probing) return owedAt(now + waitMs, spent, input);
  const delayMs = nextDelayMs(input.settings.retryProfile, spent + 1, input.random);
  if (delayMs === null) return { state: 'failed', nextAt: null, spent: spent + 1 };
  return owedAt(now + Math.max(delayMs, waitMs), spent + 1, input);
}

function owedAt(nextAt: number, spent: number, { settings, history }: VerdictInput): Fate {
  if (isExpired(settings, history.bornAt, nextAt)) return { state: 'expired', nextAt: null, spent };
  return { state: 'retrying', nextAt, spent };
}

function askedWaitMs({ outcome, settings }: VerdictInput): number | null {
  if (outcome.retryAfterMs === null) return null;
  return Math.max(0, capRetryAfter(outcome.retryAfterMs, settings.retryProfile));
}

function pauseUntil(row: Row, waitMs: number | null, now: number): number | null {
  if (row.resendAfterMs !== undefined) return now + row.resendAfterMs;
  return waitMs === null ? null : now + Math.min(waitMs, maxPauseMs);
}
