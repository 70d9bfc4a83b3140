// The options and the ends of a consumer's connection over the whole daemon: windows of one, silence, storms, narrowed
// types, acknowledgements over HTTP, and retention that takes one class before the other.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { worlds, type Service, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

async function scene(world: World, types: readonly string[] = ['channel.follow']) {
  const bot = await world.addBot();
  const service = await world.addService();
  for (const type of types) await world.addInterest(service, bot, type);
  // Their news is in the log before anybody connects, so that positions begin with the events of the test.
  await until(
    async () =>
      (await world.log(service)).filter((event) => event.type === 'relay.interest.active').length ===
      types.length,
    { what: 'the news of the interests' },
  );
  /** Time has passed upstream as well: its sessions have come and gone. */
  const settled = async () => {
    await world.ready();
    await world.subscribed(bot, types.length);
  };
  const send = (type: string) =>
    world.sim.send(type, { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
  return { bot, service, send, settled, follow: () => send('channel.follow') };
}

interface ConsumerRow {
  readonly name: string;
  readonly position: string;
  readonly behind_events: number;
  readonly connected: boolean;
}

const rowOf = async (world: World, service: Service, name = 'default') =>
  (await world.call<ConsumerRow[]>('GET', '/v1/consumers', { as: service })).body.find(
    (row) => row.name === name,
  );

describe('relay.v1', () => {
  it('that never acknowledges is closed with 4408 after a minute; it costs nobody else anything', async () => {
    await using world = await place.create();
    const { service, follow, settled } = await scene(world);
    const mute = await world.consumer(service, 'relay.v1', {
      ack: false,
      query: { consumer: 'mute', max_in_flight: '2' },
    });
    const quiet = await world.consumer(service, 'relay.v1', { ack: false, query: { consumer: 'quiet' } });
    const sane = await world.consumer(service);
    const sent = Array.from({ length: 5 }, follow);
    await sane.got(5);
    await mute.got(2);
    await quiet.got(5);
    quiet.ack(quiet.eventFrames.at(-1)?.cursor ?? '');
    const cursor = quiet.eventFrames.at(-1)?.cursor;
    await until(async () => (await rowOf(world, service, 'quiet'))?.position === cursor, { what: 'the ack' });
    await world.clock.advance(61_000);
    expect((await mute.closed).code).toBe(4408);
    expect(mute.frames.at(-1)).toMatchObject({ type: 'error', code: 'no_progress', reconnect: true });
    expect(mute.ids()).toEqual(sent.slice(0, 2));
    await settled();
    sent.push(follow());
    expect(await sane.got(6)).toEqual(sent);
    expect(await quiet.got(6)).toEqual(sent);
    const again = await world.consumer(service, 'relay.v1', { query: { consumer: 'mute' } });
    expect(await again.got(6)).toEqual(sent);
    const attempts = again.eventFrames.filter(({ event }) => event.provider !== 'relay');
    expect(attempts.map((frame) => frame.attempt)).toEqual([2, 2, 1, 1, 1, 1]);
  });

  it('with a window of one gets one at a time, in order, by frame or over HTTP', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const one = await world.consumer(service, 'relay.v1', { ack: false, query: { max_in_flight: '1' } });
    const plain = await world.consumer(service, 'plain');
    const sent = Array.from({ length: 30 }, follow);
    await plain.got(30);
    for (let at = 0; at < 30; at++) {
      expect(await one.got(at + 1)).toEqual(sent.slice(0, at + 1));
      const cursor = one.eventFrames[at]?.cursor ?? '';
      if (at % 2 === 0) one.ack(cursor);
      else {
        const path = '/v1/consumers/default/ack';
        const { status, body } = await world.call<ConsumerRow>('POST', path, {
          as: service,
          body: { cursor },
        });
        expect(status).toBe(200);
        expect(body).toMatchObject({ position: cursor, connected: true, behind_events: 29 - at });
      }
    }
    const ahead = await world.call<{ code: string }>('POST', '/v1/consumers/default/ack', {
      as: service,
      body: { cursor: one.hello?.head.replace(/.$/, 'x') ?? '' },
    });
    expect(ahead.status).toBe(422);
    await one.closeNow();
    await world.restart();
    await world.ready();
    const resumed = await world.consumer(service);
    const last = follow();
    expect(await resumed.got(1)).toEqual([last]);
    expect(resumed.eventFrames.find((frame) => frame.event.id === last)?.attempt).toBe(1);
  });

  it('with ack=auto needs no frame of its own, keeps its position over a restart, repeats nothing', async () => {
    await using world = await place.create();
    const { service, follow, settled } = await scene(world);
    const query = { ack: 'auto', max_in_flight: '2' };
    const first = await world.consumer(service, 'relay.v1', { ack: false, query });
    const sent = Array.from({ length: 20 }, follow);
    expect(await first.got(20)).toEqual(sent);
    await world.restart();
    await world.ready();
    const second = await world.consumer(service, 'relay.v1', { ack: false, query });
    const next = follow();
    expect(await second.got(1)).toEqual([next]);
    await world.clock.advance(120_000);
    await settled();
    const later = follow();
    expect(await second.got(2)).toEqual([next, later]);
  });

  it('narrowed to types gets those and what the relay itself says, and passes the rest', async () => {
    await using world = await place.create();
    const { service, send } = await scene(world, ['channel.follow', 'channel.update', 'channel.raid']);
    const query = { types: 'channel.update, channel.raid' };
    const narrow = await world.consumer(service, 'relay.v1', { ack: false, query });
    const wide = await world.consumer(service, 'plain');
    const [follow, update] = [send('channel.follow'), send('channel.update')];
    await wide.got(2);
    expect(await narrow.got(1)).toEqual([update]);
    expect(follow).not.toBe('');
    narrow.ack(narrow.eventFrames[0]?.cursor ?? '');
    const session = world.sim.sessions().find((each) => each.open);
    world.sim.dropSession(session?.id ?? '');
    await narrow.gotType('relay.gap');
    await world.ready();
    const last = send('channel.update');
    expect(await narrow.got(2)).toEqual([update, last]);
  });

  it('in a storm of takeovers one connection stays; nothing is lost and repeats are marked', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const plain = await world.consumer(service, 'plain');
    const sent: string[] = [];
    const all = [await world.consumer(service)];
    for (let wave = 0; wave < 5; wave++) {
      const joining = Array.from({ length: 8 }, () => world.consumer(service));
      sent.push(...Array.from({ length: 10 }, follow));
      all.push(...(await Promise.all(joining)));
    }
    await plain.got(50);
    sent.push(follow());
    await until(() => all.filter((each) => each.ws.readyState === each.ws.OPEN).length === 1, {
      what: 'one to stay',
    });
    const survivor = all.find((each) => each.ws.readyState === each.ws.OPEN);
    await until(() => survivor?.ids().at(-1) === sent.at(-1), { what: 'the last one' });
    for (const each of all) if (each !== survivor) expect((await each.closed).code).toBe(4409);
    // Each connection is in order, and what all of them got together is everything, in the log's order.
    const index = new Map(sent.map((id, at) => [id, at]));
    const attempts = new Map<string, number[]>();
    for (const each of all) {
      const places = each.ids().map((id) => index.get(id) ?? -1);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      for (const frame of each.eventFrames.filter(({ event }) => event.provider !== 'relay'))
        attempts.set(frame.event.id, [...(attempts.get(frame.event.id) ?? []), frame.attempt]);
    }
    expect([...attempts.keys()].toSorted()).toEqual(sent.toSorted());
    for (const [id, given] of attempts) {
      expect(given.filter((attempt) => attempt === 1).length, id).toBeLessThanOrEqual(1);
      expect(new Set(given).size, id).toBe(given.length);
    }
  });
});

