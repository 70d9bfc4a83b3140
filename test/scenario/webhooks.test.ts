// Webhooks through the whole daemon, to a real receiver: what it is owed arrives, whatever it answers meanwhile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { expectComplete, passing } from '../support/webhook-oracle.ts';
import { adminKey, worlds, type World, type WorldOptions } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const minuteMs = 60_000;
const follow = 'channel.follow';

/** Upstream is to stay quiet while the clock runs: only the webhooks' time is the matter here. */
const quiet: Omit<WorldOptions, 'database'> = {
  simulator: { keepaliveSeconds: 100_000, accessTokenSeconds: 100_000_000 },
};

/** A service with one endpoint that watches some channels. */
async function scene(
  world: World,
  receiver: Receiver,
  { channels = 1, settings }: { channels?: number; settings?: object } = {},
) {
  const bot = await world.addBot();
  const service = await world.addService();
  const broadcasters = Array.from({ length: channels }, () => world.addBroadcaster());
  let endpointId = '';
  for (const { id } of broadcasters) {
    const made = await world.addWebhook(service, bot, follow, receiver, { broadcasterId: id });
    expect(made.state).toBe('active');
    endpointId = made.endpoint_id;
  }
  if (settings) await world.configure(service, endpointId, settings);
  const send = (channel = 0) =>
    world.sim
      .send(follow, { broadcaster_user_id: broadcasters[channel]?.id ?? '' })
      .map((each) => each.messageId);
  // What its own interests became is delivered first.
  await until(() => receiver.accepted.length === channels, { what: 'relay.interest.active' });
  return { bot, service, broadcasters, endpointId, send };
}

describe('a webhook', () => {
  it('gets each event once, signed, whole and in order, over one endpoint for several interests', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create();
    const { service, send, endpointId, bot, broadcasters } = await scene(world, receiver, { channels: 3 });
    // A second wish for the same is the first one, and matches no event a second time.
    const again = await world.addWebhook(service, bot, follow, receiver, {
      broadcasterId: broadcasters[0]?.id ?? '',
    });
    expect(again).toMatchObject({ endpoint_id: endpointId });
    expect('webhook_secret' in again).toBe(false);
    expect(receiver.secrets).toHaveLength(1);
    for (let n = 0; n < 60; n++) send(n % 3);
    await receiver.got(63);
    await expectComplete(world, service, receiver);
    expect(receiver.requests).toHaveLength(63);
    expect(receiver.requests.every(({ attempt, verified }) => attempt === 1 && verified)).toBe(true);
    const [request] = receiver.requests;
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^eventsub-relay\/\d/) as string,
      'relay-cursor': request?.event.cursor,
      'webhook-id': request?.event.id,
    });
    const shown = await until(
      async () => {
        const view = await world.endpoint(service, endpointId);
        return view.behind_events === 0 ? view : undefined;
      },
      { what: 'the endpoint to be up to date' },
    );
    expect(shown).toMatchObject({ state: 'healthy', waiting: 0 });
    const attempts = await until(
      async () => {
        const rows = await world.attempts(service, `endpoint=${endpointId}`);
        return rows.length === 63 ? rows : undefined;
      },
      { what: 'the history' },
    );
    expect(new Set(attempts.map(({ state, status }) => `${state} ${status}`))).toEqual(
      new Set(['delivered 204']),
    );
  });

  it('stops with its last interest, and a socket does not get what is wanted over a webhook alone', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create();
    const { service, send, endpointId, bot } = await scene(world, receiver);
    const socket = await world.consumer(service, 'plain');
    const [first = ''] = send();
    await receiver.got(2);
    const update = await world.addInterest(service, bot, 'channel.update');
    world.sim.send('channel.update', { broadcaster_user_id: bot.user.id });
    await until(() => socket.events.some(({ type }) => type === 'channel.update'), { what: 'the socket' });
    expect(socket.events.map(({ id }) => id)).not.toContain(first);
    expect(receiver.requests.every(({ event }) => event.type !== 'channel.update')).toBe(true);
    const interests = await world.call<{ id: string }[]>('GET', '/v1/interests', { as: service });
    const id = interests.body.find((interest) => interest.id !== update.id)?.id ?? '';
    expect((await world.call('DELETE', `/v1/interests/${id}`, { as: service })).status).toBe(200);
    expect((await world.call('GET', `/v1/endpoints/${endpointId}`, { as: service })).status).toBe(404);
    const before = receiver.requests.length;
    world.sim.send('channel.update', { broadcaster_user_id: bot.user.id });
    await until(() => socket.events.filter(({ type }) => type === 'channel.update').length === 2);
    expect(receiver.requests.length).toBe(before);
  });
});

