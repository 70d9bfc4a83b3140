// How many log-ins may fail: the fences one by one, and what holds whatever happens.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LoginThrottle,
  loginNames,
  throttleDefaults,
  type LoginNames,
  type ThrottleOptions,
} from '../../src/door/login-throttle.ts';

const { fences } = throttleDefaults;
const names = (account: string, secret: string, address = 'home'): LoginNames =>
  loginNames('salt', address, account, secret);

/** One log-in from beginning to end. */
function tryOnce(throttle: LoginThrottle, who: LoginNames, now: number, right = false) {
  const decision = throttle.decide(who, now);
  if (decision.kind === 'look_up') throttle.settle(who, right ? 'right' : 'wrong', now);
  return decision;
}

describe('the fences', () => {
  it('stop a secret that is wrong again and again, and leave its account alone', () => {
    const throttle = new LoginThrottle();
    const kinds = [1, 2, 3, 4, 5].map(() => tryOnce(throttle, names('a', 'old'), 0));
    expect(kinds.map(({ kind }) => kind)).toEqual(['look_up', 'look_up', 'look_up', 'refuse', 'refuse']);
    expect(kinds[3]).toEqual({ kind: 'refuse', fence: 'secret', retryAfterMs: 30_000, first: true });
    expect(kinds[4]).toMatchObject({ first: false });
    // The same account with its new secret, and everybody else, hours of hammering later.
    const old = names('a', 'old');
    for (let now = 0; now < 36_000_000; now += 1_000) tryOnce(throttle, old, now);
    expect(tryOnce(throttle, names('a', 'new'), 36_000_000, true).kind).toBe('look_up');
    expect(tryOnce(throttle, names('b', 'b'), 36_000_000, true).kind).toBe('look_up');
  });

  it('stop guesses at one account, and leave other accounts alone', () => {
    const throttle = new LoginThrottle();
    const guess = (n: number) => tryOnce(throttle, names('a', `guess ${n}`), 0);
    for (let n = 0; n < 10; n++) expect(guess(n).kind).toBe('look_up');
    expect(guess(10)).toMatchObject({ kind: 'refuse', fence: 'account', retryAfterMs: 10_000 });
    expect(tryOnce(throttle, names('b', 'b'), 0, true).kind).toBe('look_up');
  });

  it('stop guesses at many accounts, from that address alone', () => {
    const throttle = new LoginThrottle();
    const guess = (n: number, address?: string) => tryOnce(throttle, names(`a${n}`, 'x', address), 0);
    for (let n = 0; n < 100; n++) expect(guess(n).kind).toBe('look_up');
    expect(guess(100)).toMatchObject({ kind: 'refuse', fence: 'address', retryAfterMs: 1_000 });
    expect(guess(101, 'elsewhere').kind).toBe('look_up');
  });

  it('thirty programs that hammer with a wrong secret never lock out a new one', () => {
    const throttle = new LoginThrottle();
    const wrong = Array.from({ length: 30 }, (_, n) => names(`wrong ${n}`, 'x'));
    for (let now = 0; now < 3_600_000; now += 500) for (const who of wrong) tryOnce(throttle, who, now);
    expect(tryOnce(throttle, names('new', 'good'), 3_600_000, true).kind).toBe('look_up');
  });

  it('open again with time, also after the clock was set back', () => {
    const throttle = new LoginThrottle();
    const who = names('a', 'x');
    for (let n = 0; n < 4; n++) tryOnce(throttle, who, 1e12);
    expect(tryOnce(throttle, who, 1e12 + 29_999).kind).toBe('refuse');
    expect(tryOnce(throttle, who, 1e12 + 30_000).kind).toBe('look_up');
    expect(tryOnce(throttle, who, 0).kind).toBe('refuse');
    expect(tryOnce(throttle, who, 29_999).kind).toBe('refuse');
    expect(tryOnce(throttle, who, 30_000).kind).toBe('look_up');
  });

  it('tell once that they began to refuse, and again the next time', () => {
    const throttle = new LoginThrottle();
    const who = names('a', 'x');
    const firsts = (now: number) =>
      Array.from({ length: 8 }, () => tryOnce(throttle, who, now)).filter(
        (each) => 'first' in each && each.first,
      );
    expect(firsts(0)).toHaveLength(1);
    expect(firsts(1_000)).toHaveLength(0);
    expect(firsts(1_000_000)).toHaveLength(1);
  });
});

describe('a right secret', () => {
  it('passes whatever else its address does, from where it was right', () => {
    const throttle = new LoginThrottle();
    tryOnce(throttle, names('a', 'good'), 0, true);
    for (let n = 0; n < 200; n++) tryOnce(throttle, names(`b${n}`, 'x'), 0);
    expect(tryOnce(throttle, names('a', 'good'), 0, true).kind).toBe('look_up');
    expect(tryOnce(throttle, names('c', 'never seen'), 0, true).kind).toBe('refuse');
  });

  it('that stops being right is counted from then on', () => {
    const throttle = new LoginThrottle();
    const who = names('a', 'good');
    tryOnce(throttle, who, 0, true);
    const kinds = [1, 2, 3, 4].map(() => tryOnce(throttle, who, 0).kind);
    expect(kinds).toEqual(['look_up', 'look_up', 'look_up', 'refuse']);
  });

  it('that many bring at once is looked up a few times first, and none is refused', () => {
    const throttle = new LoginThrottle();
    const who = names('a', 'good');
    const kinds = Array.from({ length: 50 }, () => throttle.decide(who, 0).kind);
    expect(kinds.filter((kind) => kind === 'look_up')).toHaveLength(3);
    expect(kinds.filter((kind) => kind === 'wait')).toHaveLength(47);
    throttle.settle(who, 'right', 0);
    expect(throttle.decide(who, 0).kind).toBe('look_up');
  });

  it('leaves its place free when the look-up gave no answer', () => {
    const throttle = new LoginThrottle();
    const who = names('a', 'x');
    for (let n = 0; n < 500; n++) {
      expect(throttle.decide(who, 0).kind).toBe('look_up');
      throttle.settle(who, 'unknown', 0);
    }
    expect(throttle.size).toEqual({ names: 0, known: 0, inFlight: 0 });
  });
});

