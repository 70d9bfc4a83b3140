// The door as a whole: who may come in, and what it does around the throttle's decisions.
import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../src/domain/cidr.ts';
import type { Entry, Knock, LoginClaim, Visitor } from '../../src/domain/visitor.ts';
import { createDoor, type DoorObserver } from '../../src/door/index.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function ranges(text: string) {
  const list = parseCidrs(text);
  if (!list.ok) throw new Error(list.why);
  return list.cidrs;
}

/** A door, and everything that its observer was told. */
function doorWith({ allowed = '', trusted = '' } = {}) {
  const told: unknown[][] = [];
  const note =
    (what: string) =>
    (...args: unknown[]) =>
      void told.push([what, ...args]);
  const observer: DoorObserver = {
    refused: note('refused'),
    failedLogin: note('failedLogin'),
    turnedAway: note('turnedAway'),
    limited: note('limited'),
  };
  const clock = new ShiftClock();
  const door = createDoor({ allowed: ranges(allowed), trusted: ranges(trusted), clock, observer });
  return { door, told, clock, count: (what: string) => told.filter(([name]) => name === what).length };
}

const knock = (more: Partial<Knock> = {}): Knock => ({
  peer: '203.0.113.7',
  forwardedFor: undefined,
  method: 'GET',
  path: '/v1/bots',
  targetLength: 8,
  headerCount: 5,
  ...more,
});

function visitorOf(entry: Entry): Visitor {
  if (!entry.ok) throw new Error(entry.code);
  return entry.visitor;
}
const service = (clientId: string, secret: string): LoginClaim => ({ kind: 'service', clientId, secret });

describe('who may come in', () => {
  it('everybody, when nothing is named', () => {
    expect(doorWith().door.enter(knock())).toMatchObject({ ok: true, visitor: { address: '203.0.113.7' } });
    expect(doorWith().door.enter(knock({ peer: undefined }))).toMatchObject({ ok: true });
  });

  it('those who are named; not even loopback if it is not', () => {
    const { door } = doorWith({ allowed: '192.168.1.0/24,2001:db8::/32' });
    const codes = [
      '192.168.1.9',
      '::ffff:192.168.1.9',
      '2001:db8::5',
      '192.168.2.1',
      '127.0.0.1',
      '::1',
      undefined,
    ].map((peer) => door.enter(knock({ peer })).ok);
    expect(codes).toEqual([true, true, true, false, false, false, false]);
  });

  it('a trusted proxy brings its client to the door, not itself', () => {
    const { door } = doorWith({ allowed: '192.168.1.0/24', trusted: '10.0.0.1' });
    expect(door.enter(knock({ peer: '10.0.0.1', forwardedFor: '192.168.1.9' })).ok).toBe(true);
    expect(door.enter(knock({ peer: '10.0.0.1', forwardedFor: '192.168.1.9, 203.0.113.7' })).ok).toBe(false);
    expect(door.enter(knock({ peer: '203.0.113.7', forwardedFor: '192.168.1.9' })).ok).toBe(false);
  });

  it('everybody to the pages that are open to all, and to nothing beside them', () => {
    const { door } = doorWith({ allowed: '192.168.1.0/24' });
    const may = (method: string, path: string) => door.enter(knock({ method, path })).ok;
    expect([may('GET', '/health'), may('HEAD', '/health'), may('GET', '/oauth/callback')]).toEqual([
      true,
      true,
      true,
    ]);
    for (const path of [
      '/ready',
      '/health/',
      '/healthy',
      '//health',
      '/oauth',
      '/',
      '/v1/../health',
      '/%68ealth',
    ])
      expect(may('GET', path), path).toBe(false);
    expect(may('POST', '/health')).toBe(false);
  });

  it('says once per address that somebody was turned away, and counts each time', () => {
    const { door, told, count } = doorWith({ allowed: '127.0.0.1' });
    for (let n = 0; n < 3; n++)
      expect(door.enter(knock())).toMatchObject({ status: 403, code: 'address_not_allowed' });
    door.enter(knock({ peer: '203.0.113.8' }));
    expect(told.filter(([what]) => what === 'turnedAway')).toEqual([
      ['turnedAway', '203.0.113.7'],
      ['turnedAway', '203.0.113.8'],
    ]);
    expect(count('refused')).toBe(4);
  });

  it('nobody with too long a target or too many headers', () => {
    const { door } = doorWith();
    expect(door.enter(knock({ targetLength: 8_192, headerCount: 100 })).ok).toBe(true);
    expect(door.enter(knock({ targetLength: 8_193 }))).toMatchObject({ status: 414, code: 'url_too_long' });
    expect(door.enter(knock({ headerCount: 101 }))).toMatchObject({ status: 431, code: 'too_many_headers' });
  });
});

