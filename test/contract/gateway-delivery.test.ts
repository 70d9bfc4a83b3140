// What an open connection delivers: order, windows, acknowledgements, resumption and takeover, over real sockets.
import { expect, test } from 'vitest';
import { attemptsOf, eventually, plainClient, relayClient, seqsOf } from './gateway-client.ts';
import { cursorOf, startRig } from './gateway-rig.ts';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('a plain socket is live from now and gets a thousand events in order', async () => {
  await using rig = await startRig();
  rig.feed.append(5);
  using client = plainClient(rig);
  await eventually('connected', () => rig.feed.watching === 1);
  rig.feed.append(1000);
  await client.until('events', () => client.frames.length >= 1000);
  expect(seqsOf(client.frames)).toEqual(range(6, 1005));
  expect(client.ws.extensions).toBe('');
});

test('a plain socket starts behind `after`, and `types` narrows it', async () => {
  await using rig = await startRig();
  rig.feed.append(3);
  rig.feed.append(1, { type: 'channel.raid' });
  using all = plainClient(rig, { after: cursorOf(1) });
  using raids = plainClient(rig, { after: cursorOf(0), types: 'channel.raid, channel.ban' });
  await all.until('events', () => all.frames.length >= 3);
  await raids.until('events', () => raids.frames.length >= 1);
  expect(seqsOf(all.frames)).toEqual([2, 3, 4]);
  expect(seqsOf(raids.frames)).toEqual([4]);
});

test('inbound frames of a plain socket are ignored', async () => {
  await using rig = await startRig();
  using client = plainClient(rig);
  await eventually('connected', () => rig.feed.watching === 1);
  await client.opened();
  client.send('nonsense');
  client.ws.send(Buffer.from([1, 2, 3]));
  client.ws.ping();
  let pongs = 0;
  client.ws.on('pong', () => pongs++);
  await eventually('pong', () => pongs === 1);
  rig.feed.append(1);
  await client.until('event', () => client.frames.length === 1);
});

test("the platform's members arrive byte for byte on both bindings", async () => {
  await using rig = await startRig();
  const body = '"subscription":{ "id" : "é\\u00e9" },"event":{"n":1 ,"big":12345678901234567890,"e":"\\/"}';
  using plain = plainClient(rig);
  using relay = relayClient(rig);
  await eventually('connected', () => rig.feed.watching === 2);
  rig.feed.append(1, { body });
  await plain.until('event', () => plain.texts.length === 1);
  await relay.until('event', () => relay.texts.length === 2);
  expect(plain.texts[0]).toContain(body);
  expect(relay.texts[1]).toContain(body);
});

test('hello comes first and says where the consumer stands', async () => {
  await using rig = await startRig();
  rig.feed.append(4);
  using client = relayClient(rig, { consumer: 'a', max_in_flight: '7' });
  const hello = await client.hello();
  expect(hello).toMatchObject({
    protocol: 'relay.v1',
    consumer: 'a',
    position: cursorOf(4),
    head: cursorOf(4),
    floor: cursorOf(0),
    resumed: false,
    heartbeat_ms: 25_000,
    max_in_flight: 7,
  });
  expect(rig.store.rows.get('a')?.open).toBe(true);
});

test('the window holds back what exceeds it until acknowledgements come', async () => {
  await using rig = await startRig();
  using client = relayClient(rig, { max_in_flight: '3' });
  await client.hello();
  rig.feed.append(10);
  await client.until('window', () => client.events().length === 3);
  client.ack(cursorOf(1));
  await client.until('one more', () => client.events().length === 4);
  client.ack(cursorOf(1));
  client.ack(cursorOf(4));
  await client.until('three more', () => client.events().length === 7);
  client.ack(client.events().at(-1)?.['cursor']);
  await client.until('the rest', () => client.events().length === 10);
  expect(seqsOf(client.events())).toEqual(range(1, 10));
  expect(attemptsOf(client.events())).toEqual(range(1, 10).map(() => 1));
  client.ack(cursorOf(10));
  await eventually('saved', () => rig.store.rows.get('default')?.ackedSeq === 10);
});

test('a thousand events through a small window, from the database, in order', async () => {
  await using rig = await startRig();
  rig.feed.slowReads = true;
  using client = relayClient(rig, { max_in_flight: '16' });
  await client.hello();
  client.ws.on('message', () => {
    const last = client.events().at(-1);
    if (last) client.ack(last['cursor']);
  });
  rig.feed.append(1000);
  await client.until('all', () => client.events().length === 1000);
  expect(seqsOf(client.events())).toEqual(range(1, 1000));
});

test('ack=auto moves the position when the kernel has the bytes', async () => {
  await using rig = await startRig();
  using client = relayClient(rig, { ack: 'auto', max_in_flight: '2' });
  await client.hello();
  rig.feed.append(20);
  await client.until('all', () => client.events().length === 20);
  await eventually('saved', () => rig.store.rows.get('default')?.ackedSeq === 20);
});

