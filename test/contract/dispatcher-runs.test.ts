// Webhook delivery: what is live and replays beside one another. Each run has its own share; nobody waits for another one.
import { describe, expect, it } from 'vitest';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { World, hang, turns, until } from './dispatcher-rig.ts';
import type { Sent } from './dispatcher-rig.ts';

const settings = defaultEndpointSettings;
const own = { serviceAccountId: 'service-1', endpointId: 'e1', dryRun: false };
const numberOf = ({ id }: Pick<Sent, 'id'>): number => Number(id.slice('event-'.length));

describe('a large replay', () => {
  it('whose first request hangs holds up neither a live retry nor another replay', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 1_000);
    world.feed.append('b', 30);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 1_030);
    await world.pass(300);
    const before = world.receivers.sent.length;
    world.receivers.answer = ({ id, attempt }) => {
      if (numberOf({ id }) <= 1_000) return hang();
      return numberOf({ id }) === 1_031 && attempt === 1 ? 'server_error' : 'success';
    };
    await webhooks.replay({ ...own, through: 1_000 });
    await until(() => world.receivers.sent.length === before + 1, { what: 'the request that hangs' });
    world.feed.append('c');
    await until(() => world.rows.owed('e1').some(({ seq }) => seq === 1_031));
    await webhooks.replay({ ...own, after: 1_000, through: 1_030 });
    await until(() => world.receivers.accepted().length === 1_060, { what: 'the second replay' });
    await world.pass(6_000, 500);
    await until(() => world.receivers.accepted().includes('event-1031'), { what: 'the live retry' });
    expect(world.receivers.log().slice(before)[0]).toBe('event-1#2');
    expect(world.receivers.sent.length - before).toBe(1 + 30 + 2);
    expect(world.rows.owed('e1')).toHaveLength(1_000);
  });

  it('of many broadcasters leaves half of a single request to what is live', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 1 } });
    for (let lane = 0; lane < 50; lane++) world.feed.append(`lane-${lane}`, 4);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 200);
    world.receivers.answer = () => turns(3).then(() => 'success');
    await webhooks.replay(own);
    await until(() => world.receivers.sent.length > 210);
    const before = world.receivers.sent.length;
    world.feed.append('live', 20);
    await until(() => world.receivers.accepted().includes('event-220'));
    const last = world.receivers.log().indexOf('event-220#1');
    const replayed = world.receivers.sent.slice(before, last).filter((sent) => numberOf(sent) <= 200);
    expect(replayed.length).toBeGreaterThan(10);
    expect(replayed.length).toBeLessThan(30);
  });

  it('shares with another one as with what is live', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 1 } });
    world.feed.append('a', 200);
    for (let lane = 0; lane < 20; lane++) world.feed.append(`lane-${lane}`, 10);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 400);
    world.receivers.answer = () => turns(3).then(() => 'success');
    await webhooks.replay({ ...own, after: 200 });
    await until(() => world.receivers.sent.length > 410);
    const before = world.receivers.sent.length;
    await webhooks.replay({ ...own, through: 50 });
    const last = await until(() => {
      const at = world.receivers.sent.findLastIndex(({ id }) => id === 'event-50');
      return at >= before && at;
    });
    const others = world.receivers.sent.slice(before, last).filter((sent) => numberOf(sent) > 200);
    expect(others.length).toBeGreaterThan(30);
    expect(others.length).toBeLessThan(75);
  });
});

describe('a replay after a crash', () => {
  it('goes on behind numbers that the history never heard of', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ attempt }) => (attempt === 1 ? 'server_error' : 'success');
    world.feed.append('a');
    const first = await world.start();
    world.rows.fault = (call) => (call === 'record' ? 'refuse' : undefined);
    await world.pass(6_000, 500);
    await until(() => world.rows.owed('e1').length === 0);
    await world.pass(300);
    first.crash();
    expect(world.rows.fired.get('record')).toBeGreaterThan(0);
    expect([world.rows.at('e1').ackedSeq, world.rows.attempts]).toEqual([1, []]);
    world.rows.fault = () => undefined;
    const { webhooks } = await world.start();
    await webhooks.replay(own);
    await until(() => world.receivers.sent.length === 3);
    expect(world.receivers.log()).toEqual(['event-1#1', 'event-1#2', 'event-1#3']);
  });
});

