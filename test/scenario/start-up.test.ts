// What happens at Twitch when the daemon starts: it reuses, creates what is missing, deletes what nobody wants, and
// leaves everything as it is when it cannot know.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

describe('start-up reconciliation', () => {
  it('opens no socket without an interest, one with the first, none after the last', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    await world.ready();
    expect(world.sim.connections).toHaveLength(0);
    const interest = await world.addInterest(service, bot, 'channel.follow');
    expect(interest.state).toBe('active');
    expect(world.sim.connections).toHaveLength(1);
    const removed = await world.call('DELETE', `/v1/interests/${interest.id}`, { as: service });
    expect(removed.body).toEqual({ deleted: true });
    await until(() => world.sim.sessions().every((each) => !each.open), { what: 'the socket to close' });
    await until(() => world.requests('delete').some((each) => each.status === 204 || each.status === 404), {
      what: 'the DELETE',
    });
    expect(world.sim.connections[0]?.closeCode).toBe(1000);
  });

  it('serves a dozen bots, each on a session of its own', async () => {
    await using world = await place.create();
    const service = await world.addService();
    for (let n = 0; n < 12; n++) await world.addInterest(service, await world.addBot(), 'channel.follow');
    const open = world.sim.sessions().filter((session) => session.open);
    expect(new Set(open.map((session) => session.userId)).size).toBe(12);
    expect(open).toHaveLength(12);
  });

  it('creates only what is missing: what lives on its session is found by the list and adopted', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    await world.addInterest(service, bot, 'channel.follow');
    await world.addInterest(service, bot, 'channel.ban');
    await world.stop();
    const before = world.sim.requests.length;
    // Twitch's create answers are lost on the way, though they took effect: the new process must find what it has.
    const lost = world.sim.arm({ name: 'helix_half_answer', on: 'create', times: 2 });
    await world.start();
    await world.subscribed(bot, 2);
    await world.ready();
    expect(lost.fired()).toBe(2);
    const live = world.sim.subscriptions().filter((each) => each.status === 'enabled' && !each.zombie);
    expect(live.map((each) => each.type).toSorted()).toEqual(['channel.ban', 'channel.follow']);
    expect(world.requests('create', before).filter((each) => each.status === 202)).toHaveLength(2);
    const { body } = await world.call<{ state: string }[]>('GET', '/v1/interests', { as: service });
    expect(body.map((each) => each.state)).toEqual(['active', 'active']);
  });

  it('deletes what an earlier life left behind and what nobody wants any more', async () => {
    await using world = await place.create({ simulator: { zombieMs: 60_000 } });
    const bot = await world.addBot();
    const service = await world.addService();
    const keep = await world.addInterest(service, bot, 'channel.follow');
    const drop = await world.addInterest(service, bot, 'channel.ban');
    const session = await world.session(bot);
    // Twitch is slow to notice that the socket died, and the interest goes while nothing can be deleted.
    const refused = world.sim.arm({ name: 'helix', on: 'delete', status: 503, times: 50 });
    await world.call('DELETE', `/v1/interests/${drop.id}`, { as: service });
    await until(() => refused.fired() > 0, { what: 'a refused DELETE' });
    world.sim.dropSession(session.id, { zombieMs: 60_000 });
    await world.stop();
    refused.disarm();
    expect(world.sim.subscriptions().filter((each) => each.zombie)).toHaveLength(2);
    await world.start();
    await world.ready();
    await until(() => world.sim.subscriptions().every((each) => !each.zombie), { what: 'the zombies to go' });
    const left = world.sim.subscriptions().filter((each) => each.status === 'enabled');
    expect(left.map((each) => each.type)).toEqual(['channel.follow']);
    const { body } = await world.call<{ id: string }[]>('GET', '/v1/interests', { as: service });
    expect(body.map((each) => each.id)).toEqual([keep.id]);
  });

  it('leaves the subscriptions of another program with the same client id alone', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const other = world.sim.plant({
      userId: bot.user.id,
      sessionId: 'somebody-elses-session',
      type: 'channel.cheer',
      condition: { broadcaster_user_id: bot.user.id },
    });
    const service = await world.addService();
    await world.addInterest(service, bot, 'channel.follow');
    await world.ready();
    expect(world.sim.subscriptions().map((each) => each.id)).toContain(other.id);
    expect(world.requests('delete')).toHaveLength(0);
  });

  it('changes nothing while the list cannot be had', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    await world.addInterest(service, bot, 'channel.follow');
    await world.stop();
    const before = world.sim.requests.length;
    const failing = world.sim.arm({ name: 'helix', on: 'list', status: 500, times: 3 });
    const sockets = world.sim.connections.length;
    await world.start();
    await until(() => failing.fired() === 3, { what: 'three failed lists' });
    const untilThen = world.sim.requests.slice(before);
    expect(untilThen.filter((each) => each.operation === 'create' || each.operation === 'delete')).toEqual(
      [],
    );
    expect(world.sim.connections.length).toBe(sockets);
    await world.ready();
    expect(world.requests('create', before)).toHaveLength(1);
  });

  it('tells consumers what a restart may have cost', async () => {
    await using world = await place.create();
    const bot = await world.addBot();
    const service = await world.addService();
    const interest = await world.addInterest(service, bot, 'channel.follow');
    // Known to the relay before the restart, so that it resumes where it was.
    await (await world.consumer(service)).closeNow();
    const stoppedAt = Date.now();
    await world.stop();
    const lost = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    expect(lost.filter((each) => each.delivered)).toEqual([]);
    await world.start();
    await world.ready();
    const consumer = await world.consumer(service);
    const gap = await consumer.gotType('relay.gap');
    expect(gap.provider).toBe('relay');
    expect(gap.event).toMatchObject({
      cause: 'restart',
      bot_account_id: bot.id,
      topic_ids: [interest.topic_id],
    });
    const { from, to } = gap.event as { from: string; to: string };
    expect(Date.parse(from)).toBeLessThanOrEqual(stoppedAt);
    expect(Date.parse(to)).toBeGreaterThanOrEqual(stoppedAt);
    // And the session is as good as new.
    const [sent] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    expect(await consumer.got(1)).toEqual([sent?.messageId]);
  });
});
