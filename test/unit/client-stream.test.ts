// The client's stream against a scripted relay: resuming, acknowledging, stopping, and leaving nothing behind.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRelayClient, RelayClosedError, RelayProtocolError } from '../../src/client/index.ts';
import { ackEveryMs, ackSpreadMs } from '../../src/client/ack-queue.ts';
import type { ReconnectInfo } from '../../src/client/index.ts';
import { until } from '../support/until.ts';
import { ManualClock, problemOf, scriptedRelay, secret } from './client-scripted-relay.ts';
import type { ScriptedRelay } from './client-scripted-relay.ts';

let relay: ScriptedRelay;
beforeEach(async () => {
  relay = await scriptedRelay();
});
afterEach(async () => {
  await relay[Symbol.asyncDispose]();
});

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('logging in', () => {
  it('sends the token in the subprotocol, the rest in the query, and no secret in any URL', async () => {
    const events = relay.client().events({
      consumer: 'overlay',
      after: 'c5',
      types: ['channel.follow', 'channel.cheer'],
      maxInFlight: 8,
      onExpired: 'live',
    });
    const first = events.next();
    const visit = await relay.visit(0);
    visit.hello().event(6);
    expect((await first).value).toMatchObject({ id: 'e6' });
    await events.return();
    expect(visit.protocols).toBe('relay.v1,bearer.t1');
    expect(Object.fromEntries(visit.query)).toEqual({
      consumer: 'overlay',
      after: 'c5',
      types: 'channel.follow,channel.cheer',
      ack: 'cumulative',
      max_in_flight: '8',
      on_expired: 'live',
    });
    expect(relay.requests[0]?.headers).toMatchObject({ 'x-client-id': 'svc', 'x-client-secret': secret });
    expect(await visit.closed).toBe(1000);
  });

  it('works with a function that gives tokens', async () => {
    const tokens = ['a', 'b'];
    const reader = createRelayClient(
      { url: relay.url, token: async () => tokens.shift() ?? 'none' },
      { random: () => 0 },
    );
    const events = reader.events();
    const first = events.next();
    (await relay.visit(0)).ws.terminate();
    const visit = await relay.visit(1);
    visit.hello().event(1);
    await first;
    await events.return();
    expect(relay.visits.map(({ protocols }) => protocols)).toEqual([
      'relay.v1,bearer.a',
      'relay.v1,bearer.b',
    ]);
  });

  it('skips a frame whose type is no text, whatever it is made of', async () => {
    const lines: string[] = [];
    const events = relay.client({ log: (line) => lines.push(line) }).events();
    const first = events.next();
    const visit = await relay.visit(0);
    visit.hello();
    // Neither can be turned into text: the one has no way to, the other is too deep.
    visit.send({ type: { toString: null } });
    visit.ws.send(`{"type":${'['.repeat(12_000)}${']'.repeat(12_000)}}`);
    visit.event(1);
    expect((await first).value).toMatchObject({ id: 'e1' });
    expect(lines).toHaveLength(2);
    await events.return();
  });

  it('throws for options that cannot work before it opens anything', async () => {
    await expect(relay.client().events({ consumer: 'no spaces' }).next()).rejects.toThrow(/^consumer: /);
    await expect(relay.client().events({ maxInFlight: 0 }).next()).rejects.toThrow(/^max_in_flight: /);
    expect(relay.requests).toEqual([]);
  });

  it('stops when the credentials are wrong, without the secret in the error', async () => {
    relay.tokenRefusals.push(problemOf(401, 'unauthorized', 'unknown client'));
    const error = await thrownBy(relay.client().events().next());
    expect(error).toBeInstanceOf(RelayClosedError);
    expect(error).toMatchObject({ code: 4401, reason: 'unknown client' });
    expect(JSON.stringify(error) + String(error)).not.toContain(secret);
  });

  it('renews the token once on 4401 and stops at the second', async () => {
    const error = thrownBy(relay.client().events().next());
    (await relay.visit(0)).ws.close(4401, 'expired');
    (await relay.visit(1)).ws.close(4401, 'expired');
    expect(await error).toMatchObject({ name: 'RelayClosedError', code: 4401 });
    expect(relay.visits).toHaveLength(2);
  });

  it('finds out why a handshake with a cursor was refused', async () => {
    relay.refuseUpgrades = 1;
    relay.answer = () => problemOf(410, 'cursor_expired', 'events behind this cursor were removed');
    const error = await thrownBy(relay.client().events({ after: 'c1' }).next());
    expect(error).toMatchObject({ name: 'RelayClosedError', code: 4410, advice: 'stop' });
  });

  it('does not come back with a cursor that is none', async () => {
    relay.refuseUpgrades = 1;
    relay.answer = () => problemOf(422, 'validation', 'after: expected a cursor as the relay gave it');
    const error = await thrownBy(relay.client().events({ after: 'zz' }).next());
    expect(error).toMatchObject({ name: 'RelayApiError', status: 422, code: 'validation' });
  });
});

