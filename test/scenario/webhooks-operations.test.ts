// What an operator does with a webhook endpoint through the API: rotate its secret, test it, replay, wait for the circuit,
// enable it again; and what five bad days, or a database that goes away, do to it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { expectComplete, passing } from '../support/webhook-oracle.ts';
import { worlds, type Service, type World, type WorldOptions } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const follow = 'channel.follow';
const hourMs = 3_600_000;
const quiet: Omit<WorldOptions, 'database'> = {
  simulator: { keepaliveSeconds: 10_000_000, accessTokenSeconds: 100_000_000 },
};

async function scene(world: World, receiver: Receiver, settings?: object) {
  const bot = await world.addBot();
  const service = await world.addService();
  const made = await world.addWebhook(service, bot, follow, receiver, settings ? { settings } : {});
  const send = (count = 1) =>
    Array.from({ length: count }, () =>
      world.sim.send(follow, { broadcaster_user_id: bot.user.id }).map((each) => each.messageId),
    ).flat();
  await until(() => receiver.accepted.length === 1, { what: 'relay.interest.active' });
  return { bot, service, endpointId: made.endpoint_id, send };
}

const replay = (world: World, service: Service, body: object) =>
  world.call<{ run: string | null; events: number }>('POST', '/v1/deliveries/replay', { as: service, body });

describe('a secret that is rotated', () => {
  it('signs beside the new one for the grace, and no longer', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, endpointId, send } = await scene(world, receiver);
    const [old = ''] = receiver.secrets;
    const rotated = await world.call<{ webhook_secret: string }>(
      'POST',
      `/v1/endpoints/${endpointId}/rotate-secret?grace_seconds=60`,
      { as: service },
    );
    expect(rotated.status).toBe(200);
    const fresh = rotated.body.webhook_secret;
    expect(fresh).not.toBe(old);
    /** Which of the two secrets the next event verifies with. */
    const verifying = async () => {
      const verified: boolean[] = [];
      for (const secret of [old, fresh]) {
        receiver.secrets = [secret];
        const [id = ''] = send();
        const request = await until(() => receiver.requests.find((each) => each.id === id));
        verified.push(request.verified === true);
      }
      return verified;
    };
    await until(async () => (await verifying())[1], { what: 'the new secret to be in use' });
    expect(await verifying()).toEqual([true, true]);
    // The grace is the endpoint's own: it outlives a restart.
    await world.restart();
    await world.ready();
    expect(await verifying()).toEqual([true, true]);
    await world.clock.advance(61_000);
    expect(await verifying()).toEqual([false, true]);
  });
});

describe('a replay', () => {
  it('sends again under raised numbers, as often as it is asked for, beside live events', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, endpointId, send } = await scene(world, receiver);
    const ids = send(20);
    await receiver.got(21);
    await until(async () => (await world.endpoint(service, endpointId)).behind_events === 0);
    const events = (await world.log(service)).filter(({ id }) => ids.includes(id));
    const counts = () => ids.map((id) => receiver.requests.filter((request) => request.id === id).length);

    const chosen = { endpoint_id: endpointId, event_ids: ids.slice(0, 3) };
    expect((await replay(world, service, { ...chosen, dry_run: true })).body).toMatchObject({
      events: 3,
      run: null,
    });
    expect(counts().every((count) => count === 1)).toBe(true);

    const range = {
      endpoint_id: endpointId,
      from_cursor: events[9]?.cursor,
      to_cursor: events[19]?.cursor,
    };
    // The second does not wait for the first, which hangs in its first request.
    let hanging: string | undefined;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    receiver.reply = async ({ id, attempt }) => {
      if (hanging === undefined && attempt > 1) {
        hanging = id;
        await held;
      }
      return 204;
    };
    const first = await replay(world, service, range);
    await until(() => hanging !== undefined, { what: 'the first run to hang' });
    const second = await replay(world, service, range);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect([first.body.events, second.body.events]).toEqual([10, 10]);
    expect(first.body.run).not.toBe(second.body.run);
    const [live = ''] = send();
    await until(() => receiver.accepted.includes(live), { what: 'a live event beside the replays' });
    await until(
      () =>
        counts()
          .slice(10)
          .filter((count) => count >= 2).length >= 9,
      { what: 'the second run' },
    );
    release();
    await until(
      () =>
        counts()
          .slice(10)
          .every((count) => count === 3),
      { what: 'both runs to end' },
    );
    expect(
      counts()
        .slice(0, 10)
        .every((count) => count === 1),
    ).toBe(true);

    const since = events[0]?.received_at;
    const third = await replay(world, service, { endpoint_id: endpointId, from: since });
    expect(third.body.events).toBeGreaterThanOrEqual(21);
    await until(() => counts().every((count) => count >= 2), { what: 'the third run' });
    await until(async () => (await world.endpoint(service, endpointId)).waiting === 0);
    await expectComplete(world, service, receiver, { ordered: false });
    const history = await until(
      async () => {
        const rows = await world.attempts(service, `run=${second.body.run}`);
        return rows.length === 10 ? rows : undefined;
      },
      { what: 'the history of the second run' },
    );
    expect(history.every(({ state, attempt }) => state === 'delivered' && attempt > 1)).toBe(true);
  });
});

