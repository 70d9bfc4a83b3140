// What becomes of a delivery and what its endpoint is charged with: a total table over the outcomes, that does not compile
// with a hole, and what holds for any try whatever.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomeKinds, type Outcome, type OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import { retryDelaysMs } from '../../src/delivery/webhooks/retry-schedule.ts';
import {
  failureReason,
  isExpired,
  judge,
  type Verdict,
  type VerdictInput,
} from '../../src/delivery/webhooks/verdict.ts';
import { defaultEndpointSettings, retryProfiles, type RetryProfile } from '../../src/domain/endpoint.ts';

const now = 1_700_000_000_000;
const dayMs = 86_400_000;

const statusOf: Partial<Record<OutcomeKind, number>> = {
  success: 204,
  redirect: 302,
  gone: 410,
  rate_limited: 429,
  client_error: 404,
  unavailable: 503,
  server_error: 500,
};

const outcomeOf = (kind: OutcomeKind, over: Partial<Outcome> = {}): Outcome => ({
  kind,
  status: statusOf[kind] ?? null,
  response: null,
  retryAfterMs: null,
  startedAt: now - 100,
  durationMs: 100,
  ...over,
});

interface Case {
  readonly kind: OutcomeKind;
  readonly profile?: RetryProfile;
  readonly spent?: number;
  readonly probing?: boolean;
  readonly retryAfterMs?: number | null;
  readonly maxAgeSeconds?: number | null;
  readonly ageMs?: number;
  readonly random?: number;
  readonly isReplay?: boolean;
}

const inputOf = (given: Case): VerdictInput => ({
  outcome: outcomeOf(given.kind, { retryAfterMs: given.retryAfterMs ?? null }),
  history: { attempt: 1, spent: given.spent ?? 0, bornAt: now - (given.ageMs ?? 0) },
  settings: {
    ...defaultEndpointSettings,
    retryProfile: given.profile ?? 'durable',
    maxAgeSeconds: given.maxAgeSeconds ?? null,
  },
  probing: given.probing ?? false,
  now,
  random: given.random ?? 0.5,
  isReplay: given.isReplay ?? false,
});

const judged = (given: Case): Verdict => judge(inputOf(given));

/** The state, after how many ms it is due again, and the steps used up. */
type Fate = readonly [state: Verdict['state'], dueInMs: number | null, spent: number];

interface Expected {
  readonly charge: Verdict['charge'];
  readonly disables: boolean;
  readonly resend: boolean;
  /** For how long the endpoint rests; with a Retry-After of an hour below. */
  readonly restMs: number | null;
  readonly restWithRetryAfterMs: number | null;
  readonly first: Fate;
  /** The last step of the profile was used by this very try. */
  readonly last: Record<RetryProfile, Fate>;
  /** While the circuit is open, three steps used up before. */
  readonly probing: Fate;
  /** Answered with a Retry-After of an hour; realtime caps it at its minute. */
  readonly retryAfter: Record<RetryProfile, Fate>;
  /** The limit is a minute and the event 58 s old: the next step would lie behind it. */
  readonly overAge: Fate;
}

const hourMs = 3_600_000;

const failure: Expected = {
  charge: 'failure',
  disables: false,
  resend: false,
  restMs: null,
  restWithRetryAfterMs: null,
  first: ['retrying', 5000, 1],
  last: { durable: ['failed', null, 10], realtime: ['failed', null, 6] },
  probing: ['retrying', 0, 3],
  retryAfter: { durable: ['retrying', 5000, 1], realtime: ['retrying', 1000, 1] },
  overAge: ['expired', null, 1],
};

const slowDown: Expected = {
  ...failure,
  restWithRetryAfterMs: 600_000,
  retryAfter: { durable: ['retrying', hourMs, 1], realtime: ['retrying', 60_000, 1] },
};

const owedAsBefore = (
  dueInMs: number,
): Pick<Expected, 'first' | 'last' | 'probing' | 'retryAfter' | 'overAge'> => ({
  first: ['retrying', dueInMs, 0],
  last: { durable: ['retrying', dueInMs, 9], realtime: ['retrying', dueInMs, 5] },
  probing: ['retrying', dueInMs, 3],
  retryAfter: { durable: ['retrying', dueInMs, 0], realtime: ['retrying', dueInMs, 0] },
  overAge: ['retrying', dueInMs, 0],
});

