// Webhook delivery to an endpoint that is ill: the circuit, its probes, and when it is given up.
import { describe, expect, it } from 'vitest';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { World, eventOf, hang, turns, until } from './dispatcher-rig.ts';

const secondMs = 1_000;
const hourMs = 3_600_000;

describe('the circuit', () => {
  it('opens after five failures, probes at growing intervals, and closes with the first success', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 30; lane++) world.feed.append(`lane-${lane}`, 2);
    const process = await world.start();
    await until(() => world.told().length === 1);
    expect(world.told()).toEqual(['relay.endpoint.degraded']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({ endpoint_id: 'e1', code: 'http_500' });
    await turns(30);
    // The eight that were under way when the fifth failed.
    expect(world.receivers.sent).toHaveLength(8);
    expect(process.webhooks.stats().endpoints).toEqual({ healthy: 0, open: 1 });
    for (const waitMs of [30, 60, 120, 240, 480, 600, 600].map((seconds) => seconds * secondMs)) {
      const before = world.receivers.sent.length;
      const { probeAt } = world.rows.at('e1').health;
      const leftMs = (probeAt ?? 0) - world.clock.now();
      expect(leftMs).toBeGreaterThan(waitMs - 5 * secondMs);
      expect(leftMs).toBeLessThanOrEqual(waitMs);
      await world.pass(leftMs - 2 * secondMs, 10 * secondMs);
      expect(world.receivers.sent).toHaveLength(before);
      await world.pass(3 * secondMs, secondMs);
      await until(() => world.receivers.sent.length === before + 1, { what: `probe after ${waitMs}` });
      await until(() => world.rows.at('e1').health.probeAt !== probeAt);
    }
    // What is owed longest and what was not tried yet, by turns, and no step of a schedule is spent.
    expect(world.receivers.sent.slice(8).map(({ attempt }) => attempt)).toEqual([2, 1, 2, 1, 2, 1, 2]);
    expect(new Set(world.receivers.log()).size).toBe(15);
    expect(world.rows.at('e1').health).toMatchObject({ state: 'open', probes: 7 });
    expect(Math.max(...world.rows.owed('e1').map(({ spent }) => spent))).toBe(1);
    world.receivers.answer = () => 'success';
    await world.pass(600 * secondMs, 10 * secondMs);
    await until(() => world.receivers.accepted().length === 60);
    expect(world.told()).toEqual(['relay.endpoint.degraded', 'relay.endpoint.recovered']);
    expect(world.rows.at('e1').health).toMatchObject({ state: 'healthy', failuresInRow: 0 });
    const order = world.receivers.accepted().map((id) => Number(id.slice('event-'.length)));
    for (let lane = 0; lane < 30; lane++) {
      const own = order.filter((n) => Math.floor((n - 1) / 2) === lane);
      expect(own).toEqual([2 * lane + 1, 2 * lane + 2]);
    }
  });

  it('closes although the receiver never takes the events that opened it', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id }) =>
      Number(id.slice('event-'.length)) <= 6 ? 'server_error' : 'success';
    for (let lane = 0; lane < 6; lane++) world.feed.append(`poison-${lane}`);
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    world.feed.append('well', 50);
    await world.pass(600 * secondMs, 5 * secondMs);
    await until(() => world.receivers.accepted().length === 50, { what: 'everything else' });
    expect(world.told()).toContain('relay.endpoint.recovered');
  });

  it('of a receiver that takes half of what is under way does not open and close by turns', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...defaultEndpointSettings, concurrency: 64 } });
    // Runs of six failures, and of six successes.
    let count = 0;
    world.receivers.answer = () => {
      const at = count++;
      return turns(2 + (at % 64)).then(() => (Math.floor(at / 6) % 2 === 0 ? 'server_error' : 'success'));
    };
    for (let lane = 0; lane < 500; lane++) world.feed.append(`lane-${lane}`, 2);
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    await world.pass(20 * secondMs, secondMs);
    expect(world.told()).toEqual(['relay.endpoint.degraded']);
  });

  it('sends one probe at a time, be the next one due or not', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 20; lane++) world.feed.append(`lane-${lane}`);
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    await until(() => world.rows.owed('e1').length === 8);
    world.receivers.answer = () => hang();
    await world.pass(31 * secondMs, secondMs);
    expect(world.receivers.sent).toHaveLength(9);
    world.feed.append('lane-0');
    await world.pass(120 * secondMs, 5 * secondMs);
    expect(world.receivers.sent).toHaveLength(9);
  });

  it('stays open over a restart, and probes when it would have', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'timeout';
    for (let lane = 0; lane < 10; lane++) world.feed.append(`lane-${lane}`);
    const first = await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    await first.stop();
    const sent = world.receivers.sent.length;
    await world.start();
    await world.pass(25 * secondMs, secondMs);
    expect(world.receivers.sent).toHaveLength(sent);
    world.receivers.answer = () => 'success';
    await world.pass(10 * secondMs, secondMs);
    await until(() => new Set(world.receivers.accepted()).size === 10);
    expect(world.told()).toEqual(['relay.endpoint.degraded', 'relay.endpoint.recovered']);
  });

  it('keeps the order of its lanes, however long it was open and whoever closes it', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 8; lane++) world.feed.append(`lane-${lane}`, 3);
    const first = await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    await world.pass(2 * hourMs, 60 * secondMs);
    await first.stop();
    await world.start();
    world.receivers.answer = () => 'success';
    await world.pass(20 * 60 * secondMs, 10 * secondMs);
    await until(() => world.receivers.accepted().length === 24);
    const order = world.receivers.accepted().map((id) => Number(id.slice('event-'.length)));
    for (let lane = 0; lane < 8; lane++) {
      const own = order.filter((n) => Math.floor((n - 1) / 3) === lane);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });

  it('is saved and told although the database is away for a while', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.fault = (call) => (call === 'saveHealth' ? 'refuse' : undefined);
    world.failDeclares = 2;
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 10; lane++) world.feed.append(`lane-${lane}`);
    await world.start();
    await world.pass(4 * secondMs, 250);
    expect(world.rows.fired.get('saveHealth')).toBeGreaterThan(1);
    expect(world.failures.filter(({ what }) => what === 'declare')).toHaveLength(2);
    expect(world.rows.at('e1').health.state).toBe('healthy');
    world.rows.fault = () => undefined;
    await world.pass(6 * secondMs, 250);
    expect(world.rows.at('e1').health.state).toBe('open');
    expect(world.told()).toEqual(['relay.endpoint.degraded']);
  });
});