describe('a receiver that is down for a minute', () => {
  it('gets everything afterwards, and the service is told on its sockets', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send, endpointId } = await scene(world, receiver, { channels: 5 });
    const socket = await world.consumer(service, 'plain');
    await receiver.down();
    for (let n = 0; n < 40; n++) send(n % 5);
    await passing(world, async () => (await world.endpoint(service, endpointId)).state === 'open', {
      what: 'the circuit to open',
    });
    const until60 = world.clock.now() + minuteMs;
    await passing(world, () => world.clock.now() >= until60, { what: 'a minute', stepMs: 500 });
    expect((await world.endpoint(service, endpointId)).behind_events).toBeGreaterThan(0);
    await receiver.up();
    for (let n = 0; n < 10; n++) send(n % 5);
    await expectComplete(world, service, receiver, { ordered: false });
    expect(socket.events.map(({ type }) => type)).toContain('relay.endpoint.degraded');
    await passing(world, () => socket.events.some(({ type }) => type === 'relay.endpoint.recovered'), {
      what: 'relay.endpoint.recovered',
    });
    expect(world.gaps(await world.log(service))).toEqual([]);
    const refused = await world.attempts(service, `endpoint=${endpointId}&state=retrying`);
    expect(refused).toEqual([]);
  });
});

describe('order', () => {
  it('holds while the head of a lane fails for less than a minute; other lanes go on', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send, broadcasters } = await scene(world, receiver, {
      channels: 2,
      settings: { retry_profile: 'realtime' },
    });
    const [head = ''] = send(0);
    let failures = 0;
    receiver.reply = ({ id }) => (id === head && ++failures <= 3 ? 500 : 204);
    for (let n = 0; n < 10; n++) send(0);
    const others = Array.from({ length: 10 }, () => send(1)).flat();
    await until(() => others.every((id) => receiver.accepted.includes(id)), { what: 'the other lane' });
    const lane = () =>
      receiver.requests.filter(
        ({ event }) =>
          (event.event as Record<string, unknown>)['broadcaster_user_id'] === broadcasters[0]?.id,
      );
    // The clock has not moved: the head may have been first only once, and nobody has overtaken it.
    expect(new Set(lane().map(({ id }) => id))).toEqual(new Set([head]));
    await expectComplete(world, service, receiver);
    expect(failures).toBeGreaterThanOrEqual(4);
    expect(
      lane()
        .filter(({ id }) => id === head)
        .map(({ attempt }) => attempt),
    ).toEqual([1, 2, 3, 4]);
  });

  it('is given up for a head that goes on failing: it waits in the retry set, the lane goes on', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send, endpointId } = await scene(world, receiver);
    const [head = ''] = send();
    let mended = false;
    receiver.reply = ({ id }) => (id === head && !mended ? 500 : 204);
    const later = Array.from({ length: 5 }, () => send()).flat();
    await passing(world, () => later.every((id) => receiver.accepted.includes(id)), { what: 'the lane' });
    expect(receiver.accepted).not.toContain(head);
    expect(await world.endpoint(service, endpointId)).toMatchObject({ waiting: 1, state: 'healthy' });
    const waiting = await until(
      async () => (await world.attempts(service, `endpoint=${endpointId}&state=retrying`))[0],
      { what: 'the history' },
    );
    expect(waiting).toMatchObject({ event_id: head, state: 'retrying', status: 500 });
    mended = true;
    // Its next attempt is five minutes away.
    await expectComplete(world, service, receiver, { ordered: false, stepMs: 5_000 });
    await until(async () => (await world.endpoint(service, endpointId)).waiting === 0, {
      what: 'nothing owed',
    });
  });
});

