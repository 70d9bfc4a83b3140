// Webhook delivery: order, concurrency, retries, and what an endpoint's settings do.
import { describe, expect, it } from 'vitest';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { World, eventOf, hang, turns, until } from './dispatcher-rig.ts';

const settings = defaultEndpointSettings;

describe('order', () => {
  it('sends a lane one by one in the order of the log, and lanes beside each other', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    const open: (() => void)[] = [];
    world.receivers.answer = () => new Promise((resolve) => open.push(() => resolve('success')));
    world.feed.append('a', 3);
    world.feed.append('b', 2);
    await world.start();
    await until(() => open.length === 2, { what: 'the heads of both lanes' });
    expect(world.receivers.log()).toEqual(['event-1#1', 'event-4#1']);
    while (world.receivers.accepted().length < 5) {
      open.shift()?.();
      await turns(4);
    }
    expect(world.receivers.accepted().filter((id) => id <= 'event-3')).toEqual([
      'event-1',
      'event-2',
      'event-3',
    ]);
    await world.pass(300);
    expect(world.rows.at('e1').ackedSeq).toBe(5);
    expect(world.receivers.maxInFlight).toBe(2);
  });

  it('keeps to the concurrency of the endpoint, and without order lets a lane run', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, order: 'none', concurrency: 3 } });
    world.receivers.answer = hang;
    world.feed.append('a', 10);
    await world.start();
    await until(() => world.receivers.sent.length === 3);
    await turns(20);
    expect(world.receivers.sent.length).toBe(3);
  });

  it('delivers many events of many lanes once each', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 64 } });
    for (let lane = 0; lane < 100; lane++) world.feed.append(`lane-${lane}`, 50);
    await world.start();
    await until(() => world.receivers.accepted().length === 5_000);
    expect(new Set(world.receivers.log()).size).toBe(5_000);
    await world.pass(300);
    expect(world.rows.at('e1').ackedSeq).toBe(5_000);
  });
});

describe('a failing head', () => {
  it('holds up its lane alone, for a minute at most, and is tried again on schedule', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id }) => (id === 'event-1' ? 'server_error' : 'success');
    world.feed.append('a', 2);
    world.feed.append('b', 1);
    await world.start();
    await until(() => world.receivers.accepted().includes('event-3'), { what: 'the other lane' });
    await until(() => world.rows.owed('e1').length === 1);
    expect(world.rows.owed('e1')[0]).toMatchObject({ seq: 1, attempt: 1, spent: 1, claimed: false });
    await world.pass(4_500, 500);
    expect(world.receivers.log()).toEqual(['event-1#1', 'event-3#1']);
    await world.pass(600, 100);
    await until(() => world.receivers.log().includes('event-1#2'), { what: 'the second try' });
    // The next try would be after the minute: the lane does not wait for that.
    await until(() => world.receivers.accepted().includes('event-2'), { what: 'the lane going on' });
    world.receivers.answer = () => 'success';
    await world.pass(5 * 60_000 + 100, 10_000);
    await until(() => world.receivers.accepted().includes('event-1'));
    expect(world.receivers.log().filter((entry) => entry.startsWith('event-1'))).toEqual([
      'event-1#1',
      'event-1#2',
      'event-1#3',
    ]);
    await until(() => world.rows.owed('e1').length === 0);
    expect(world.rows.at('e1').ackedSeq).toBe(3);
  });

  it('is followed in order when it succeeds within the minute', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id, attempt }) =>
      id === 'event-1' && attempt === 1 ? 'server_error' : 'success';
    world.feed.append('a', 3);
    await world.start();
    await until(() => world.rows.owed('e1').length === 1);
    await world.pass(4_000, 500);
    expect(world.receivers.log()).toEqual(['event-1#1']);
    await world.pass(1_200, 100);
    await until(() => world.receivers.accepted().length === 3);
    expect(world.receivers.accepted()).toEqual(['event-1', 'event-2', 'event-3']);
  });

  it('still blocks its lane after a restart', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id, attempt }) =>
      id === 'event-1' && attempt === 1 ? 'server_error' : 'success';
    world.feed.append('a', 2);
    const first = await world.start();
    await until(() => world.rows.owed('e1').length === 1);
    await first.stop();
    await world.start();
    await turns(30);
    expect(world.receivers.log()).toEqual(['event-1#1']);
    await world.pass(5_200, 100);
    await until(() => world.receivers.accepted().length === 2);
    expect(world.receivers.accepted()).toEqual(['event-1', 'event-2']);
  });

  it('that hundreds wait behind is not waited for, since they would keep the other lanes from being read', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id }) => (id === 'event-1' ? 'server_error' : 'success');
    world.feed.append('a', 2_000);
    world.feed.append('b', 3);
    await world.start();
    await until(() => world.receivers.accepted().length === 2_002);
    expect(world.receivers.log()).not.toContain('event-1#2');
    expect(world.rows.owed('e1').map(({ seq }) => seq)).toEqual([1]);
    world.receivers.answer = () => 'success';
    await world.pass(6_000, 500);
    await until(() => world.receivers.log().includes('event-1#2'));
    await until(() => world.rows.at('e1').ackedSeq === 2_003);
  });

  it('is written together with others that fail in the same moment', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 4 } });
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    world.receivers.answer = ({ attempt }) =>
      attempt === 1 ? gate.then(() => 'server_error' as const) : 'success';
    for (const lane of ['a', 'b', 'c', 'd']) world.feed.append(lane);
    await world.start();
    await until(() => world.receivers.sent.length === 4);
    release();
    await until(() => world.rows.owed('e1').length === 4);
    expect(world.rows.parkSizes).toEqual([4]);
    await world.pass(5_100, 100);
    await until(() => world.receivers.accepted().length === 4);
  });
});