describe('acknowledging', () => {
  it('acknowledges when the body is done, and what is done when the signal ends the loop', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const event of relay.client().events({ signal: stop.signal })) {
        seen.push(event.id);
        if (event.id === 'e2') stop.abort();
      }
    })();
    const visit = await relay.visit(0);
    visit.hello().event(1).event(2).event(3);
    await loop;
    await visit.closed;
    expect(seen).toEqual(['e1', 'e2']);
    expect(visit.acks.at(-1)).toBe('c2');
  });

  it.each(['break', 'throw'] as const)('does not acknowledge a body left by %s', async (how) => {
    const loop = (async () => {
      for await (const event of relay.client().events()) {
        if (event.id !== 'e2') continue;
        if (how === 'throw') throw new Error('the body failed');
        break;
      }
    })();
    const visit = await relay.visit(0);
    visit.hello().event(1).event(2);
    expect(await thrownBy(loop)).toEqual(how === 'throw' ? new Error('the body failed') : undefined);
    await visit.closed;
    expect(visit.acks.at(-1)).toBe('c1');
  });

  it('acknowledges a body left by break that said done', async () => {
    const loop = (async () => {
      for await (const delivery of relay.client().deliveries()) {
        delivery.done();
        break;
      }
    })();
    const visit = await relay.visit(0);
    visit.hello().event(1, 3);
    await loop;
    await visit.closed;
    expect(visit.acks).toEqual(['c1']);
  });

  it('puts many into few frames, and never waits past half of the window', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const seen: string[] = [];
    const loop = (async () => {
      const options = { maxInFlight: 10, signal: stop.signal };
      for await (const event of relay.client({ clock }).events(options)) seen.push(event.id);
    })();
    const visit = await relay.visit(0);
    visit.hello();
    for (let i = 1; i <= 12; i++) visit.event(i);
    // The clock stands still, so only the half of the window can have caused these.
    await until(() => visit.acks.length === 2, { what: 'two acks' });
    expect(visit.acks).toEqual(['c5', 'c10']);
    await until(() => seen.length === 12);
    clock.advance(ackEveryMs + ackSpreadMs);
    await until(() => visit.acks.at(-1) === 'c12');
    stop.abort();
    await loop;
    expect(clock.pending).toBe(0);
  });

  it('sends none in auto mode, and leaves when nobody takes what arrives', async () => {
    const reconnects: ReconnectInfo[] = [];
    const events = relay
      .client()
      .events({ ack: 'auto', maxInFlight: 4, onReconnect: (info) => reconnects.push(info) });
    const first = events.next();
    const visit = await relay.visit(0);
    visit.hello().event(1);
    expect((await first).value).toMatchObject({ id: 'e1' });
    for (let i = 2; i <= 9; i++) visit.event(i);
    expect(await visit.closed).toBe(1000);
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await events.next()).value?.id ?? '');
    const second = await relay.visit(1);
    expect(second.query.get('after')).toBe('c5');
    second.hello().event(6);
    ids.push((await events.next()).value?.id ?? '');
    await events.return();
    expect(ids).toEqual(['e2', 'e3', 'e4', 'e5', 'e6']);
    expect([visit.acks, second.acks, reconnects]).toEqual([[], [], []]);
  });
});

