// Which service may use which bot, changed while sockets and webhooks are live: it takes effect at once, for this service
// and for no other.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { InterestView, ServiceView } from '../../src/protocol/rest.ts';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { startLink, visit } from '../support/visit.ts';
import { worlds, type Bot, type Service, type World } from '../support/world.ts';

const place = worlds();
let world: World;
let bot: Bot;
let service: Service;
beforeAll(async () => {
  await place.open();
  world = await place.create();
});
beforeEach(async () => {
  bot = await world.addBot();
  service = await world.addService();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

const patch = async (who: Service, body: object, at = world) => {
  const path = `/v1/admin/service-accounts/${who.clientId}`;
  const answer = await at.call<ServiceView>('PATCH', path, { as: 'admin', body });
  expect(answer.status).toBe(200);
  return answer.body;
};
const send = (type: string) => world.sim.send(type, { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
const interestNow = async (id: string) =>
  (await world.call<InterestView>('GET', `/v1/interests/${id}`, { as: service })).body;

describe('a service that is restricted while it listens', () => {
  it('gets nothing more at once, is told, and goes on when it is allowed; others notice nothing', async () => {
    const other = await world.addService();
    const shared = await world.addInterest(service, bot, 'channel.follow');
    const alone = await world.addInterest(service, bot, 'channel.update');
    await world.addInterest(other, bot, 'channel.follow');
    const [live, plain, others] = [
      await world.consumer(service),
      await world.consumer(service, 'plain'),
      await world.consumer(other),
    ];
    const first = send('channel.follow');
    await Promise.all([live.got(1), plain.got(1), others.got(1)]);

    expect(await patch(service, { access_mode: 'restricted' })).toMatchObject({
      access_mode: 'restricted',
      bot_account_ids: [],
    });
    // In effect when the call is answered: what comes from now on is not for it.
    const second = send('channel.follow');
    expect(await others.got(2)).toEqual([first, second]);
    for (const { id } of [shared, alone]) {
      await live.gotType('relay.interest.revoked', { interest_id: id, code: 'bot_access_denied' });
      expect(await interestNow(id)).toMatchObject({ state: 'revoked', code: 'bot_access_denied' });
    }
    expect([live.ids(), plain.ids()]).toEqual([[first], [first]]);
    // What nobody else wants is given back to Twitch, what another wants stays.
    await world.subscribed(bot, 1);
    const refused = await world.call('POST', '/v1/interests', {
      as: service,
      body: {
        bot_account_id: bot.id,
        event_type: 'channel.follow',
        broadcaster_user_id: bot.user.id,
        transport: 'websocket',
      },
    });
    expect([refused.status, refused.body['code']]).toEqual([403, 'bot_access_denied']);

    await patch(service, { bot_account_ids: [bot.id] });
    await world.subscribed(bot, 2);
    await live.gotType('relay.interest.active', { interest_id: shared.id });
    const third = send('channel.follow');
    // What was logged meanwhile is no secret any more: whether a reader has passed it by decides whether it comes.
    for (const consumer of [live, plain]) {
      await until(() => consumer.ids().includes(third), { what: 'the third event' });
      expect([first, second, third].filter((id) => consumer.ids().includes(id))).toEqual(consumer.ids());
    }
    expect(await others.got(3)).toEqual([first, second, third]);
    expect((await interestNow(shared.id)).state).toBe('active');
    await until(async () => (await interestNow(alone.id)).state === 'active', { what: 'the other one' });
  });

  it('hears of what becomes of the topic only when access is back, and may spell its bot in capitals', async () => {
    const other = await world.addService();
    const mine = await world.addInterest(service, bot, 'channel.follow');
    await world.addInterest(other, bot, 'channel.follow');
    const [live, others] = [await world.consumer(service), await world.consumer(other)];
    await patch(service, { access_mode: 'restricted' });
    await live.gotType('relay.interest.revoked', { interest_id: mine.id, code: 'bot_access_denied' });
    const [subscription] = world.sim.subscriptions().filter(({ userId }) => userId === bot.user.id);
    world.sim.revoke(subscription?.id ?? '', 'version_removed');
    await others.gotType('relay.interest.rejected');
    await patch(service, { bot_account_ids: [bot.id.toUpperCase()] });
    await live.gotType('relay.interest.rejected', { interest_id: mine.id, code: 'version_removed' });
    expect([...live.ids('relay.interest.rejected'), ...live.ids('relay.interest.active')]).toHaveLength(1);
    const again = await world.addInterest(service, { ...bot, id: bot.id.toUpperCase() }, 'channel.follow');
    expect(again.id).toBe(mine.id);
  });

  it('is sent no webhook either, and may delete what is suspended', async () => {
    await using receiver = await Receiver.start();
    await using other = await Receiver.start();
    const interest = await world.addWebhook(service, bot, 'channel.follow', receiver);
    const keeper = await world.addService();
    await world.addInterest(keeper, bot, 'channel.follow');
    const first = send('channel.follow');
    const idsAt = (at: Receiver) =>
      at.requests.filter(({ event }) => event.provider !== 'relay').map(({ id }) => id);
    await until(() => idsAt(receiver).includes(first), { what: 'the first webhook' });
    await patch(service, { access_mode: 'restricted' });
    const second = send('channel.follow');
    await until(async () => (await world.log(keeper)).some(({ id }) => id === second), {
      what: 'the second',
    });
    const elsewhere = await world.addWebhook(keeper, bot, 'channel.follow', other);
    const third = send('channel.follow');
    await until(() => idsAt(other).includes(third), { what: 'the webhook of the other' });
    expect([elsewhere.state, idsAt(receiver)]).toEqual(['active', [first]]);
    await patch(service, { access_mode: 'all' });
    const fourth = send('channel.follow');
    await until(() => idsAt(receiver).includes(fourth), { what: 'a webhook again' });
    await patch(service, { access_mode: 'restricted' });
    const gone = await world.call('DELETE', `/v1/interests/${interest.id}`, { as: service });
    expect([gone.status, gone.body]).toEqual([200, { deleted: true }]);
  });
});

it('a disabled service’s socket is closed with 4403 within a second', async () => {
  await world.addInterest(service, bot, 'channel.follow');
  const [live, plain] = [await world.consumer(service), await world.consumer(service, 'plain')];
  const startedAt = performance.now();
  await patch(service, { enabled: false });
  const codes = [(await live.closed).code, (await plain.closed).code];
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(codes).toEqual([4403, 4403]);
});

it('with SERVICE_BOT_DEFAULT=none a new service may use no bot until it is given one, or a broadcaster grants it one', async () => {
  await world[Symbol.asyncDispose]();
  world = await place.create({ env: { SERVICE_BOT_DEFAULT: 'none' } });
  bot = await world.addBot();
  const fresh = await world.addService();
  const accessible = async () =>
    (
      await world.call<{ access_mode: string; bots: { id: string }[] }>('GET', '/v1/bots/accessible', {
        as: fresh,
      })
    ).body;
  expect(await accessible()).toEqual({ access_mode: 'restricted', bots: [] });
  await expect(world.addInterest(fresh, bot, 'channel.follow')).rejects.toThrow(/403.*bot_access_denied/);
  await patch(fresh, { bot_account_ids: [bot.id] });
  expect((await world.addInterest(fresh, bot, 'channel.follow')).state).toBe('active');

  const streamer = world.sim.addUser({ login: 'streamer' });
  world.sim.signIn(streamer.id);
  const link = await startLink(world, { event_types: ['channel.subscribe'] }, fresh);
  expect((await visit(link.authorize_url)).status).toBe(200);
  const ids = (await accessible()).bots.map(({ id }) => id);
  expect(ids).toHaveLength(2);
  const granted = { ...bot, id: ids.find((id) => id !== bot.id) ?? '', user: streamer };
  expect((await world.addInterest(fresh, granted, 'channel.subscribe')).state).toBe('active');
});
