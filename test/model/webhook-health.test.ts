// The circuit of an endpoint: every state with every charge, and what holds on any way through it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterTry,
  disableAfterMs,
  mayTry,
  nextTryAt,
  noRecent,
  type HealthStep,
  type Recent,
  type Try,
} from '../../src/delivery/webhooks/health.ts';
import {
  endpointStates,
  healthySince,
  type EndpointHealth,
  type EndpointState,
} from '../../src/domain/endpoint.ts';

const start = 1_700_000_000_000;
const why = { code: 'http_500', reason: 'it answered 500' };
const gone = { code: 'gone', reason: 'it answered 410' };

const trial = (charge: Try['charge'], now: number, over: Partial<Try> = {}): Try => ({
  charge,
  disable: null,
  why,
  now,
  ...over,
});

/** An endpoint and what was told of it. */
class Endpoint {
  health: EndpointHealth;
  recent: Recent;
  now: number;
  readonly events: string[] = [];

  constructor(health: EndpointHealth = healthySince(start), now = start) {
    this.health = health;
    this.recent = noRecent;
    this.now = now;
  }

  try(charge: Try['charge'], over: Partial<Try> = {}): HealthStep {
    const step = afterTry(this.health, this.recent, trial(charge, this.now, over));
    this.health = step.health;
    this.recent = step.recent;
    if (step.event) this.events.push(step.event);
    return step;
  }

  /** The next probe succeeds. */
  recover(): this {
    this.now = nextTryAt(this.health);
    this.try('success');
    return this;
  }

  fail(times: number): this {
    for (let n = 0; n < times; n++) this.try('failure');
    return this;
  }
}

const opened = (): Endpoint => new Endpoint().fail(5);

/** Each state, with a probe due where there are probes. */
const inState: Record<EndpointState, () => Endpoint> = {
  healthy: () => new Endpoint().fail(2),
  open: () => {
    const endpoint = opened();
    endpoint.now = nextTryAt(endpoint.health);
    return endpoint;
  },
  disabled: () => {
    const endpoint = new Endpoint();
    endpoint.try('failure', { disable: gone });
    return endpoint;
  },
};

type Told = 'success' | 'failure' | 'none' | 'gone';

const told: Record<Told, (endpoint: Endpoint) => HealthStep> = {
  success: (endpoint) => endpoint.try('success'),
  failure: (endpoint) => endpoint.try('failure'),
  none: (endpoint) => endpoint.try('none'),
  gone: (endpoint) => endpoint.try('failure', { disable: gone, why: gone }),
};

const transitions: Record<EndpointState, Record<Told, readonly [EndpointState, HealthStep['event']]>> = {
  healthy: {
    success: ['healthy', null],
    failure: ['healthy', null],
    none: ['healthy', null],
    gone: ['disabled', 'disabled'],
  },
  open: {
    success: ['healthy', 'recovered'],
    failure: ['open', null],
    none: ['open', null],
    gone: ['disabled', 'disabled'],
  },
  disabled: {
    success: ['disabled', null],
    failure: ['disabled', null],
    none: ['disabled', null],
    gone: ['disabled', null],
  },
};

describe.each(endpointStates)('%s', (state) => {
  it.each(Object.keys(told) as Told[])('%s', (what) => {
    const endpoint = inState[state]();
    const before = endpoint.health;
    expect(before.state).toBe(state);
    const step = told[what](endpoint);
    expect([step.health.state, step.event]).toEqual(transitions[state][what]);
    if (what === 'none' || state === 'disabled') expect(step.health).toBe(before);
  });
});