describe('the end of an endpoint', () => {
  it('is 410 at once; enabled again, it goes on where it stood and loses nothing', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id }) => (id === 'event-3' ? 'gone' : 'success');
    world.feed.append('a', 6);
    const process = await world.start();
    await until(() => world.rows.at('e1').health.state === 'disabled');
    await until(() => world.told().length === 1);
    expect(world.told()).toEqual(['relay.endpoint.disabled']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({ code: 'gone' });
    await until(() => process.webhooks.stats().endpoints.healthy === 0);
    await world.pass(40 * secondMs, 5 * secondMs);
    expect(world.receivers.log()).toEqual(['event-1#1', 'event-2#1', 'event-3#1']);
    expect(world.rows.at('e1')).toMatchObject({ ackedSeq: 2, open: false });
    // Once: a second save could undo what somebody enabled after the first.
    expect(world.rows.calls.get('saveHealth')).toBe(1);
    world.feed.append('a');
    world.receivers.answer = () => 'success';
    world.rows.enable('e1', world.clock.now());
    await until(() => world.receivers.accepted().length === 7);
    expect(world.receivers.accepted()).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `event-${n}`));
    expect(world.receivers.log()).toContain('event-3#2');
  });

  it('is five days of nothing but failures, restarts or not', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'connection_refused';
    world.feed.append('a');
    for (let lane = 0; lane < 6; lane++) world.feed.append(`lane-${lane}`);
    let process = await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    for (let day = 0; day < 4; day++) {
      await world.pass(24 * hourMs, hourMs / 2);
      await process.stop();
      process = await world.start();
    }
    expect(world.rows.at('e1').health.state).toBe('open');
    await world.pass(25 * hourMs, hourMs / 2);
    await until(() => world.rows.at('e1').health.state === 'disabled');
    expect(world.told()).toEqual(['relay.endpoint.degraded', 'relay.endpoint.disabled']);
    const sent = world.receivers.sent.length;
    await world.pass(24 * hourMs, hourMs);
    expect(world.receivers.sent).toHaveLength(sent);
    world.receivers.answer = () => 'success';
    world.rows.enable('e1', world.clock.now());
    await until(() => new Set(world.receivers.accepted()).size === 7);
    expect(new Set(world.receivers.log()).size).toBe(world.receivers.sent.length);
  }, 60_000);

  it('is over for an open endpoint although its health was saved just behind the enabling', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 10; lane++) world.feed.append(`lane-${lane}`);
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    world.receivers.answer = () => 'success';
    // As the row is when the enabling was written and then that.
    world.rows.emit({ kind: 'endpoint', endpointId: 'e1', what: 'enabled' });
    await until(() => world.receivers.accepted().length === 2, { what: 'those not tried yet' });
    await until(() => world.rows.at('e1').health.state === 'healthy');
  });

  it('is over for an open endpoint that somebody enables: what waits goes out at once', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 10; lane++) world.feed.append(`lane-${lane}`);
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'open');
    world.receivers.answer = () => 'success';
    world.rows.enable('e1', world.clock.now());
    await until(() => world.receivers.accepted().length === 2, { what: 'those not tried yet' });
    await world.pass(6 * secondMs, 500);
    await until(() => world.receivers.accepted().length === 10);
    expect(world.rows.at('e1').health.state).toBe('healthy');
  });
});