describe('reconnecting', () => {
  it('resumes where the relay remembers, tells again what is done, and yields nothing from the old buffer', async () => {
    const reconnects: ReconnectInfo[] = [];
    const deliveries = relay
      .client()
      .deliveries({ after: 'c0', onReconnect: (info) => reconnects.push(info) });
    const first = deliveries.next();
    const one = await relay.visit(0);
    one.hello().event(1).event(2).event(3);
    expect((await first).value).toMatchObject({ cursor: 'c1', attempt: 1 });
    one.ws.terminate();
    const two = await relay.visit(1);
    expect(two.query.get('after')).toBeNull();
    two.hello();
    two.event(1, 2).event(2, 2).event(3, 2);
    const rest = [];
    for (let i = 0; i < 3; i++) rest.push((await deliveries.next()).value);
    expect(rest.map((delivery) => [delivery?.cursor, delivery?.attempt])).toEqual([
      ['c1', 2],
      ['c2', 2],
      ['c3', 2],
    ]);
    await deliveries.return();
    await two.closed;
    expect(two.acks.at(-1)).toBe('c2');
    expect(reconnects).toMatchObject([{ code: 1006 }]);
  });

  it('forgets what is done when the relay has never heard of the consumer', async () => {
    const events = relay.client().events();
    const first = events.next();
    const one = await relay.visit(0);
    one.hello().event(1).event(2);
    await first;
    await events.next();
    one.ws.terminate();
    const next = events.next();
    const two = await relay.visit(1);
    two.hello({ resumed: false }).event(3);
    await next;
    await events.return();
    await two.closed;
    expect(two.acks).toEqual([]);
  });

  it('leaves at its own moment when a restart is announced, with its acks told', async () => {
    const stop = new AbortController();
    const clock = new ManualClock();
    const seen: string[] = [];
    const loop = (async () => {
      const client = relay.client({ clock, random: () => 0.5 });
      for await (const event of client.events({ signal: stop.signal })) seen.push(event.id);
    })();
    const one = await relay.visit(0);
    one.hello().event(1).send({ type: 'reconnect', in_ms: 10_000, reason: 'upgrade' });
    await until(() => seen.length === 1);
    // Two turns later the frame behind the event has been read too.
    await until(() => clock.pending === 3, { what: 'the watch, the ack and the leave to be armed' });
    clock.advance(4_999);
    expect(relay.visits).toHaveLength(1);
    clock.advance(1);
    expect(await one.closed).toBe(1000);
    expect(one.acks).toEqual(['c1']);
    const two = await until(async () => {
      clock.advance(0);
      return relay.visits[1];
    });
    two.hello();
    stop.abort();
    await loop;
    expect(clock.pending).toBe(0);
  });

  it('goes elsewhere when the relay is silent for two heartbeats', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const reconnects: ReconnectInfo[] = [];
    const hellos: string[] = [];
    const loop = (async () => {
      const options = {
        signal: stop.signal,
        onReconnect: (info: ReconnectInfo) => reconnects.push(info),
        onHello: (hello: { session_id: string }) => hellos.push(hello.session_id),
      };
      for await (const event of relay.client({ clock }).events(options)) hellos.push(event.id);
    })();
    (await relay.visit(0)).hello({ heartbeat_ms: 1_000 });
    await until(() => hellos.length === 1);
    clock.advance(1_999);
    expect(reconnects).toEqual([]);
    clock.advance(1);
    await until(() => reconnects.length === 1);
    expect(reconnects[0]).toMatchObject({ code: 1006, reason: 'the relay is silent' });
    await until(async () => {
      clock.advance(0);
      return relay.visits[1];
    });
    stop.abort();
    await loop;
    expect(clock.pending).toBe(0);
  });

  it('gives up on a relay that never says hello', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const reconnects: ReconnectInfo[] = [];
    const next = relay
      .client({ clock })
      .events({ signal: stop.signal, onReconnect: (info) => reconnects.push(info) })
      .next();
    await relay.visit(0);
    clock.advance(15_000);
    await until(() => reconnects.length === 1);
    stop.abort();
    await next;
  });

  it.each([4400, 4403, 4409, 4410])('stops on %i with the reason of the error frame', async (code) => {
    const error = thrownBy(relay.client().events().next());
    const visit = await relay.visit(0);
    visit.hello().send({ type: 'error', code: 'x', message: 'because', reconnect: false });
    visit.ws.close(code, 'short');
    expect(await error).toMatchObject({ name: 'RelayClosedError', code, reason: 'because', advice: 'stop' });
  });

  it.each([1001, 1011, 1012, 1013, 4408, 4429])('comes back after %i', async (code) => {
    const events = relay.client().events();
    const next = events.next();
    (await relay.visit(0)).hello().ws.close(code);
    (await relay.visit(1)).hello().event(1);
    expect((await next).value).toMatchObject({ id: 'e1' });
    await events.return();
  });
});

describe('frames', () => {
  it('ignores types and members that it does not know', async () => {
    const lines: string[] = [];
    const events = relay.client({ log: (line) => lines.push(line) }).events();
    const next = events.next();
    const visit = await relay.visit(0);
    visit.hello({ news: 1 }).send({ type: 'weather', sun: true }).event(1, 1, { more: true });
    expect((await next).value).toMatchObject({ id: 'e1', event: { number: 1 } });
    await events.return();
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['an event without its members', { type: 'event', cursor: 'c1' }],
    ['an event before the hello', { type: 'event', cursor: 'c1', attempt: 1, event: {} }],
  ])('throws rather than lose %s', async (what, frame) => {
    const error = thrownBy(relay.client().events().next());
    const visit = await relay.visit(0);
    if (what.includes('members')) visit.hello();
    visit.send(frame);
    expect(await error).toBeInstanceOf(RelayProtocolError);
    await visit.closed;
  });

  it('ends the loop with what a callback throws', async () => {
    const onHello = () => {
      throw new Error('in the callback');
    };
    const error = thrownBy(relay.client().events({ onHello }).next());
    (await relay.visit(0)).hello();
    expect(await error).toEqual(new Error('in the callback'));
  });
});
