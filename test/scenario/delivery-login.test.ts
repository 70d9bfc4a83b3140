// How a socket gets in, over the whole daemon: a browser's token, used once and over a restart, and what is refused when
// there are too many.
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestConsumer } from '../support/consumer.ts';
import { worlds, type Service, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const tokenOf = async (world: World, service: Service) =>
  (await world.call<{ ws_token: string }>('POST', '/v1/ws-token', { as: service })).body.ws_token;

/** As a browser connects: no headers of its own, subprotocols and a query only. */
async function browser(
  world: World,
  protocols: string[],
  query: Readonly<Record<string, string>> = {},
): Promise<TestConsumer> {
  const url = new URL('/ws/events', world.url.replace(/^http/, 'ws'));
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const ws = new WebSocket(url, protocols);
  const consumer = new TestConsumer(ws, !protocols.includes('relay.v1'), true);
  await new Promise((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  return consumer;
}

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  await world.addInterest(service, bot, 'channel.follow');
  const follow = () =>
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
  return { bot, service, follow };
}

it("a browser's token lets one socket in, in every place that it may stand, and no second one", async () => {
  await using world = await place.create();
  const { service, follow } = await scene(world);
  const token = await tokenOf(world, service);
  await using relay = await browser(world, ['relay.v1', `bearer.${token}`], { consumer: 'tab' });
  expect(relay.ws.protocol).toBe('relay.v1');
  const inQuery = await tokenOf(world, service);
  await using plain = await browser(world, [], { ws_token: inQuery });
  const alone = await tokenOf(world, service);
  await using bearer = await browser(world, [`bearer.${alone}`]);
  expect(bearer.ws.protocol).toBe(`bearer.${alone}`);
  const sent = follow();
  for (const each of [relay, plain, bearer]) expect(await each.got(1)).toEqual([sent]);
  for (const used of [token, inQuery, alone]) {
    await using again = await browser(world, ['relay.v1', `bearer.${used}`]);
    expect((await again.closed).code).toBe(4401);
    expect(world.logs.join('')).not.toContain(used);
  }
  const both = await tokenOf(world, service);
  const race = await Promise.all([1, 2, 3].map(() => browser(world, [], { ws_token: both })));
  const last = follow();
  const codes = await Promise.all(
    race.map((each) => Promise.race([each.closed.then(({ code }) => code), each.got(1).then(() => 'in')])),
  );
  expect(codes.map(String).toSorted()).toEqual(['4401', '4401', 'in']);
  expect(await relay.got(2)).toEqual([sent, last]);
  for (const each of race) each.ws.terminate();
});

it('a token outlives a restart, but not its two minutes, and not its account', async () => {
  await using world = await place.create();
  const { service, follow } = await scene(world);
  const tokens = await Promise.all(Array.from({ length: 4 }, () => tokenOf(world, service)));
  await world.restart();
  await world.ready();
  await using first = await browser(world, ['relay.v1', `bearer.${tokens[0]}`]);
  const sent = follow();
  expect(await first.got(1)).toEqual([sent]);
  const path = `/v1/admin/service-accounts/${service.clientId}`;
  await world.call('PATCH', path, { as: 'admin', body: { enabled: false } });
  expect((await first.closed).code).toBe(4403);
  await using disabled = await browser(world, [], { ws_token: tokens[1] ?? '' });
  expect((await disabled.closed).code).toBe(4403);
  await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
  await world.clock.advance(121_000);
  await using late = await browser(world, [], { ws_token: tokens[2] ?? '' });
  expect((await late.closed).code).toBe(4401);
  await using removed = await browser(world, [], { ws_token: await tokenOf(world, service) });
  await world.call('DELETE', path, { as: 'admin' });
  expect((await removed.closed).code).toBe(4401);
});

it('beyond the limit of the relay: 429 with when to come back, until somebody leaves', async () => {
  await using world = await place.create({ env: { MAX_CONNECTIONS: '3' } });
  const { service, follow } = await scene(world);
  const consumers = [
    await world.consumer(service),
    await world.consumer(service, 'plain'),
    await world.consumer(service, 'plain'),
  ];
  const refusal = async () => {
    const url = new URL('/ws/events', world.url.replace(/^http/, 'ws'));
    const headers = { 'X-Client-Id': service.clientId, 'X-Client-Secret': service.clientSecret };
    const ws = new WebSocket(url, { headers });
    ws.on('error', () => undefined);
    return new Promise<{ status: number | undefined; retryAfter: string | undefined }>((resolve) => {
      ws.once('unexpected-response', (_request, answer) => {
        resolve({ status: answer.statusCode, retryAfter: answer.headers['retry-after'] });
        ws.terminate();
      });
      ws.once('open', () => {
        ws.terminate();
        resolve({ status: 101, retryAfter: undefined });
      });
    });
  };
  for (let tries = 0; tries < 5; tries++) expect(await refusal()).toEqual({ status: 429, retryAfter: '5' });
  const sent = follow();
  for (const each of consumers) expect(await each.got(1)).toEqual([sent]);
  await consumers[2]?.closeNow();
  const next = await world.consumer(service, 'plain');
  const last = follow();
  expect(await next.got(1)).toEqual([last]);
});