describe('a test event', () => {
  it('is sent at once, and what came of it is told', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, endpointId } = await scene(world, receiver);
    receiver.reply = () => ({ status: 418, body: 'short and stout' });
    const { status, body } = await world.call('POST', `/v1/endpoints/${endpointId}/test`, { as: service });
    expect(status).toBe(200);
    expect(body).toMatchObject({ outcome: 'client_error', status: 418, response: 'short and stout' });
    expect(receiver.requests.at(-1)).toMatchObject({ verified: true, attempt: 1 });
    expect(receiver.requests.at(-1)?.event.type).toBe('relay.endpoint.test');
    expect(await world.endpoint(service, endpointId)).toMatchObject({ state: 'healthy', waiting: 0 });
  });
});

describe('a receiver that fails for days', () => {
  it(
    'is disabled after five of them, across a restart, and nothing is lost',
    { timeout: 120_000 },
    async () => {
      await using receiver = await Receiver.start();
      await using world = await place.create(quiet);
      const { service, endpointId, send } = await scene(world, receiver);
      const socket = await world.consumer(service, 'plain');
      receiver.reply = () => 503;
      const startedAt = world.clock.now();
      send(8);
      await passing(world, async () => (await world.endpoint(service, endpointId)).state === 'open', {
        what: 'the circuit to open',
      });
      // Written beside the state, not before it.
      await passing(world, () => socket.events.some(({ type }) => type === 'relay.endpoint.degraded'), {
        what: 'the service to be told',
      });
      const isDisabled = async () => (await world.endpoint(service, endpointId)).state === 'disabled';
      const days = (count: number) => startedAt + count * 24 * hourMs;
      const passUntil = (at: number) =>
        passing(world, async () => world.clock.now() >= at || (await isDisabled()), {
          what: 'days to pass',
          stepMs: hourMs,
          timeoutMs: 60_000,
        });
      await passUntil(days(2));
      await world.restart();
      await world.ready();
      await passUntil(days(4.9));
      expect(await isDisabled()).toBe(false);
      await passUntil(days(5.2));
      expect(await world.endpoint(service, endpointId)).toMatchObject({ state: 'disabled' });
      const asked = receiver.requests.length;
      await world.clock.advance(hourMs);
      expect(receiver.requests.length).toBe(asked);
      receiver.reply = () => 204;
      const enabled = await world.call('POST', `/v1/endpoints/${endpointId}/enable`, { as: service });
      expect(enabled.body).toMatchObject({ state: 'healthy', code: null });
      await expectComplete(world, service, receiver, { ordered: false });
      expect((await world.log(service)).map(({ type }) => type)).toContain('relay.endpoint.disabled');
    },
  );
});

describe('a restart', () => {
  it('repeats nothing that was delivered and goes on with what was not', async () => {
    await using receiver = await Receiver.start();
    await using world = await place.create(quiet);
    const { service, endpointId, send } = await scene(world, receiver);
    send(30);
    await receiver.got(31);
    await world.restart();
    await world.ready();
    send(10);
    await receiver.got(41);
    await expectComplete(world, service, receiver);
    expect(receiver.requests).toHaveLength(receiver.ids.length);
    expect(receiver.requests.every(({ attempt }) => attempt === 1)).toBe(true);
    expect((await world.endpoint(service, endpointId)).state).toBe('healthy');
  });
});
