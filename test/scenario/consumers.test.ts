// What a service can rely on, whatever happens to its sockets: resume, attempts, takeover, expiry, a slow neighbour.
import { once } from 'node:events';
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { adminKey, worlds, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

async function scene(world: World) {
  const bot = await world.addBot();
  const service = await world.addService();
  await world.addInterest(service, bot, 'channel.follow');
  // Its news is in the log before anybody connects, so that positions begin with the events of the test.
  await until(
    async () => (await world.log(service)).some((event) => event.type === 'relay.interest.active'),
    {
      what: 'the news of the interest',
    },
  );
  const follow = () =>
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
  return { bot, service, follow };
}

describe('relay.v1', () => {
  it('resumes after a loss: everything unacknowledged again, with attempt raised, and nothing else', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const first = await world.consumer(service, 'relay.v1', { ack: false });
    expect(first.hello).toMatchObject({ protocol: 'relay.v1', consumer: 'default', resumed: false });
    const sent = Array.from({ length: 10 }, follow);
    await first.got(10);
    first.ack(first.eventFrames[3]?.cursor ?? '');
    await until(
      async () => {
        const { body } = await world.call<{ position: string }[]>('GET', '/v1/consumers', { as: service });
        return body[0]?.position === first.eventFrames[3]?.cursor;
      },
      { what: 'the acknowledgement to be kept' },
    );
    first.ws.terminate();
    await first.closed;
    const missed = Array.from({ length: 5 }, follow);
    const second = await world.consumer(service);
    expect(second.hello).toMatchObject({ resumed: true, position: first.eventFrames[3]?.cursor });
    expect(await second.got(11)).toEqual([...sent.slice(4), ...missed]);
    expect(second.eventFrames.map((frame) => frame.attempt)).toEqual([2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]);
  });

  it('goes on over a restart of the relay, which announces itself', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const first = await world.consumer(service);
    const sent = [follow(), follow()];
    await first.got(2);
    await world.stop();
    expect(first.frames.some((frame) => frame.type === 'reconnect')).toBe(true);
    expect((await first.closed).code).toBe(1012);
    await world.start();
    await world.ready();
    const second = await world.consumer(service);
    sent.push(follow());
    expect(await second.got(1)).toEqual(sent.slice(2));
  });

  it('stops at the window and goes on with each acknowledgement', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const consumer = await world.consumer(service, 'relay.v1', { ack: false, query: { max_in_flight: '3' } });
    const other = await world.consumer(service, 'plain');
    const sent = Array.from({ length: 8 }, follow);
    await other.got(8);
    expect(await consumer.got(3)).toEqual(sent.slice(0, 3));
    consumer.ack(consumer.eventFrames[1]?.cursor ?? '');
    expect(await consumer.got(5)).toEqual(sent.slice(0, 5));
    consumer.ack(consumer.eventFrames[4]?.cursor ?? '');
    expect(await consumer.got(8)).toEqual(sent);
  });

  it('is taken over by a newer connection of the same consumer', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const older = await world.consumer(service);
    const elsewhere = await world.consumer(service, 'relay.v1', { query: { consumer: 'elsewhere' } });
    const newer = await world.consumer(service);
    expect((await older.closed).code).toBe(4409);
    const sent = follow();
    expect(await newer.got(1)).toEqual([sent]);
    expect(await elsewhere.got(1)).toEqual([sent]);
  });

  it('says so when its position has expired, and goes on from where it is told to', async () => {
    await using world = await place.create({ overrides: { retentionIntervalMs: 1_000 } });
    const { service, follow } = await scene(world);
    const first = await world.consumer(service, 'relay.v1', { ack: false });
    const old = Array.from({ length: 3 }, follow);
    await first.got(3);
    await first.closeNow();
    world.clock.jump(8 * 24 * 3_600_000);
    await until(
      async () => (await world.log(service).catch(() => [])).every((event) => !old.includes(event.id)),
      {
        what: 'retention',
      },
    );
    await world.ready();
    const rejected = await world.consumer(service);
    expect((await rejected.closed).code).toBe(4410);
    expect(rejected.frames.at(-1)).toMatchObject({ type: 'error', reconnect: false });
    const resumed = await world.consumer(service, 'relay.v1', { query: { on_expired: 'earliest' } });
    await resumed.gotType('relay.gap', { cause: 'retention' });
    const metrics = await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': adminKey } });
    expect(await metrics.text()).toContain('relay_gaps_total{cause="retention"} 1\n');
    const sent = follow();
    expect((await resumed.got(1)).at(-1)).toBe(sent);
  });

  it('refuses a frame that is not one with 4400 and harms nobody else', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    for (const garbage of [
      'not json',
      '[]',
      '{"type":7}',
      '{"type":"ack","cursor":"nonsense"}',
      '{"type":"ack"}',
    ]) {
      const consumer = await world.consumer(service, 'relay.v1', { query: { consumer: 'clumsy' } });
      consumer.ws.send(garbage);
      expect((await consumer.closed).code, garbage).toBe(4400);
    }
    const sane = await world.consumer(service);
    sane.ws.send('{"type":"something_newer","x":1}');
    const sent = follow();
    expect(await sane.got(1)).toEqual([sent]);
  });
});

