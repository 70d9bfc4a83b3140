// Server-requested reconnects, well-behaved and not: nothing is lost while one socket lives, and what may be lost is said.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { worlds, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  const interest = await world.addInterest(service, bot, 'channel.follow');
  const consumer = await world.consumer(service);
  const session = await world.session(bot);
  const follow = () => {
    const [sent] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    if (!sent) throw new Error('nothing was sent');
    return sent;
  };
  return { bot, service, interest, consumer, session, follow };
}

describe('a server-requested reconnect', () => {
  it('loses nothing, repeats nothing, subscribes to nothing anew and declares no gap', async () => {
    await using world = await place.create();
    const { bot, service, consumer, session, follow } = await scene(world);
    const late = world.sim.arm({ name: 'handover_welcome_late', delayMs: 150 });
    const twice = world.sim.arm({ name: 'handover_double_delivery' });
    const creates = world.requests('create').length;
    const sent = [follow()];
    world.sim.requestReconnect(session.id);
    await until(() => world.sim.connections.length === 2, { what: 'the second socket' });
    // The old socket delivers until the new welcome.
    for (let i = 0; i < 5; i++) sent.push(follow());
    const next = await world.session(bot, session.id);
    await until(() => world.sim.connections[0]?.closedAt, { what: 'the old socket to close' });
    for (let i = 0; i < 5; i++) sent.push(follow());
    expect(await consumer.got(sent.length)).toEqual(sent.map((each) => each.messageId));
    expect(sent.every((each) => each.delivered)).toBe(true);
    expect(late.fired() + twice.fired()).toBeGreaterThanOrEqual(1);
    expect(next.subscriptionCount).toBe(1);
    expect(world.requests('create')).toHaveLength(creates);
    expect(world.sim.connections[0]).toMatchObject({ closeCode: 1000, byClient: true });
    await world.ready();
    expect(world.gaps(await world.log(service))).toEqual([]);
  });

  it('goes on when the old socket dies on the way, and declares just that moment', async () => {
    await using world = await place.create();
    const { bot, service, interest, consumer, session, follow } = await scene(world);
    const dying = world.sim.arm({ name: 'old_socket_dies_during_handover', delayMs: 100 });
    const before = follow();
    await consumer.got(1);
    const creates = world.requests('create').length;
    world.sim.requestReconnect(session.id);
    await world.session(bot, session.id);
    await until(() => dying.fired() === 1, { what: 'the fault' });
    const gap = await consumer.gotType('relay.gap');
    expect(gap.event).toMatchObject({ cause: 'upstream_reconnect', topic_ids: [interest.topic_id] });
    const after = follow();
    expect(await consumer.got(2)).toEqual([before.messageId, after.messageId]);
    expect(world.requests('create')).toHaveLength(creates);
    expect(world.gaps(await world.log(service))).toHaveLength(1);
    expect(world.sim.connections).toHaveLength(2);
  });

  it('throws a reconnect URL away that is answered with 4007, and starts afresh when the old socket ends', async () => {
    await using world = await place.create();
    const { bot, interest, consumer, session, follow } = await scene(world);
    const invalid = world.sim.arm({ name: 'reconnect_url_4007' });
    world.sim.requestReconnect(session.id, { graceMs: 200 });
    await until(() => invalid.fired() === 1, { what: 'the fault' });
    const onOld = follow();
    const next = await world.session(bot, session.id);
    await world.subscribed(bot, 1);
    const gap = await consumer.gotType('relay.gap');
    expect(gap.event).toMatchObject({ cause: 'upstream_reconnect', topic_ids: [interest.topic_id] });
    await world.ready();
    const onNew = follow();
    expect(await consumer.got(2)).toEqual([onOld.messageId, onNew.messageId]);
    expect(next.id).not.toBe(session.id);
    // One refused hand-over, one fresh connect: no storm.
    expect(world.sim.connections.map((each) => each.kind)).toEqual(['base', 'reconnect', 'base']);
  });

  it('tries a refused reconnect URL again while the old socket lives', async () => {
    await using world = await place.create();
    const { bot, service, consumer, session, follow } = await scene(world);
    const refused = world.sim.arm({ name: 'reconnect_refused', status: 503, times: 2 });
    world.sim.requestReconnect(session.id);
    await world.session(bot, session.id);
    expect(refused.fired()).toBe(2);
    const sent = follow();
    expect(await consumer.got(1)).toEqual([sent.messageId]);
    expect(world.gaps(await world.log(service))).toEqual([]);
  });

  it('starts afresh when the new welcome never comes in time', async () => {
    await using world = await place.create();
    const { bot, interest, consumer, session } = await scene(world);
    const withheld = world.sim.arm({ name: 'welcome_withheld', path: 'reconnect', times: 10 });
    world.sim.requestReconnect(session.id);
    await until(() => withheld.fired() >= 1, { what: 'the fault' });
    await world.clock.advance(25_000);
    const next = await world.session(bot, session.id);
    await world.subscribed(bot, 1);
    expect(next.id).not.toBe(session.id);
    const gap = await consumer.gotType('relay.gap');
    expect(gap.event).toMatchObject({ topic_ids: [interest.topic_id] });
  });

  it('survives ten in a row', async () => {
    await using world = await place.create();
    const { bot, service, consumer, follow } = await scene(world);
    const sent: string[] = [];
    for (let round = 0; round < 10; round++) {
      const session = await world.session(bot);
      world.sim.requestReconnect(session.id);
      sent.push(follow().messageId);
      await world.session(bot, session.id);
      sent.push(follow().messageId);
    }
    expect(await consumer.got(sent.length)).toEqual(sent);
    await until(() => world.sim.connections.filter((each) => each.closedAt === null).length === 1, {
      what: 'one open socket',
    });
    expect(world.gaps(await world.log(service))).toEqual([]);
  });
});