test('a consumer that comes back gets what it did not acknowledge, with the attempt raised', async () => {
  await using rig = await startRig();
  {
    using first = relayClient(rig);
    await first.hello();
    rig.feed.append(4);
    await first.until('events', () => first.events().length === 4);
    first.ack(cursorOf(2));
    await eventually('acked', () => rig.store.rows.get('default')?.ackedSeq === 2);
  }
  await eventually('ended', () => rig.store.rows.get('default')?.open === false);
  rig.feed.append(1);
  using second = relayClient(rig);
  expect(await second.hello()).toMatchObject({ resumed: true, position: cursorOf(2) });
  await second.until('events', () => second.events().length === 3);
  expect(seqsOf(second.events())).toEqual([3, 4, 5]);
  expect(attemptsOf(second.events())).toEqual([2, 2, 1]);
  // An event that the earlier connection delivered may be acknowledged on this one before it comes again.
  second.ack(cursorOf(4));
  second.ack(cursorOf(5));
  await eventually('acked', () => rig.store.rows.get('default')?.ackedSeq === 5);
  second.ws.close();
  await eventually('ended', () => rig.store.rows.get('default')?.open === false);
  expect(rig.store.rows.get('default')).toMatchObject({ attempt: 1, sentSeq: 5 });
});

test('after an unclean end everything up to the head may have been sent', async () => {
  await using rig = await startRig();
  rig.feed.append(3);
  const row = { serviceAccountId: 'service-1', name: 'default', ackedSeq: 1, sentSeq: 1, attempt: 4 };
  rig.store.rows.set('default', { ...row, open: true, updatedAt: Date.now() });
  using client = relayClient(rig);
  await client.hello();
  await client.until('old', () => client.events().length === 2);
  rig.feed.append(1);
  await client.until('new', () => client.events().length === 3);
  expect(attemptsOf(client.events())).toEqual([5, 5, 1]);
  expect(rig.store.rows.get('default')).toMatchObject({ attempt: 5, sentSeq: 3 });
});

test('the newer connection takes over where the older one stood', async () => {
  await using rig = await startRig();
  using older = relayClient(rig, { max_in_flight: '5' });
  await older.hello();
  rig.feed.append(8);
  await older.until('events', () => older.events().length === 5);
  older.ack(cursorOf(3));
  await older.until('more', () => older.events().length === 8);
  using newer = relayClient(rig);
  expect(await newer.hello()).toMatchObject({ resumed: true, position: cursorOf(3) });
  expect((await older.closing()).code).toBe(4409);
  expect(older.frames.at(-1)).toMatchObject({ type: 'error', code: 'replaced', reconnect: false });
  await newer.until('rest', () => newer.events().length === 5);
  expect(attemptsOf(newer.events())).toEqual([2, 2, 2, 2, 2]);
  expect(rig.store.rows.get('default')?.open).toBe(true);
  expect(rig.gateway.isConnected('service-1', 'default')).toBe(true);
});

test('many connections of one consumer at once: one stays, all others are told 4409', async () => {
  await using rig = await startRig();
  const clients = range(1, 8).map(() => relayClient(rig));
  await eventually('settled', () => clients.filter((client) => client.closed).length === 7);
  rig.feed.append(2);
  const last = clients.find((client) => !client.closed);
  await last?.until('events', () => last.events().length === 2);
  expect(clients.filter((client) => client.closed?.code === 4409)).toHaveLength(7);
  for (const client of clients) client[Symbol.dispose]();
});

test('interests that change take effect on the open connection', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  rig.feed.append(1, { audience: { kind: 'topic', topicId: 'topic-2' } });
  rig.feed.topics = new Map([['topic-2', 1]]);
  rig.feed.append(1);
  rig.feed.append(1, { audience: { kind: 'topic', topicId: 'topic-2' } });
  await client.until('event', () => client.events().length === 1);
  expect(seqsOf(client.events())).toEqual([3]);
});

test('the position of a quiet consumer follows the log', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  rig.feed.append(50, { audience: { kind: 'topic', topicId: 'somebody-else' } });
  await eventually('saved', () => rig.store.rows.get('default')?.ackedSeq === 50);
  expect(client.events()).toHaveLength(0);
});

test('a database that is away delays reading and costs nothing else', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  using plain = plainClient(rig);
  await client.hello();
  await eventually('connected', () => rig.feed.watching === 2);
  rig.feed.failReads = 4;
  rig.feed.append(3);
  await client.until('events', () => client.events().length === 3);
  await plain.until('events', () => plain.frames.length === 3);
  expect(rig.feed.failReads).toBe(0);
  expect(rig.failures.length).toBeGreaterThanOrEqual(4);
});

test('positions that could not be saved are saved later', async () => {
  await using rig = await startRig();
  using client = relayClient(rig);
  await client.hello();
  rig.store.away = true;
  rig.feed.append(2);
  await client.until('events', () => client.events().length === 2);
  client.ack(cursorOf(2));
  await eventually('failed', () => rig.failures.length > 0);
  rig.store.away = false;
  await rig.clock.advance(1_500);
  await eventually('saved', () => rig.store.rows.get('default')?.ackedSeq === 2);
});

test('an acknowledgement over HTTP counts for the open connection', async () => {
  await using rig = await startRig();
  using client = relayClient(rig, { max_in_flight: '2' });
  await client.hello();
  rig.feed.append(4);
  await client.until('window', () => client.events().length === 2);
  expect(rig.gateway.acknowledge('service-1', 'default', 3)).toBe('beyond');
  expect(rig.gateway.acknowledge('service-1', 'other', 1)).toBe('not_connected');
  expect(rig.gateway.acknowledge('service-1', 'default', 2)).toBe('applied');
  await client.until('rest', () => client.events().length === 4);
});