describe('retention', () => {
  it('is declared with a window that holds what was lost, also after a refusal', async () => {
    await using world = await place.create({ overrides: { retentionIntervalMs: 1_000 } });
    const { service, follow } = await scene(world);
    const first = await world.consumer(service, 'relay.v1', { ack: false });
    const lost = follow();
    await first.got(1);
    const at = Date.parse(first.events.find((event) => event.id === lost)?.received_at ?? '');
    await first.closeNow();
    world.clock.jump(9 * 24 * 3_600_000);
    await until(async () => !(await world.log(service)).some((event) => event.id === lost), {
      what: 'retention',
    });
    await world.ready();
    const refused = await world.consumer(service);
    expect((await refused.closed).code).toBe(4410);
    const early = await world.consumer(service, 'relay.v1', { query: { on_expired: 'earliest' } });
    const { event } = await early.gotType('relay.gap', { cause: 'retention' });
    const { from, to } = event as { from: string; to: string };
    expect(at).toBeGreaterThanOrEqual(Date.parse(from));
    expect(at).toBeLessThan(Date.parse(to));
  });

  it('that has taken the chat leaves `earliest` everything else that is still kept', async () => {
    await using world = await place.create({ overrides: { retentionIntervalMs: 1_000 } });
    const { service, send, follow } = await scene(world, ['channel.follow', 'channel.chat.message']);
    const first = await world.consumer(service);
    const before = follow();
    await first.got(1);
    await first.closeNow();
    const kept = [follow(), follow()];
    const chat = send('channel.chat.message');
    const witness = await world.consumer(service, 'plain', { query: { after: first.hello?.position ?? '' } });
    await until(() => witness.ids().includes(chat), { what: 'the log' });
    world.clock.jump(48 * 3_600_000);
    const rejected = await until(
      async () => {
        const again = await world.consumer(service, 'relay.v1', {
          query: { consumer: 'default' },
          ack: false,
        });
        if (again.hello?.type === 'hello') await again.closeNow();
        return again.ws.readyState !== again.ws.OPEN && again.frames[0]?.type === 'error' && again;
      },
      { what: 'retention' },
    );
    expect((await rejected.closed).code).toBe(4410);
    // What is gone may still be in memory, and then it is delivered; a new process has only what is kept.
    await world.restart();
    await world.ready();
    const resumed = await world.consumer(service, 'relay.v1', { query: { on_expired: 'earliest' } });
    const gap = await resumed.gotType('relay.gap', { cause: 'retention' });
    expect(resumed.ids()).toEqual(kept);
    expect(resumed.ids()).not.toContain(before);
    const received = Date.parse(witness.events.find((event) => event.id === chat)?.received_at ?? '');
    const window = gap.event as { from: string; to: string };
    expect(received).toBeGreaterThanOrEqual(Date.parse(window.from));
    expect(received).toBeLessThan(Date.parse(window.to));
    const next = follow();
    await until(() => resumed.ids().at(-1) === next, { what: 'what comes now' });
  });
});