describe('opening', () => {
  it('takes five failures in a row, and says why', () => {
    const endpoint = new Endpoint().fail(4);
    expect(endpoint.health).toMatchObject({ state: 'healthy', failuresInRow: 4, failingSince: start });
    endpoint.now += 1000;
    expect(endpoint.try('failure').health).toEqual({
      state: 'open',
      ...why,
      since: start + 1000,
      failuresInRow: 5,
      failingSince: start,
      probeAt: start + 31_000,
      probes: 0,
    });
    expect(endpoint.events).toEqual(['degraded']);
  });

  it('a success in between begins the count anew', () => {
    const endpoint = new Endpoint().fail(4);
    endpoint.try('success');
    expect(endpoint.health).toEqual(healthySince(start));
    expect(endpoint.fail(4).health.state).toBe('healthy');
  });

  it('or 70 % of at least ten within five minutes', () => {
    const mixed = [
      'failure',
      'failure',
      'failure',
      'success',
      'failure',
      'failure',
      'failure',
      'success',
    ] as const;
    const endpoint = new Endpoint();
    for (const charge of mixed) endpoint.try(charge);
    endpoint.try('success');
    // Six of nine; the tenth makes seven of ten.
    expect(endpoint.health.state).toBe('healthy');
    expect(endpoint.try('failure').health).toMatchObject({ state: 'open', failuresInRow: 1 });
  });

  it('not by two thirds, and not by what is older than five minutes', () => {
    const endpoint = new Endpoint();
    for (let n = 0; n < 13; n++) endpoint.try(n % 3 === 0 ? 'success' : 'failure');
    expect(endpoint.health.state).toBe('healthy');
    const later = new Endpoint();
    for (const charge of ['failure', 'failure', 'failure', 'success'] as const) later.try(charge);
    for (const charge of ['failure', 'failure', 'failure', 'success'] as const) later.try(charge);
    later.now += 300_000;
    for (const charge of ['success', 'failure', 'failure'] as const) later.try(charge);
    expect(later.health.state).toBe('healthy');
    expect(later.recent).toHaveLength(1);
  });

  it('the window starts empty after a recovery: one failure does not open it again', () => {
    const endpoint = opened();
    endpoint.recover();
    expect(endpoint.fail(4).health.state).toBe('healthy');
    expect(endpoint.events).toEqual(['degraded', 'recovered']);
  });

  it('the window is bounded, however long and however fast', () => {
    const endpoint = new Endpoint();
    for (let n = 0; n < 5000; n++) {
      endpoint.now += 700;
      endpoint.try(n % 2 === 0 ? 'success' : 'failure');
      expect(endpoint.recent.length).toBeLessThanOrEqual(30);
    }
  });
});

describe('while open', () => {
  it('probes come at 30 s, doubling to 10 min', () => {
    const endpoint = opened();
    const pauses: number[] = [];
    for (let n = 0; n < 8; n++) {
      pauses.push((nextTryAt(endpoint.health) - endpoint.now) / 1000);
      expect(mayTry(endpoint.health, nextTryAt(endpoint.health) - 1)).toBe('no');
      endpoint.now = nextTryAt(endpoint.health);
      expect(mayTry(endpoint.health, endpoint.now)).toBe('probe');
      endpoint.try('failure');
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 600, 600, 600]);
    expect(endpoint.events).toEqual(['degraded']);
    expect(endpoint.health).toMatchObject({ failuresInRow: 13, probes: 8, since: start });
  });

  it('tries that were under way count and do not move the probe', () => {
    const endpoint = opened();
    const { probeAt } = endpoint.health;
    endpoint.now += 15_000;
    endpoint.fail(7);
    expect(endpoint.health).toMatchObject({ failuresInRow: 12, probeAt, probes: 0 });
  });

  it('a success of one of them does not close it: of many half may succeed, and it would open again at once', () => {
    const endpoint = opened();
    const { probeAt, since } = endpoint.health;
    endpoint.now += 15_000;
    const { event, health } = endpoint.try('success');
    expect(event).toBeNull();
    expect(health).toMatchObject({ state: 'open', since, probeAt, failuresInRow: 0, failingSince: null });
    expect(endpoint.recover().events).toEqual(['degraded', 'recovered']);
  });

  it('one that opens again soon after it closed goes on where its pauses were', () => {
    const endpoint = opened();
    const pauses: number[] = [];
    for (let n = 0; n < 7; n++) {
      pauses.push((nextTryAt(endpoint.health) - endpoint.now) / 1000);
      endpoint.recover().fail(5);
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 600, 600]);
    endpoint.recover().now += 600_000;
    endpoint.fail(5);
    expect(nextTryAt(endpoint.health) - endpoint.now).toBe(30_000);
  });

  it('the reason is that of the latest failure', () => {
    const endpoint = opened();
    const refused = { code: 'connection_refused', reason: 'nothing listens there' };
    endpoint.try('failure', { why: refused });
    expect(endpoint.health).toMatchObject(refused);
  });
});

describe('disabling', () => {
  it('at once by a verdict', () => {
    const endpoint = new Endpoint();
    endpoint.try('failure', { disable: gone });
    expect(endpoint.health).toMatchObject({ state: 'disabled', ...gone, since: start, probeAt: null });
    expect(mayTry(endpoint.health, start + 10 * disableAfterMs)).toBe('no');
    expect(nextTryAt(endpoint.health)).toBe(Infinity);
  });

  it('after five days of only failures, not a millisecond sooner', () => {
    const endpoint = opened();
    endpoint.now = start + disableAfterMs - 1;
    expect(endpoint.try('failure').event).toBeNull();
    endpoint.now++;
    expect(endpoint.try('failure').event).toBe('disabled');
    expect(endpoint.health.code).toBe('http_500');
    expect(endpoint.health.reason).toContain('five days');
  });

  it('not by two failures with five quiet days in between', () => {
    const endpoint = new Endpoint().fail(1);
    endpoint.now += disableAfterMs;
    expect(endpoint.try('failure').health.state).toBe('healthy');
  });

  it('not when there was a success within the five days', () => {
    const endpoint = opened();
    endpoint.now += disableAfterMs - 1000;
    endpoint.try('success');
    endpoint.now += 2000;
    expect(endpoint.fail(5).health.state).toBe('open');
  });
});

