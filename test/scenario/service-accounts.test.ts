// What becomes of the wishes and sockets of a service that is switched off, on again, and removed while they live.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

it('a switched-off or removed service costs Twitch nothing, and what another wants stays', async () => {
  await using world = await place.create();
  const bot = await world.addBot();
  const [leaving, staying] = [await world.addService('leaving'), await world.addService('staying')];
  const path = `/v1/admin/service-accounts/${leaving.clientId}`;
  await world.addInterest(staying, bot, 'channel.follow');
  await world.addInterest(leaving, bot, 'channel.follow');
  await world.addInterest(leaving, bot, 'channel.update');
  await world.subscribed(bot, 2);
  const [socket, other] = [await world.consumer(leaving), await world.consumer(staying)];
  const follow = () =>
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';

  expect((await world.call('PATCH', path, { as: 'admin', body: { enabled: false } })).status).toBe(200);
  expect((await socket.closed).code).toBe(4403);
  expect((await world.call('GET', '/v1/interests', { as: leaving })).status).toBe(403);
  await world.subscribed(bot, 1);
  const first = follow();
  expect(await other.got(1)).toEqual([first]);

  await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
  await world.subscribed(bot, 2);
  const back = await world.consumer(leaving);
  expect((await world.call<unknown[]>('GET', '/v1/interests', { as: leaving })).body).toHaveLength(2);

  // A wish that is made while its service is removed is refused or goes with it; nothing is left either way.
  const [removed, late] = await Promise.all([
    world.call('DELETE', path, { as: 'admin' }),
    world.call('POST', '/v1/interests', {
      as: leaving,
      body: {
        bot_account_id: bot.id,
        event_type: 'stream.online',
        broadcaster_user_id: bot.user.id,
        transport: 'websocket',
      },
    }),
  ]);
  expect(removed.status).toBe(200);
  expect([200, 201, 401]).toContain(late.status);
  expect((await back.closed).code).toBe(4401);
  await world.subscribed(bot, 1);
  const second = follow();
  expect(await other.got(2)).toEqual([first, second]);
  await until(
    async () => {
      const { body } = await world.call<{ topics: Record<string, number> }[]>('GET', '/v1/bots', {
        as: 'admin',
      });
      return body[0]?.topics['active'] === 1;
    },
    { what: 'one topic' },
  );
});
