// A bot that needs two sockets: losing either, and shrinking back to one.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

it(
  'loses the first of two, is whole again, and keeps no empty socket knocking',
  { timeout: 120_000 },
  async () => {
    await using world = await place.create({
      simulator: { rateLimitPerMinute: 10_000, keepaliveSeconds: 1_000, firstSubscriptionDeadlineMs: 300 },
    });
    const bot = await world.addBot();
    const service = await world.addService();
    const channels = Array.from({ length: 301 }, () => world.addBroadcaster().id);
    const interests: { id: string; channel: string }[] = [];
    for (let first = 0; first < channels.length; first += 50) {
      const made = await Promise.all(
        channels.slice(first, first + 50).map(async (channel) => {
          const { id } = await world.addInterest(service, bot, 'channel.follow', channel, { wait: 0 });
          return { id, channel };
        }),
      );
      interests.push(...made);
    }
    const open = () => world.sim.sessions().filter((each) => each.open);
    const live = () => world.sim.subscriptions().filter((each) => each.status === 'enabled' && !each.zombie);
    await until(() => live().length === 301 && open().length === 2, { what: 'all', timeoutMs: 60_000 });
    const [lost] = open();
    world.sim.dropSession(lost?.id ?? '');
    await until(() => live().length === 301 && open().length === 2, { what: 'all again', timeoutMs: 60_000 });
    await world.ready();
    const topics = new Set(world.gaps(await world.log(service)).flatMap((gap) => gap.topic_ids));
    expect(topics.size).toBe(lost?.subscriptionCount);
    expect(new Set(live().map((each) => JSON.stringify(each.condition))).size).toBe(301);

    // The emptier one loses all that it has, and one socket is enough for the rest.
    const emptier = open().toSorted((a, b) => a.subscriptionCount - b.subscriptionCount)[0];
    const doomed = live().filter((each) => each.sessionId === emptier?.id);
    const channelsOf = new Set(doomed.map((each) => each.condition['broadcaster_user_id']));
    for (const { id, channel } of interests)
      if (channelsOf.has(channel)) await world.call('DELETE', `/v1/interests/${id}`, { as: service });
    await until(() => live().length === 301 - doomed.length, { what: 'the deletes', timeoutMs: 30_000 });
    await until(() => open().length === 1, { what: 'one socket', timeoutMs: 30_000 });
    const connections = world.sim.connections.length;
    for (let turn = 0; turn < 10; turn++) await world.clock.advance(30_000).then(() => world.ready());
    expect(world.sim.connections.length).toBe(connections);
  },
);