describe('what ends a delivery', () => {
  it('is the end of the schedule: declared, then gone', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, retryProfile: 'realtime' } });
    world.receivers.answer = ({ id }) => (id === 'event-1' ? 'client_error' : 'success');
    world.feed.append('a');
    await world.start();
    for (let at = 0; at < 40; at++) {
      world.feed.append('b');
      await world.pass(4_000);
    }
    await until(() => world.declared.length === 1);
    await until(() => world.rows.owed('e1').length === 0);
    expect(world.receivers.log().filter((entry) => entry.startsWith('event-1#'))).toHaveLength(6);
    expect(world.told()).toEqual(['relay.gap delivery_failed']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({ events: 1, event_ids: ['event-1'] });
    await world.pass(600);
    expect(world.rows.attempts.filter(({ seq }) => seq === 1).map(({ state }) => state)).toEqual([
      ...Array.from({ length: 5 }, () => 'retrying'),
      'failed',
    ]);
  });

  it('is told of once: endpoints that take no gap do not make more of them', async () => {
    await using world = new World();
    world.logsDeclared = true;
    for (const id of ['e1', 'e2', 'e3'])
      world.rows.addEndpoint(id, { settings: { ...settings, retryProfile: 'realtime' } });
    world.receivers.answer = ({ id, body }) =>
      id === 'event-1' || body.includes('"cause"') ? 'client_error' : 'success';
    world.feed.append('a');
    await world.start();
    for (let at = 0; at < 150; at++) {
      world.feed.append('b', 3);
      await world.pass(4_000);
    }
    expect(world.told()).toEqual(Array.from({ length: 3 }, () => 'relay.gap delivery_failed'));
    await until(() => world.rows.owed('e1').length === 0);
    await world.pass(600);
    const failed = world.rows.attempts.filter(({ state }) => state === 'failed');
    // The event, and each of the three gaps, at each of the endpoints.
    expect(failed).toHaveLength(12);
  });

  it('is its age: one gap for all of them, before the cursor passes', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, maxAgeSeconds: 60 } });
    world.feed.append('a', 5);
    world.feed.append('b', 5);
    world.clock.jump(61_000);
    world.feed.append('a', 1);
    world.failDeclares = 3;
    await world.start();
    await until(() => world.receivers.accepted().length === 1);
    await world.pass(1_000, 100);
    expect(world.failures.filter(({ what }) => what === 'declare').length).toBeGreaterThan(1);
    expect(world.rows.at('e1').ackedSeq).toBe(0);
    await world.pass(3_000, 250);
    expect(world.told()).toEqual(['relay.gap delivery_expired']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({ events: 10 });
    expect(world.receivers.accepted()).toEqual(['event-11']);
    expect(world.rows.at('e1').ackedSeq).toBe(11);
    const expired = world.rows.attempts.filter(({ state }) => state === 'expired');
    expect(expired).toHaveLength(10);
    expect(new Set(expired.map(({ outcome }) => outcome))).toEqual(new Set(['none']));
  });
});

describe('an answer that asks for patience', () => {
  it('rests the whole endpoint, and no other', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.addEndpoint('e2');
    world.receivers.answer = ({ endpointId, attempt, id }) =>
      endpointId === 'e1' && attempt === 1 && id === 'event-1'
        ? { kind: 'rate_limited', retryAfterMs: 20_000 }
        : 'success';
    world.feed.append('a');
    await world.start();
    await until(() => world.rows.owed('e1').length === 1);
    world.feed.append('b');
    await until(() => world.receivers.accepted('e2').length === 2);
    await world.pass(19_000, 1_000);
    expect(world.receivers.log('e1')).toEqual(['event-1#1']);
    await world.pass(2_000, 100);
    await until(() => world.receivers.accepted('e1').length === 2);
    expect(world.receivers.log('e1')).toContain('event-1#2');
  });
});