const aCharge = fc.constantFrom<Try['charge']>('success', 'failure', 'failure', 'failure', 'none');
const aStep = fc.record({
  charge: aCharge,
  afterMs: fc.oneof(fc.nat(1000), fc.nat(700_000), fc.nat(2 * 86_400_000)),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});
const aClockJump = fc.integer({ min: -10 * disableAfterMs, max: disableAfterMs });

/** Any endpoint that a row may hold, told of anything. */
function wander(steps: readonly { charge: Try['charge']; afterMs: number; random: number }[]): Endpoint {
  const endpoint = new Endpoint();
  for (const { charge, afterMs, random } of steps) {
    endpoint.now += afterMs;
    endpoint.try(charge, { random });
  }
  return endpoint;
}

describe('on any way', () => {
  const steps = fc.array(aStep, { maxLength: 80 });

  it('the success of a probe makes it healthy, unless it is disabled', () => {
    fc.assert(
      fc.property(steps, aClockJump, (taken, jumpMs) => {
        const endpoint = wander(taken);
        endpoint.now += jumpMs;
        const wasDisabled = endpoint.health.state === 'disabled';
        if (mayTry(endpoint.health, endpoint.now) === 'no') endpoint.now = nextTryAt(endpoint.health);
        if (wasDisabled) endpoint.now = start;
        endpoint.try('success');
        if (wasDisabled) expect(endpoint.health.state).toBe('disabled');
        else
          expect(endpoint.health).toMatchObject({
            ...healthySince(0),
            since: expect.any(Number) as number,
            probes: expect.any(Number) as number,
          });
      }),
    );
  });

  it('without a success it is disabled within five days and a probe', () => {
    fc.assert(
      fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (taken, random) => {
        const endpoint = wander(taken);
        const from = endpoint.now;
        for (let n = 0; n < 2000 && endpoint.health.state !== 'disabled'; n++) {
          endpoint.try('failure', { random });
          const nextAt = nextTryAt(endpoint.health);
          if (nextAt < Infinity) endpoint.now = Math.max(endpoint.now, nextAt);
        }
        expect(endpoint.health.state).toBe('disabled');
        expect(endpoint.now - from).toBeLessThanOrEqual(disableAfterMs + 600_000);
      }),
      { numRuns: 20 },
    );
  });

  it('is told of once, and what it is told of is what changed', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const endpoint = new Endpoint();
        for (const { charge, afterMs, random } of taken) {
          endpoint.now += afterMs;
          const before = endpoint.health.state;
          const { event, health } = endpoint.try(charge, { random });
          const told = { healthy: 'recovered', open: 'degraded', disabled: 'disabled' } as const;
          expect(event).toBe(health.state === before ? null : told[health.state]);
          expect((health.state === 'open') === (health.probeAt !== null)).toBe(true);
          expect((health.code === null) === (health.state === 'healthy')).toBe(true);
        }
      }),
    );
  });

  it('the pause before a probe is 30 s to 10 min, whatever the jitter', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const endpoint = new Endpoint();
        for (const { charge, afterMs, random } of taken) {
          endpoint.now += afterMs;
          const before = endpoint.health.probeAt;
          const { probeAt } = endpoint.try(charge, { random }).health;
          if (probeAt === null || probeAt === before) continue;
          expect(probeAt - endpoint.now).toBeGreaterThanOrEqual(30_000);
          expect(probeAt - endpoint.now).toBeLessThanOrEqual(600_000);
        }
      }),
    );
  });

  it('wherever the clock jumps, a probe may go out within the longest pause', () => {
    fc.assert(
      fc.property(steps, aClockJump, (taken, jumpMs) => {
        const endpoint = wander(taken);
        if (endpoint.health.state === 'disabled') return;
        const at = endpoint.now + jumpMs;
        expect([at, at + 600_000].some((now) => mayTry(endpoint.health, now) !== 'no')).toBe(true);
      }),
    );
  });

  it('a clock that went back does not put off the end of an endpoint that only fails', () => {
    const endpoint = opened();
    endpoint.now -= 30 * 86_400_000;
    const from = endpoint.now;
    endpoint.try('failure');
    endpoint.now = from + disableAfterMs;
    expect(endpoint.try('failure').event).toBe('disabled');
  });
});
