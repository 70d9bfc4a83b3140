// Every way in which a session can end by surprise: it comes back, subscribes again and says what may be missing.
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
  return { bot, service, interest, consumer, session };
}

/** After the loss: a new session, everything subscribed again, one gap of that cause around the lost event, events again. */
async function expectRecovery(
  world: World,
  given: Awaited<ReturnType<typeof scene>>,
  cause: string,
): Promise<void> {
  const { bot, service, interest, consumer, session } = given;
  const missed = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
  const next = await world.session(bot, session.id);
  expect(next.id).not.toBe(session.id);
  await world.subscribed(bot, 1);
  const gap = await consumer.gotType('relay.gap');
  expect(gap.event).toMatchObject({ cause, bot_account_id: bot.id, topic_ids: [interest.topic_id] });
  const { from, to } = gap.event as { from: string; to: string };
  const offset = world.clock.now() - Date.now();
  for (const each of missed.filter((one) => !one.delivered)) {
    expect(each.sentAt + offset + 1).toBeGreaterThanOrEqual(Date.parse(from));
    expect(each.sentAt).toBeLessThanOrEqual(Date.parse(to));
  }
  await world.ready();
  const [sent] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
  await until(() => consumer.ids().includes(sent?.messageId ?? ''), { what: 'an event after the recovery' });
  expect(world.gaps(await world.log(service))).toHaveLength(1);
}

describe('a session that ends', () => {
  for (const code of [4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 1001, 1011]) {
    it(`with close code ${code} is replaced`, async () => {
      await using world = await place.create();
      const given = await scene(world);
      world.sim.closeSession(given.session.id, code);
      await expectRecovery(world, given, 'upstream_reconnect');
    });
  }

  it('with a cut connection is replaced', async () => {
    await using world = await place.create();
    const given = await scene(world);
    world.sim.dropSession(given.session.id);
    await expectRecovery(world, given, 'upstream_reconnect');
  });

  it('by falling silent is noticed by the watchdog', async () => {
    await using world = await place.create();
    const given = await scene(world);
    const silence = world.sim.arm({ name: 'keepalive_silence', sessionId: given.session.id });
    world.sim.send('channel.follow', { broadcaster_user_id: given.bot.user.id });
    await world.clock.advance(12_001);
    await expectRecovery(world, given, 'upstream_silence');
    expect(silence.fired()).toBeGreaterThanOrEqual(1);
  });

  it('does not begin without a welcome', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    const withheld = world.sim.arm({ name: 'welcome_withheld' });
    const interest = await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    expect(interest.state).toBe('pending');
    await until(() => withheld.fired() === 1, { what: 'the fault' });
    // In steps: the simulator has the socket a moment before the relay has, whose time for the welcome begins then.
    await until(
      async () => {
        if (world.sim.connections[0]?.closedAt) return true;
        return world.clock.advance(1_000);
      },
      { what: 'the relay to give up' },
    );
    await world.subscribed(bot, 1);
    await world.ready();
    expect(world.sim.connections).toHaveLength(2);
    // Never having been live, it has promised nothing: no gap.
    expect(world.gaps(await world.log(service))).toEqual([]);
  });

  for (const status of [429, 503]) {
    it(`does not begin while the upgrade is refused with ${status}, and the tries are spaced`, async () => {
      await using world = await place.create();
      const bot = await world.addBot();
      const service = await world.addService();
      const refused = world.sim.arm({ name: 'upgrade_refused', status, times: 3 });
      const interest = await world.addInterest(service, bot, 'channel.follow');
      expect(interest.state).toBe('active');
      expect(refused.fired()).toBe(3);
      expect(world.sim.connections).toHaveLength(4);
    });
  }

  it('does not begin while the upgrade is never answered', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    const hanging = world.sim.arm({ name: 'upgrade_hangs' });
    await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the fault' });
    await world.clock.advance(10_001);
    await world.subscribed(bot, 1);
  });
});

describe('frames that are not as they should be', () => {
  it('malformed and truncated ones are survived, counted, and declared as a gap', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    const malformed = world.sim.arm({ name: 'malformed_frame', times: 5 });
    const truncated = world.sim.arm({ name: 'truncated_frame', times: 5 });
    const sent: string[] = [];
    for (let i = 0; i < 10; i++) {
      for (const each of world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id }))
        sent.push(each.messageId);
    }
    expect(await consumer.got(10)).toEqual(sent);
    expect(malformed.fired() + truncated.fired()).toBe(10);
    await world.clock.advance(1_001);
    const gap = await consumer.gotType('relay.gap');
    expect(gap.event).toMatchObject({ cause: 'upstream_malformed' });
    const metrics = await world.call('GET', '/health');
    expect(metrics.status).toBe(200);
    expect(world.sim.connections).toHaveLength(1);
    // Counted ten times, told once.
    expect(world.logs.filter((line) => /malformed/i.test(line))).toHaveLength(1);
    expect(world.gaps(await world.log(service))).toHaveLength(1);
  });

  it('unknown message types are passed over', async () => {
    await using world = await place.create();
    const { bot, service, consumer } = await scene(world);
    const unknown = world.sim.arm({ name: 'unknown_message_type', times: 2 });
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    await consumer.got(2);
    expect(unknown.fired()).toBe(2);
    expect(world.gaps(await world.log(service))).toEqual([]);
  });

  it('repeated notifications are delivered once', async () => {
    await using world = await place.create();
    const { bot, consumer } = await scene(world);
    const doubled = world.sim.arm({ name: 'duplicate_notifications', copies: 3, times: 4 });
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) {
      for (const each of world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id }))
        ids.add(each.messageId);
    }
    await consumer.got(5);
    const [last] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    await until(() => consumer.ids().includes(last?.messageId ?? ''), { what: 'the last one' });
    expect(doubled.fired()).toBe(4);
    expect(consumer.ids()).toEqual([...ids, last?.messageId]);
  });
});