const delivered: Expected = {
  ...failure,
  charge: 'success',
  first: ['delivered', null, 0],
  last: { durable: ['delivered', null, 9], realtime: ['delivered', null, 5] },
  probing: ['delivered', null, 3],
  retryAfter: { durable: ['delivered', null, 0], realtime: ['delivered', null, 0] },
  overAge: ['delivered', null, 0],
};

const table: Record<OutcomeKind, Expected> = {
  success: delivered,
  redirect: failure,
  gone: { ...failure, disables: true, ...owedAsBefore(0) },
  rate_limited: slowDown,
  client_error: failure,
  unavailable: slowDown,
  server_error: failure,
  timeout: failure,
  connect_timeout: failure,
  connection_refused: failure,
  connection_reset: failure,
  dns_failed: failure,
  tls_failed: failure,
  egress_refused: failure,
  protocol_error: failure,
  ours: {
    ...failure,
    charge: 'none',
    resend: true,
    restMs: 5000,
    restWithRetryAfterMs: 5000,
    ...owedAsBefore(5000),
  },
  aborted: { ...failure, charge: 'none', ...owedAsBefore(0) },
};

const fate = (verdict: Verdict): Fate => [
  verdict.state,
  verdict.nextAt === null ? null : verdict.nextAt - now,
  verdict.spent,
];
const restOf = (verdict: Verdict): number | null =>
  verdict.pauseUntil === null ? null : verdict.pauseUntil - now;

describe.each(outcomeKinds)('%s', (kind) => {
  const expected = table[kind];

  it('a first try', () => {
    const verdict = judged({ kind });
    expect(fate(verdict)).toEqual(expected.first);
    expect(verdict.charge).toBe(expected.charge);
    expect(verdict.resend).toBe(expected.resend);
    expect(restOf(verdict)).toBe(expected.restMs);
    expect(verdict.disable !== null).toBe(expected.disables);
  });

  it.each(retryProfiles)('the last try of %s', (profile) => {
    const spent = retryDelaysMs[profile].length - 1;
    expect(fate(judged({ kind, profile, spent }))).toEqual(expected.last[profile]);
  });

  it('while probing', () => {
    const verdict = judged({ kind, probing: true, spent: 3 });
    expect(fate(verdict)).toEqual(expected.probing);
    expect(verdict.charge).toBe(expected.charge);
    // Not even the last step is: a probe ends no delivery.
    if (kind !== 'success') expect(judged({ kind, probing: true, spent: 9 }).state).toBe('retrying');
  });

  it.each(retryProfiles)('with Retry-After, %s', (profile) => {
    const verdict = judged({ kind, profile, retryAfterMs: hourMs });
    expect(fate(verdict)).toEqual(expected.retryAfter[profile]);
    const rest = expected.restWithRetryAfterMs;
    const isCapped = rest !== null && !expected.resend && profile === 'realtime';
    expect(restOf(verdict)).toBe(isCapped ? 60_000 : rest);
  });

  it('over its age, a replay as well', () => {
    for (const isReplay of [false, true]) {
      const verdict = judged({ kind, maxAgeSeconds: 60, ageMs: 58_000, isReplay });
      expect(fate(verdict)).toEqual(expected.overAge);
      expect(verdict.charge).toBe(expected.charge);
    }
  });

  it('has a name of its own', () => {
    const { code, reason } = failureReason(outcomeOf(kind));
    expect(code).toMatch(/^[a-z0-9_]+$/);
    expect(reason.length).toBeGreaterThan(10);
  });
});