describe('credentials', () => {
  it('a regenerated secret closes the sockets of the old one at once, or at the end of the grace', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const [one, two] = [await world.consumer(service), await world.consumer(service, 'plain')];
    const path = `/v1/admin/service-accounts/${service.clientId}/regenerate`;
    const graced = await world.call<{ client_secret: string }>('POST', `${path}?grace_seconds=5`, {
      as: 'admin',
    });
    const third = { ...service, clientSecret: graced.body.client_secret };
    const sent = follow();
    expect(await one.got(1)).toEqual([sent]);
    const renewed = await world.consumer(third, 'relay.v1', { query: { consumer: 'renewed' } });
    await world.clock.advance(5_500);
    expect((await one.closed).code).toBe(4401);
    expect((await two.closed).code).toBe(4401);
    const stillThere = follow();
    expect(await renewed.got(1)).toEqual([stillThere]);
    await world.call('POST', path, { as: 'admin' });
    expect((await renewed.closed).code).toBe(4401);
    const refused = await world.consumer(third, 'plain');
    expect((await refused.closed).code).toBe(4401);
  });

  it('a disabled account is cut off within a second and its topics are left', async () => {
    await using world = await place.create();
    const { service } = await scene(world);
    const consumer = await world.consumer(service);
    const path = `/v1/admin/service-accounts/${service.clientId}`;
    await world.call('PATCH', path, { as: 'admin', body: { enabled: false } });
    expect((await consumer.closed).code).toBe(4403);
    await until(() => world.sim.sessions().every((each) => !each.open), {
      what: 'the upstream socket to close',
    });
    await world.call('PATCH', path, { as: 'admin', body: { enabled: true } });
    await world.ready();
    await until(() => world.sim.sessions().some((each) => each.open), {
      what: 'the upstream socket to open',
    });
  });
});

describe('a plain consumer', () => {
  it('gets the platform bytes unchanged and goes on from ?after=', async () => {
    await using world = await place.create();
    const { service, follow } = await scene(world);
    const first = await world.consumer(service, 'plain');
    const one = follow();
    await first.got(1);
    const frame = world.sim.sent[0]?.text ?? '';
    const payload = frame.slice(frame.indexOf('"payload":') + '"payload":{'.length, -2);
    const at = first.events.findIndex((event) => event.id === one);
    expect(first.texts[at]).toContain(payload);
    const after = first.events[at]?.cursor ?? '';
    await first.closeNow();
    const two = follow();
    const second = await world.consumer(service, 'plain', { query: { after } });
    const three = follow();
    expect(await second.got(2)).toEqual([two, three]);
  });

  it('that does not drain is closed with 1013 and told where it stopped; its neighbours notice nothing', async () => {
    await using world = await place.create();
    const { service } = await scene(world);
    const neighbour = await world.consumer(service);
    const slow = await silentReader(world.url, service);
    const subscription = world.sim.subscriptions()[0]?.id ?? '';
    const filler = randomBytes(48_000).toString('base64');
    let sent = 0;
    await until(
      async () => {
        world.sim.sendBurst(subscription, 100, { event: { user_name: filler }, keepText: false });
        sent += 100;
        await neighbour.got(sent);
        const metrics = await fetch(new URL('/metrics', world.url), {
          headers: { 'X-Admin-Key': 'test-admin-key-0123456789' },
        });
        return /relay_connections\{protocol="plain"\} 1/.test(await metrics.text()) && sent >= 300;
      },
      { what: 'a backlog' },
    );
    await world.clock.advance(31_000);
    const { code, reason } = await slow.closed();
    expect(code).toBe(1013);
    expect(reason).toMatch(/^missed from [A-Za-z0-9_-]+$/);
    const cursor = reason.replace('missed from ', '');
    const resumed = await world.consumer(service, 'plain', { query: { after: cursor } });
    await until(() => resumed.ids().length > 0, { what: 'the rest' });
    const all = neighbour.ids();
    expect(all).toHaveLength(sent);
    await resumed.got(1);
    expect(all).toContain(resumed.ids()[0]);
  });
});

/** A plain WebSocket client by hand, which reads nothing until it is asked for the close frame. */
async function silentReader(url: string, service: { clientId: string; clientSecret: string }) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    [
      'GET /ws/events HTTP/1.1',
      `Host: ${hostname}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `X-Client-Id: ${service.clientId}`,
      `X-Client-Secret: ${service.clientSecret}`,
      '',
      '',
    ].join('\r\n'),
  );
  await once(socket, 'readable');
  socket.pause();
  return {
    /** Reads everything there is and answers what the last frame, a close frame, says. */
    async closed(): Promise<{ code: number; reason: string }> {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
      socket.on('error', () => undefined);
      socket.resume();
      await once(socket, 'close');
      const all = Buffer.concat(chunks);
      const at = all.lastIndexOf(Buffer.from([0x88]), all.length - 4);
      return { code: all.readUInt16BE(at + 2), reason: all.subarray(at + 4).toString('utf8') };
    },
  };
}
