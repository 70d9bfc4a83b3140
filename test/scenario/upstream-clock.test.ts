// What gaps say while the relay's clock is wrong: events bear the platform's stamps, and by those nothing may be hidden.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { createWorld, type World } from '../support/world.ts';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(() => place[Symbol.asyncDispose]());

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  await world.addInterest(service, bot, 'channel.follow');
  const consumer = await world.consumer(service);
  return { bot, consumer, session: await world.session(bot) };
}

const tenMinutes = 600_000;

interface GapBody {
  readonly from: string;
  readonly to: string;
}

describe('a clock that is ten minutes behind', () => {
  it('does not end the gap of a lost session before Twitch had the subscription again', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const { bot, consumer, session } = await scene(world);
    world.clock.jump(-tenMinutes);
    const lostAt = Date.now();
    world.sim.closeSession(session.id, 4000);
    const gap = (await consumer.gotType('relay.gap', { cause: 'upstream_reconnect' })).event as GapBody;
    await world.subscribed(bot, 1);
    const again = world.sim.subscriptions().find(({ status }) => status === 'enabled');
    expect(Date.parse(gap.from)).toBeLessThanOrEqual(lostAt);
    expect(Date.parse(gap.to)).toBeGreaterThanOrEqual(again?.createdAtMs ?? Infinity);
  });

  it('does not end the gap of a hand-over before the new welcome', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const { consumer, session } = await scene(world);
    world.clock.jump(-tenMinutes);
    const death = world.sim.arm({ name: 'old_socket_dies_during_handover', delayMs: 100 });
    world.sim.requestReconnect(session.id);
    const gap = (await consumer.gotType('relay.gap', { cause: 'upstream_reconnect' })).event as GapBody;
    expect(death.fired()).toBe(1);
    const welcomedAt = world.sim.connections.at(-1)?.welcomedAt ?? Infinity;
    expect(Date.parse(gap.to)).toBeGreaterThanOrEqual(welcomedAt);
  });
});

describe('a clock that is five seconds ahead', () => {
  it('does not begin the gap of a revocation behind it', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const { consumer } = await scene(world);
    // Too little for anybody to take it for a silence.
    world.clock.jump(5_000);
    const revokedAt = Date.now();
    const [subscription] = world.sim.subscriptions();
    world.sim.revoke(subscription?.id ?? '', 'websocket_internal_error');
    const gap = (await consumer.gotType('relay.gap', { cause: 'upstream_reconnect' })).event as GapBody;
    expect(Date.parse(gap.from)).toBeLessThanOrEqual(revokedAt + 100);
  });
});
