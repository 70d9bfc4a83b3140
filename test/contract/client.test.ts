// The client against the whole daemon: what the scripted relay of the unit tests assumes must be what the relay does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminClient, createRelayClient, isGap } from '../../src/client/index.ts';
import type { Delivery, EventsOptions, RelayClient } from '../../src/client/index.ts';
import { WebSocket } from 'ws';
import { until } from '../support/until.ts';
import { adminKey, allScopes, worlds } from '../support/world.ts';
import type { World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

interface Stage {
  readonly world: World;
  readonly relay: RelayClient;
  readonly login: { url: string; clientId: string; clientSecret: string };
  /** Sockets that the client has opened. */
  readonly sockets: WebSocket[];
  readonly send: (count: number) => string[];
}

/** A bot, a service made through the admin client, and an interest that is active. */
async function stage(world: World): Promise<Stage> {
  const admin = createAdminClient({ url: world.url, adminKey });
  const user = world.sim.addUser({ login: `bot${world.sim.users().length}${Date.now()}` });
  const { accessToken, refreshToken } = world.sim.grant({ userId: user.id, scopes: allScopes });
  const bot = await admin.importBot({
    name: user.login,
    access_token: accessToken,
    refresh_token: refreshToken,
  });
  const made = await admin.serviceAccounts.create(`service ${user.login}`);
  const login = { url: world.url, clientId: made.client_id, clientSecret: made.client_secret };
  const sockets: WebSocket[] = [];
  class Watched extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const relay = createRelayClient(login, { webSocket: Watched });
  const interest = await relay.interests.ensure({
    bot_account_id: bot.id,
    event_type: 'channel.follow',
    broadcaster_user_id: user.id,
    transport: 'websocket',
  });
  const send = (count: number) =>
    Array.from({ length: count }, () => world.sim.send('channel.follow', interest.condition)).flatMap(
      (sent) => sent.map(({ messageId }) => messageId),
    );
  return { world, relay, login, sockets, send };
}

/** Runs a loop in the background; `body` may wait. */
function consume(
  relay: RelayClient,
  options: EventsOptions,
  body: (delivery: Delivery) => unknown = () => undefined,
) {
  const stopping = new AbortController();
  const seen: { id: string; attempt: number; cursor: string }[] = [];
  const hellos: boolean[] = [];
  const run = async () => {
    const all = {
      ...options,
      signal: stopping.signal,
      onHello: (hello: { resumed: boolean }) => hellos.push(hello.resumed),
    };
    for await (const delivery of relay.deliveries(all)) {
      const { event, attempt, cursor } = delivery;
      if (event.provider !== 'relay') seen.push({ id: event.id, attempt, cursor });
      await body(delivery);
    }
  };
  const ended = run();
  // Looked at later, or never; either way it is not unhandled.
  ended.catch(() => undefined);
  return {
    seen,
    hellos,
    ended,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

describe('the client and the daemon', () => {
  it('delivers, acknowledges on a quiet stop, and resumes behind it', async () => {
    await using world = await place.create();
    const { relay, send } = await stage(world);
    const first = consume(relay, { consumer: 'overlay' });
    await until(() => first.hellos.length === 1);
    const ids = send(5);
    await until(() => first.seen.length === 5);
    await first.stop();
    const between = send(3);
    const second = consume(relay, { consumer: 'overlay' });
    await until(() => second.seen.length === 3);
    await second.stop();
    expect(first.seen.map(({ id, attempt }) => [id, attempt])).toEqual(ids.map((id) => [id, 1]));
    expect(second.seen.map(({ id, attempt }) => [id, attempt])).toEqual(between.map((id) => [id, 1]));
    expect([first.hellos, second.hellos]).toEqual([[false], [true]]);
    // The relay saves the position when it sees that the socket has ended.
    const overlay = await until(async () => {
      const [consumer] = await relay.consumers();
      return consumer?.behind_events === 0 && !consumer.connected && consumer;
    });
    expect(overlay.name).toBe('overlay');
  });

  it('gets what was not acknowledged again, with the attempt raised, after its connection is cut', async () => {
    await using world = await place.create();
    const { relay, send, sockets } = await stage(world);
    let cut = false;
    const consumer = consume(relay, { consumer: 'c' }, ({ event }) => {
      if (event.provider === 'relay' || cut) return;
      cut = true;
      sockets.at(-1)?.terminate();
    });
    await until(() => consumer.hellos.length === 1);
    const ids = send(4);
    await until(() => new Set(consumer.seen.map(({ id }) => id)).size === 4 && consumer.hellos.length === 2);
    await consumer.stop();
    const again = consumer.seen.filter(
      ({ id }, index) => consumer.seen.findIndex((one) => one.id === id) < index,
    );
    expect(consumer.seen.filter((one) => !again.includes(one)).map(({ id }) => id)).toEqual(ids);
    // The first was in its body when the connection went, so it was not acknowledged.
    expect(again[0]?.id).toBe(ids[0]);
    for (const { attempt } of again) expect(attempt).toBeGreaterThan(1);
    expect(consumer.hellos).toEqual([false, true]);
  });

  it('holds no more than its window, and goes on through it', async () => {
    await using world = await place.create();
    const { relay, send, sockets } = await stage(world);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const consumer = consume(relay, { consumer: 'slow', maxInFlight: 4 }, () => gate);
    await until(() => consumer.hellos.length === 1);
    let frames = 0;
    sockets.at(-1)?.on('message', (data: Buffer) => {
      if (data.toString('utf8').startsWith('{"type":"event"')) frames += 1;
    });
    const ids = send(12);
    await until(
      async () =>
        (await relay.pull({ limit: 1_000 })).events.filter(({ id }) => ids.includes(id)).length === 12,
    );
    await until(() => frames >= 3);
    expect(frames).toBeLessThanOrEqual(4);
    open();
    await until(() => consumer.seen.length === 12);
    await consumer.stop();
    expect(consumer.seen.map(({ id }) => id)).toEqual(ids);
  });

  it('is told that a newer connection took over, and stops', async () => {
    await using world = await place.create();
    const { relay } = await stage(world);
    const older = consume(relay, { consumer: 'one' });
    await until(() => older.hellos.length === 1);
    const newer = consume(relay, { consumer: 'one' });
    await expect(older.ended).rejects.toMatchObject({ name: 'RelayClosedError', code: 4409, advice: 'stop' });
    await newer.stop();
  });

  it('stops when its secret is replaced, and the new one works', async () => {
    await using world = await place.create();
    const { relay, login, send } = await stage(world);
    const consumer = consume(relay, { consumer: 'one' });
    await until(() => consumer.hellos.length === 1);
    const admin = createAdminClient({ url: world.url, adminKey });
    const renewed = await admin.serviceAccounts.regenerate(login.clientId);
    const error = await consumer.ended.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'RelayClosedError', code: 4401 });
    expect(String(error)).not.toContain(login.clientSecret);
    const next = consume(createRelayClient({ ...login, clientSecret: renewed.client_secret }), {
      consumer: 'one',
    });
    await until(() => next.hellos.length === 1);
    const ids = send(1);
    await until(() => next.seen.length === 1);
    await next.stop();
    expect(next.seen.map(({ id }) => id)).toEqual(ids);
  });

  it('is told of a cursor that the relay does not know, although a WebSocket would not say so', async () => {
    await using world = await place.create();
    const { relay, send } = await stage(world);
    send(1);
    const { next } = await relay.pull({ wait: 5 });
    const foreign = Buffer.from(
      `another.${Buffer.from(next, 'base64url').toString('utf8').split('.').at(-1)}`,
    );
    const error = await relay
      .events({ after: foreign.toString('base64url') })
      .next()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'RelayClosedError', code: 4410, advice: 'stop' });
  });

  it('goes on after a restart of the relay, and hears of the gap', async () => {
    await using world = await place.create();
    const port = String(new URL(world.url).port);
    const { login } = await stage(world);
    expect(port).not.toBe('0');
    // The daemon comes back on another port, so the way to it is looked up for each connection.
    class Redirected extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url.replace(/^ws:\/\/[^/]+/u, world.url.replace(/^http/u, 'ws')), protocols);
      }
    }
    const redirect: typeof fetch = (input, init) =>
      fetch(String(input instanceof Request ? input.url : input).replace(login.url, world.url), init);
    const relay = createRelayClient(login, { webSocket: Redirected, fetch: redirect, random: () => 0 });
    const gaps: string[] = [];
    const consumer = consume(relay, { consumer: 'through' }, ({ event }) => {
      if (isGap(event)) gaps.push(event.event.cause);
    });
    await until(() => consumer.hellos.length === 1);
    await world.restart();
    await until(() => gaps.length > 0 && consumer.hellos.length === 2, { timeoutMs: 15_000 });
    await consumer.stop();
    expect(gaps).toContain('restart');
    expect(consumer.hellos).toEqual([false, true]);
  });
});