describe('a fault on this side', () => {
  it('is not charged: the same attempt goes out again after a rest', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    let faults = 0;
    world.receivers.answer = () => (++faults <= 8 ? 'ours' : 'success');
    world.feed.append('a', 2);
    await world.start();
    await until(() => world.receivers.sent.length === 1);
    await turns(20);
    expect(world.receivers.sent.length).toBe(1);
    await world.pass(60_000, 1_000);
    await until(() => world.receivers.accepted().length === 2);
    expect(faults).toBeGreaterThan(8);
    expect(new Set(world.receivers.log())).toEqual(new Set(['event-1#1', 'event-2#1']));
    expect(world.receivers.accepted()).toEqual(['event-1', 'event-2']);
    expect(world.declared).toEqual([]);
    expect(world.rows.owed('e1')).toEqual([]);
  });
});

describe('a change of the endpoint', () => {
  it('is in force at once and loses nothing: secrets, URL, concurrency', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, order: 'none', concurrency: 1 } });
    world.receivers.answer = hang;
    world.feed.append('a', 3);
    await world.start();
    await until(() => world.receivers.sent.length === 1);
    const stored = world.rows.at('e1');
    const now = world.clock.now();
    stored.row = {
      ...stored.row,
      url: 'http://elsewhere.test/e1',
      settings: { ...stored.row.settings, concurrency: 3 },
      secrets: [
        { secret: 'whsec_two', validUntil: null },
        { secret: 'whsec_one', validUntil: now + 60_000 },
      ],
    };
    world.receivers.answer = () => 'success';
    world.rows.emit({ kind: 'endpoint', endpointId: 'e1', what: 'changed' });
    await until(() => world.receivers.sent.length === 3);
    expect(world.receivers.sent[0]?.secrets).toEqual(['whsec_one']);
    expect(world.receivers.sent[1]).toMatchObject({
      url: 'http://elsewhere.test/e1',
      secrets: ['whsec_two', 'whsec_one'],
    });
    await world.pass(61_000, 10_000);
    world.feed.append('a');
    await until(() => world.receivers.sent.length === 4);
    expect(world.receivers.sent[3]?.secrets).toEqual(['whsec_two']);
  });

  it('by another process is found within half a minute', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    await world.start();
    world.rows.addEndpoint('e2');
    world.feed.append('a');
    await until(() => world.receivers.accepted('e1').length === 1);
    expect(world.receivers.log('e2')).toEqual([]);
    await world.pass(31_000, 1_000);
    await until(() => world.receivers.accepted('e2').length === 1);
  });

  it('ends the work of a removed endpoint or a disabled service at once', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.addEndpoint('e2', { serviceAccountId: 'service-2' });
    world.rows.addEndpoint('e3', { serviceAccountId: 'service-3' });
    world.receivers.answer = hang;
    world.feed.append('a');
    const process = await world.start();
    await until(() => world.receivers.sent.length === 3);
    world.rows.endpoints.delete('e1');
    world.rows.emit({ kind: 'endpoint', endpointId: 'e1', what: 'removed' });
    world.rows.disabledServices.add('service-2');
    world.rows.emit({ kind: 'service', serviceAccountId: 'service-2', what: 'disabled' });
    await until(() => world.receivers.sent.filter(({ outcome }) => outcome === 'aborted').length === 2);
    await until(() => process.webhooks.stats().endpoints.healthy === 1);
    world.receivers.answer = () => 'success';
    world.rows.disabledServices.delete('service-2');
    world.rows.emit({ kind: 'service', serviceAccountId: 'service-2', what: 'enabled' });
    await until(() => world.receivers.accepted('e2').length === 1);
    expect(world.receivers.log('e2')).toEqual(['event-1#1', 'event-1#2']);
    expect(world.receivers.log('e1')).toEqual(['event-1#1']);
  });
});

describe('a receiver that hangs', () => {
  it('delays neither another endpoint nor another service', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.addEndpoint('e2');
    world.rows.addEndpoint('e3', { serviceAccountId: 'service-2' });
    world.receivers.answer = ({ endpointId }) => (endpointId === 'e1' ? hang() : 'success');
    for (let lane = 0; lane < 20; lane++) world.feed.append(`lane-${lane}`, 5);
    await world.start();
    await until(() => world.receivers.accepted('e2').length === 100);
    await until(() => world.receivers.accepted('e3').length === 100);
    expect(world.receivers.log('e1')).toHaveLength(settings.concurrency);
  });

  it('takes at most the budget of its service', async () => {
    await using world = new World();
    for (let at = 0; at < 6; at++)
      world.rows.addEndpoint(`e${at}`, { settings: { ...settings, order: 'none', concurrency: 64 } });
    world.rows.addEndpoint('other', { serviceAccountId: 'service-2' });
    const open: (() => void)[] = [];
    world.receivers.answer = ({ endpointId }) =>
      endpointId === 'other' ? 'success' : new Promise((resolve) => open.push(() => resolve('success')));
    world.feed.append('a', 70);
    await world.start();
    await until(() => world.receivers.accepted('other').length === 70);
    await turns(50);
    expect(open).toHaveLength(256);
    while (world.receivers.accepted().length < 7 * 70) {
      open.shift()?.();
      await turns(1);
    }
  });
});