describe('what another process adds', () => {
  it('is found within half a minute, and only those are asked who owe something', async () => {
    await using world = new World();
    for (let at = 1; at <= 20; at++) world.rows.addEndpoint(`e${at}`);
    world.feed.append('a', 3);
    await world.start();
    await until(() => world.receivers.accepted().length === 60);
    const asked = world.rows.calls.get('runs') ?? 0;
    const row = { endpointId: 'e7', seq: 2, run: 'r1', attempt: 1, spent: 0, claimed: false };
    const dates = { nextAt: world.clock.now(), bornAt: world.clock.now(), blocksUntil: null };
    world.rows.deliveries.set('e7/2/r1', { ...row, ...dates });
    await world.pass(31_000, 1_000);
    await until(() => world.receivers.log('e7').includes('event-2#2'));
    await until(() => world.rows.owed('e7').length === 0);
    await world.pass(60_000, 1_000);
    expect((world.rows.calls.get('runs') ?? 0) - asked).toBe(1);
  });
});

describe('a clock that goes back', () => {
  it('while a failed claim waits does not make it wait the longer', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 2);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 2);
    world.rows.fault = (call) => (call === 'claim' ? 'refuse' : undefined);
    world.clock.jump(3_600_000);
    await webhooks.replay(own);
    await until(() => world.rows.fired.get('claim') === 1);
    for (const row of world.rows.owed('e1'))
      world.rows.deliveries.set(`e1/${row.seq}/${row.run}`, { ...row, nextAt: 0 });
    world.clock.jump(-3_600_000);
    world.rows.fault = () => undefined;
    world.feed.append('a');
    await world.pass(31_000, 1_000);
    await until(() => world.receivers.accepted().length === 5);
  });
});

describe('a claim whose answer is lost', () => {
  it('is taken back while another run hangs', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 2);
    world.feed.append('b', 2);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 4);
    world.receivers.answer = ({ id }) => (numberOf({ id }) <= 2 ? hang() : 'success');
    await webhooks.replay({ ...own, through: 2 });
    await until(() => world.receivers.sent.length === 5);
    let losing = true;
    world.rows.fault = (call) => {
      if (call !== 'claim' || !losing) return undefined;
      losing = false;
      return 'lose';
    };
    await webhooks.replay({ ...own, after: 2 });
    await world.pass(2_000, 250);
    await until(() => world.receivers.accepted().length === 6);
    expect(world.rows.fired.get('claim')).toBe(1);
    expect(world.rows.calls.get('takeBack')).toBe(1);
    expect(new Set(world.receivers.log()).size).toBe(world.receivers.sent.length);
    expect(world.rows.owed('e1').map(({ seq }) => seq)).toEqual([1, 2]);
  });
});

describe('while the circuit is open', () => {
  it('a probe of what is owed is the oldest of what is live, and only then of a replay', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 5 } });
    for (let lane = 0; lane < 5; lane++) world.feed.append(`lane-${lane}`);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 5);
    world.receivers.answer = () => 'server_error';
    for (let lane = 0; lane < 5; lane++) world.feed.append(`live-${lane}`);
    await until(() => world.rows.at('e1').health.state === 'open');
    await until(() => world.rows.owed('e1').length === 5);
    world.feed.append('fresh');
    await webhooks.replay({ ...own, through: 5 });
    const probe = async () => {
      const { probeAt } = world.rows.at('e1').health;
      const count = world.receivers.sent.length;
      await world.pass((probeAt ?? 0) - world.clock.now() + 1_000, 1_000);
      await until(() => world.rows.at('e1').health.probeAt !== probeAt);
      expect(world.receivers.sent).toHaveLength(count + 1);
      return numberOf(world.receivers.sent.at(-1) ?? { id: '' });
    };
    expect(await probe()).toBe(6);
    expect(await probe()).toBe(11);
    for (const row of world.rows.owed('e1'))
      if (row.run === '') world.rows.deliveries.delete(`e1/${row.seq}/`);
    expect(await probe()).toBeLessThanOrEqual(5);
  });
});
