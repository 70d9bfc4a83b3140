// When an endpoint is believed to be down: the circuit of one endpoint. Pure; what is stored and what is sent is decided
// by whoever asks.
import { healthySince, type EndpointHealth } from '../../domain/endpoint.ts';
import type { FailureReason } from './failure-reason.ts';
import type { Verdict } from './verdict.ts';

/** PROTOCOL, Webhooks, Health. */
export const failuresToOpen = 5;
export const windowMs = 300_000;
export const failureShare = 0.7;
export const minTriesForShare = 10;
export const firstProbeMs = 30_000;
export const longestProbeMs = 600_000;
export const disableAfterMs = 5 * 86_400_000;
/** Endpoints on one host that went down together are not probed together. */
const probeJitter = 0.2;
const bucketMs = 10_000;
const buckets = windowMs / bucketMs;

interface Bucket {
  /** Number of the stretch of 10 s since the epoch. */
  readonly at: number;
  readonly tries: number;
  readonly failures: number;
}

/** The charged tries of the last five minutes, in at most 30 buckets. Kept in memory alone. */
export type Recent = readonly Bucket[];

export const noRecent: Recent = [];

export interface Try extends Pick<Verdict, 'charge' | 'disable'> {
  /** What the failure was; of no account for any other charge. */
  readonly why: FailureReason;
  /** The end of the try. */
  readonly now: number;
  /** 0 to 1; spreads the probes. Without it there is no jitter. */
  readonly random?: number;
}

export interface HealthStep {
  readonly health: EndpointHealth;
  readonly recent: Recent;
  /** What others are to be told of; null: the state is the same as before. */
  readonly event: 'degraded' | 'disabled' | 'recovered' | null;
}

/**
 * The endpoint's health after a try. The same object when nothing changed. `disabled` is left by nothing but an enabling,
 * `open` by the success of a probe: of many that were under way some may have succeeded, and would close it at once.
 */
export function afterTry(health: EndpointHealth, recent: Recent, ended: Try): HealthStep {
  if (health.state === 'disabled') return { health, recent, event: null };
  if (ended.disable) return disabled(failed(health, ended), ended.disable, ended.now);
  if (ended.charge === 'none') return { health, recent, event: null };
  return ended.charge === 'success'
    ? afterSuccess(health, recent, ended.now)
    : afterFailure(health, recent, ended);
}

/**
 * `probe`: one try and no second one while it is under way. A clock that went back makes no one wait longer than the
 * pause that was meant.
 */
export function mayTry(health: EndpointHealth, now: number): 'yes' | 'probe' | 'no' {
  if (health.state === 'disabled') return 'no';
  if (health.state === 'healthy') return 'yes';
  const waitMs = nextTryAt(health) - now;
  return waitMs <= 0 || waitMs > longestPauseMs(health.probes) ? 'probe' : 'no';
}

/** 0 when nothing has to be waited for, Infinity when no waiting helps. */
export function nextTryAt(health: EndpointHealth): number {
  if (health.state === 'disabled') return Infinity;
  return health.state === 'open' ? (health.probeAt ?? 0) : 0;
}

function afterSuccess(health: EndpointHealth, recent: Recent, now: number): HealthStep {
  // Starts with an empty window: what opened the circuit must not open it again at the first failure.
  if (health.state === 'open' && mayTry(health, now) !== 'no') {
    const recovered = { ...healthySince(now), probes: health.probes + 1 };
    return { health: recovered, recent: noRecent, event: 'recovered' };
  }
  const counted = count(recent, false, now);
  if (health.failuresInRow === 0 && health.failingSince === null) {
    return { health, recent: counted, event: null };
  }
  return { health: { ...health, failuresInRow: 0, failingSince: null }, recent: counted, event: null };
}

function afterFailure(health: EndpointHealth, recent: Recent, ended: Try): HealthStep {
  const after = failed(health, ended);
  const counted = count(recent, true, ended.now);
  if (failedForLong(after, ended.now)) return disabled(after, givenUp(ended.why), ended.now);
  if (health.state === 'open')
    return { health: whileOpen(after, health, ended), recent: counted, event: null };
  if (after.failuresInRow < failuresToOpen && !mostlyFailures(counted)) {
    return { health: after, recent: counted, event: null };
  }
  const probes = probesBefore(health, ended.now);
  const probeAt = ended.now + pauseMs(probes, ended.random);
  return {
    health: { ...after, ...ended.why, state: 'open', since: ended.now, probeAt, probes },
    recent: counted,
    event: 'degraded',
  };
}

/** One that is ill again so soon was not well: its pauses go on growing, and it is not told of every half minute. */
const probesBefore = ({ since, probes }: EndpointHealth, now: number): number =>
  now - since < longestProbeMs ? probes : 0;

/** A try that was under way when the circuit opened ends before the probe is due: it counts, and moves nothing. */
function whileOpen(after: EndpointHealth, before: EndpointHealth, ended: Try): EndpointHealth {
  if (mayTry(before, ended.now) === 'no') return { ...after, ...ended.why };
  const probes = before.probes + 1;
  return { ...after, ...ended.why, probes, probeAt: ended.now + pauseMs(probes, ended.random) };
}

/** A first failure that lies ahead is a clock that went back; it would put off the end. */
const failed = (health: EndpointHealth, { now }: Try): EndpointHealth => ({
  ...health,
  failuresInRow: health.failuresInRow + 1,
  failingSince: Math.min(health.failingSince ?? now, now),
});

/** Two failures with five quiet days in between say little: it takes as many as open the circuit. */
const failedForLong = (health: EndpointHealth, now: number): boolean =>
  health.failuresInRow >= failuresToOpen && now - (health.failingSince ?? now) >= disableAfterMs;

const givenUp = (why: FailureReason): FailureReason => ({
  code: why.code,
  reason: `nothing but failures for five days; the last one: ${why.reason}`,
});

const disabled = (health: EndpointHealth, why: FailureReason, now: number): HealthStep => ({
  health: { ...health, ...why, state: 'disabled', since: now, probeAt: null, probes: 0 },
  recent: noRecent,
  event: 'disabled',
});

/** Before jitter; `probes` is how many there were. */
const plainPauseMs = (probes: number): number =>
  Math.min(longestProbeMs, firstProbeMs * 2 ** Math.min(probes, 30));

const longestPauseMs = (probes: number): number =>
  Math.min(longestProbeMs, plainPauseMs(probes) * (1 + probeJitter));

function pauseMs(probes: number, random = 0.5): number {
  const pause = plainPauseMs(probes) * (1 + probeJitter * (2 * random - 1));
  return Math.round(Math.min(longestProbeMs, Math.max(firstProbeMs, pause)));
}

/** What lies ahead of `now` is from before a clock went back, and goes as well. */
function count(recent: Recent, failure: boolean, now: number): Recent {
  const at = Math.floor(now / bucketMs);
  const kept = recent.filter((bucket) => bucket.at > at - buckets && bucket.at < at);
  const current = recent.find((bucket) => bucket.at === at) ?? { at, tries: 0, failures: 0 };
  return [...kept, { at, tries: current.tries + 1, failures: current.failures + (failure ? 1 : 0) }];
}

function mostlyFailures(recent: Recent): boolean {
  let tries = 0;
  let failures = 0;
  for (const bucket of recent) {
    tries += bucket.tries;
    failures += bucket.failures;
  }
  return tries >= minTriesForShare && failures >= failureShare * tries;
}