interface Step {
  readonly address: number;
  readonly account: number;
  readonly secret: number;
  readonly afterMs: number;
  readonly settle: number;
}
const steps = fc.array(
  fc.record<Step>({
    address: fc.nat(1),
    account: fc.nat(6),
    secret: fc.nat(4),
    afterMs: fc.oneof({ weight: 30, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.nat(40_000) }),
    settle: fc.nat(5),
  }),
  { minLength: 50, maxLength: 400 },
);
/** Tight enough that short runs meet every fence. */
const tight: ThrottleOptions = {
  fences: {
    secret: { burst: 2, refillMs: 30_000 },
    account: { burst: 4, refillMs: 10_000 },
    address: { burst: 8, refillMs: 3_000 },
  },
  maxNames: 1_000,
  maxKnown: 100,
};
/** Secret 0 is the right one of every account. */
const isRight = (step: Step) => step.secret === 0;

/** Plays the steps, with look-ups left open and settled later; what was looked up and failed, by fence and name. */
function play(
  run: readonly Step[],
  throttle: LoginThrottle,
  check: (step: Step, known: boolean, kind: string) => void,
) {
  let now = 0;
  const failures = new Map<string, number[]>();
  const open: { who: LoginNames; step: Step }[] = [];
  const known = new Set<string>();
  const settleOne = () => {
    const next = open.shift();
    if (!next) return;
    const outcome = isRight(next.step) ? 'right' : 'wrong';
    throttle.settle(next.who, outcome, now);
    if (outcome === 'right') known.add(next.who.secret);
    else
      for (const [fence, name] of Object.entries(next.who))
        failures.set(`${fence} ${name}`, [...(failures.get(`${fence} ${name}`) ?? []), now]);
  };
  for (const step of run) {
    now += step.afterMs;
    const who = names(`account ${step.account}`, `secret ${step.secret}`, `address ${step.address}`);
    const decision = throttle.decide(who, now);
    check(step, known.has(who.secret), decision.kind);
    if (decision.kind === 'look_up') open.push({ who, step });
    for (let n = 0; n < step.settle; n++) settleOne();
  }
  while (open.length > 0) settleOne();
  return failures;
}

describe('whatever happens', () => {
  it('a credential that was right is never refused and never waits', () => {
    let met = 0;
    fc.assert(
      fc.property(steps, (run) => {
        play(run, new LoginThrottle(tight), (_step, known, kind) => {
          if (!known) return;
          met++;
          expect(kind).toBe('look_up');
        });
      }),
      { numRuns: 200, seed: 4 },
    );
    expect(met).toBeGreaterThan(500);
  });

  it('no fence lets more failing look-ups through than its allowance, in any stretch of time', () => {
    let refused = 0;
    fc.assert(
      fc.property(steps, (run) => {
        const failures = play(run, new LoginThrottle(tight), (_step, _known, kind) => {
          if (kind === 'refuse') refused++;
        });
        for (const [key, times] of failures) {
          const fence = tight.fences[key.split(' ')[0] as keyof typeof fences];
          for (let from = 0; from < times.length; from++)
            for (let to = from; to < times.length; to++) {
              const tookMs = (times[to] ?? 0) - (times[from] ?? 0);
              const atMost = fence.burst + tookMs / fence.refillMs;
              if (to - from + 1 > atMost) throw new Error(`${key}: ${to - from + 1} in ${tookMs} ms`);
            }
        }
      }),
      { numRuns: 200, seed: 5 },
    );
    expect(refused).toBeGreaterThan(1_000);
  });

  it('memory stays within its bounds, and nothing is left in flight', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100_000), fc.boolean()), { maxLength: 500 }), (run) => {
        const throttle = new LoginThrottle({ ...tight, maxNames: 50, maxKnown: 20 });
        for (const [n, right] of run) {
          tryOnce(throttle, names(`${n}`, `${n}`, `${n}`), n, right);
          const { names: many, known } = throttle.size;
          expect(many).toBeLessThanOrEqual(50);
          expect(known).toBeLessThanOrEqual(20);
        }
        expect(throttle.size.inFlight).toBe(0);
      }),
      { numRuns: 50, seed: 6 },
    );
  });

  it('no name repeats a secret, and none is the same under another salt', () => {
    const one = loginNames('salt', 'home', 'service a', 'hunter2');
    expect(JSON.stringify(one)).not.toContain('hunter2');
    expect(loginNames('other', 'home', 'service a', 'hunter2').secret).not.toBe(one.secret);
    // Nor do parts run into each other.
    expect(loginNames('s', 'x', 'a', 'bc').secret).not.toBe(loginNames('s', 'x', 'ab', 'c').secret);
  });
});