describe('the verdict', () => {
  it('ends exactly what would be tried behind its age, not what is tried at it', () => {
    const at = (ageMs: number) => judged({ kind: 'server_error', maxAgeSeconds: 60, ageMs }).state;
    expect(at(55_000)).toBe('retrying');
    expect(at(55_001)).toBe('expired');
  });

  it('calls an event too old only when a limit is set and has passed', () => {
    expect(isExpired({ maxAgeSeconds: null }, 0, now)).toBe(false);
    expect(isExpired({ maxAgeSeconds: 60 }, now - 60_000, now)).toBe(false);
    expect(isExpired({ maxAgeSeconds: 60 }, now - 60_001, now)).toBe(true);
    // A clock that went back makes nothing too old.
    expect(isExpired({ maxAgeSeconds: 60 }, now + 60_000, now)).toBe(false);
  });

  it('a used-up schedule is a failure even when the age has passed too', () => {
    expect(judged({ kind: 'timeout', spent: 9, maxAgeSeconds: 1, ageMs: 5000 }).state).toBe('failed');
  });

  it('a short Retry-After does not shorten the schedule, and pauses for as long as it says', () => {
    const verdict = judged({ kind: 'unavailable', spent: 2, retryAfterMs: 10_000 });
    expect(fate(verdict)).toEqual(['retrying', 1_800_000, 3]);
    expect(restOf(verdict)).toBe(10_000);
  });

  it('a probe with Retry-After is not due before that', () => {
    expect(fate(judged({ kind: 'rate_limited', probing: true, retryAfterMs: 90_000 }))).toEqual([
      'retrying',
      90_000,
      0,
    ]);
  });

  it('says for programs and for people what went wrong', () => {
    expect(failureReason(outcomeOf('server_error')).code).toBe('http_500');
    expect(failureReason(outcomeOf('rate_limited')).code).toBe('http_429');
    expect(failureReason(outcomeOf('timeout', { status: 200 })).code).toBe('timeout');
    expect(judged({ kind: 'gone' }).disable?.code).toBe('gone');
    const refused = outcomeOf('egress_refused', { response: '10.0.0.1 is private' });
    expect(failureReason(refused).reason).toContain('10.0.0.1 is private');
    // What the receiver answers is not ours to repeat.
    const answered = outcomeOf('server_error', { response: 'token=hunter2' });
    expect(failureReason(answered).reason).not.toContain('hunter2');
  });
});

const aCase: fc.Arbitrary<Case> = fc.record({
  kind: fc.constantFrom(...outcomeKinds),
  profile: fc.constantFrom(...retryProfiles),
  spent: fc.nat(12),
  probing: fc.boolean(),
  retryAfterMs: fc.option(fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER), fc.constant(-1)), {
    nil: null,
  }),
  maxAgeSeconds: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: null }),
  ageMs: fc.integer({ min: -dayMs, max: 30 * dayMs }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
  isReplay: fc.boolean(),
});

describe('for any try', () => {
  const holds = (property: (verdict: Verdict, given: Case) => void): void => {
    fc.assert(fc.property(aCase, (given) => property(judged(given), given)));
  };

  it('it is delivered exactly if it succeeded, and owed exactly if it has a date', () =>
    holds((verdict, { kind }) => {
      expect(verdict.state === 'delivered').toBe(kind === 'success');
      expect(verdict.nextAt !== null).toBe(verdict.state === 'retrying');
    }));

  it('the date is never before now and never behind the longest step', () =>
    holds((verdict, { profile = 'durable' }) => {
      const longestMs = Math.max(...retryDelaysMs[profile]) * 1.2;
      const dueInMs = (verdict.nextAt ?? now) - now;
      expect(dueInMs).toBeGreaterThanOrEqual(0);
      expect(dueInMs).toBeLessThanOrEqual(Math.max(longestMs, 5000));
      const restMs = restOf(verdict) ?? 0;
      expect(restMs).toBeGreaterThanOrEqual(0);
      expect(restMs).toBeLessThanOrEqual(600_000);
    }));

  it('steps are only ever used up, one at most, and none by a probe', () =>
    holds((verdict, { spent = 0, probing }) => {
      expect(verdict.spent - spent).toBeGreaterThanOrEqual(0);
      expect(verdict.spent - spent).toBeLessThanOrEqual(probing ? 0 : 1);
    }));

  it('what is charged a failure is a failure of the endpoint, and what is ours is not charged', () =>
    holds((verdict, { kind }) => {
      const charge =
        kind === 'success' ? 'success' : kind === 'ours' || kind === 'aborted' ? 'none' : 'failure';
      expect(verdict.charge).toBe(charge);
      if (charge === 'none') expect(verdict.disable).toBeNull();
      expect(verdict.resend).toBe(kind === 'ours');
    }));

  it('nothing that is charged is owed behind its age', () =>
    holds((verdict, { maxAgeSeconds = null, ageMs = 0, kind }) => {
      if (verdict.nextAt === null || kind === 'gone' || verdict.charge === 'none') return;
      expect(isExpired({ maxAgeSeconds }, now - ageMs, verdict.nextAt)).toBe(false);
    }));
});