describe('what a receiver says', () => {
  it('410 disables at once; enabling goes on from there and nothing is lost', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send, endpointId } = await scene(world, receiver);
    const socket = await world.consumer(service, 'plain');
    receiver.reply = () => 410;
    send();
    const disabled = await until(() => socket.events.find(({ type }) => type === 'relay.endpoint.disabled'), {
      what: 'relay.endpoint.disabled',
    });
    expect(disabled.event).toMatchObject({ endpoint_id: endpointId, code: 'gone' });
    expect(await world.endpoint(service, endpointId)).toMatchObject({ state: 'disabled', code: 'gone' });
    const asked = receiver.requests.length;
    for (let n = 0; n < 5; n++) send();
    await world.clock.advance(10 * minuteMs);
    await world.restart();
    await world.ready();
    expect(receiver.requests.length).toBe(asked);
    receiver.reply = () => 200;
    await world.call('POST', `/v1/endpoints/${endpointId}/enable`, { as: service });
    await expectComplete(world, service, receiver);
    expect((await world.endpoint(service, endpointId)).state).toBe('healthy');
  });

  it.each([
    ['seconds', () => '30'],
    ['a date', (world: World) => new Date(world.clock.now() + 31_000).toUTCString()],
  ])('Retry-After in %s is kept to by the whole endpoint', async (_, header) => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send } = await scene(world, receiver, { channels: 2 });
    let limited = 0;
    let limitedAt = 0;
    receiver.reply = () => {
      if (limited > 0) return 204;
      limited += 1;
      limitedAt = world.clock.now();
      return { status: 429, headers: { 'retry-after': header(world) } };
    };
    send(0);
    await until(() => limited === 1, { what: 'the 429' });
    const asked = receiver.requests.length;
    send(1);
    send(0);
    await passing(world, () => receiver.requests.length > asked, { what: 'the next request' });
    expect(world.clock.now() - limitedAt).toBeGreaterThanOrEqual(29_000);
    await expectComplete(world, service, receiver);
  });
});

describe('age', () => {
  it('ends what is older than max_age_seconds, and says so in a gap', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, send, endpointId } = await scene(world, receiver, {
      settings: { max_age_seconds: 20, retry_profile: 'realtime' },
    });
    const socket = await world.consumer(service, 'plain');
    let broken = true;
    receiver.reply = ({ event }) => (broken && event.provider === 'twitch' ? 500 : 204);
    const old = Array.from({ length: 3 }, () => send()).flat();
    const gap = await passing(
      world,
      () => {
        const told = socket.events.filter(({ type }) => type === 'relay.gap').map(({ event }) => event);
        const named = told.flatMap((event) => (event as { event_ids: string[] }).event_ids);
        return old.every((id) => named.includes(id)) ? told[0] : undefined;
      },
      { what: 'a gap that names all of them' },
    );
    expect(gap).toMatchObject({ cause: 'delivery_expired', endpoint_id: endpointId });
    const metrics = await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': adminKey } });
    expect(await metrics.text()).toMatch(/^relay_gaps_total\{cause="delivery_expired"\} [1-9]/m);
    broken = false;
    const [fresh = ''] = send();
    await passing(world, () => receiver.accepted.includes(fresh), { what: 'a fresh event' });
    expect(receiver.accepted.filter((id) => old.includes(id))).toEqual([]);
    const expired = await until(
      async () => {
        const rows = await world.attempts(service, `endpoint=${endpointId}&state=expired`);
        return rows.length === 3 ? rows : undefined;
      },
      { what: 'the history' },
    );
    expect(expired.map(({ event_id }) => event_id).toSorted()).toEqual(old.toSorted());
    await expectComplete(world, service, receiver, { ordered: false, except: old });
  });
});