describe('log-ins', () => {
  const right = (answer: boolean) => answer;

  it('that fail are looked up as often as they may, then refused with a time and told once', async () => {
    const { door, told, count } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    const clientId = `svc_${'a'.repeat(20)}`;
    let looks = 0;
    const attempt = () => visitor.logIn(service(clientId, 'wrong'), async () => (looks++, false), right);
    const answers = await Promise.all(Array.from({ length: 20 }, attempt));
    expect(looks).toBe(3);
    expect(answers.filter(({ limited }) => limited)).toHaveLength(17);
    expect(answers.at(-1)).toEqual({ limited: true, retryAfterSeconds: 30 });
    expect(told.filter(([what]) => what === 'limited')).toMatchObject([
      ['limited', { address: '203.0.113.7', fence: 'secret', clientId }],
    ]);
    expect([count('failedLogin'), count('refused')]).toEqual([3, 17]);
    expect(JSON.stringify(told)).not.toContain('wrong');
  });

  it('never tell a client id that may be a secret in the wrong place', async () => {
    const { door, told } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    for (let n = 0; n < 5; n++) await visitor.logIn(service('canary', 'canary'), async () => false, right);
    expect(told.some(([what]) => what === 'limited')).toBe(true);
    expect(JSON.stringify(told)).not.toContain('canary');
  });

  it('of a thousand sockets with one good secret all pass, after the first has been looked up', async () => {
    const { door, count } = doorWith();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        visitorOf(door.enter(knock())).logIn(
          service('good', 'secret'),
          () => new Promise<number>((resolve) => setImmediate(() => resolve(n))),
          () => true,
        ),
      ),
    );
    expect(answers.every(({ limited }) => !limited)).toBe(true);
    expect(count('refused')).toBe(0);
  });

  it('of a hundred and fifty services at once all pass, though fewer may fail', async () => {
    const { door } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    const looks = Array.from({ length: 150 }, (_, n) =>
      visitor.logIn(
        service(`s${n}`, 'good'),
        () => new Promise<true>((resolve) => setImmediate(resolve, true)),
        right,
      ),
    );
    expect((await Promise.all(looks)).filter(({ limited }) => limited)).toEqual([]);
  });

  it('with the same bad token are stopped, with another token not', async () => {
    const { door } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    const attempt = (secret: string, is = false) =>
      visitor.logIn({ kind: 'token', secret }, async () => is, right);
    for (let n = 0; n < 3; n++) expect((await attempt('old')).limited).toBe(false);
    expect((await attempt('old')).limited).toBe(true);
    expect((await attempt('fresh', true)).limited).toBe(false);
  });

  it('count for neither when the look-up rejects, and the rejection is passed on', async () => {
    const { door, clock, count } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    const away = () => visitor.logIn(service('a', 'b'), () => Promise.reject(new Error('away')), right);
    for (let n = 0; n < 20; n++) await expect(away()).rejects.toThrow('away');
    expect((await visitor.logIn(service('a', 'b'), async () => true, right)).limited).toBe(false);
    expect([count('refused'), clock.pending]).toEqual([0, 0]);
  });

  it('that hang do not keep those behind them waiting for ever', async () => {
    const { door, clock } = doorWith();
    const visitor = visitorOf(door.enter(knock()));
    const hung = deferred<boolean>();
    const hanging = [1, 2, 3].map(() => visitor.logIn(service('a', 'b'), () => hung.promise, right));
    let passed = false;
    const behind = visitor.logIn(service('a', 'b'), async () => true, right).then(() => (passed = true));
    await new Promise(setImmediate);
    expect(passed).toBe(false);
    await clock.advance(10_000);
    await behind;
    hung.resolve(false);
    await Promise.all(hanging);
    expect(clock.pending).toBe(0);
  });

  it('are counted per address, and for a whole /64', async () => {
    const { door } = doorWith();
    const from = (peer: string) => visitorOf(door.enter(knock({ peer })));
    const fail = (peer: string) => from(peer).logIn(service('a', 'b'), async () => false, right);
    for (let n = 0; n < 3; n++) await fail(`2001:db8::${n}`);
    expect((await fail('2001:db8::99')).limited).toBe(true);
    expect((await fail('2001:db8:0:1::1')).limited).toBe(false);
  });
});
