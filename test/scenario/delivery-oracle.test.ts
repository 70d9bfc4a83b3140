// Fifty consumers of five services, every protocol and option mixed, while two hundred events a second arrive and the relay
// is restarted: what was sent, what is in the log and what each consumer got are compared event by event.
import { setInterval as every } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { Follower, type FollowerOptions } from '../support/follower.ts';
import { until } from '../support/until.ts';
import { worlds, type World } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const types = ['channel.follow', 'channel.chat.message', 'channel.update'];
const followOnly = 'channel.follow';

/** Ten of each service. */
const kinds: FollowerOptions[] = [
  { protocol: 'relay.v1', query: { consumer: 'a' } },
  { protocol: 'relay.v1', query: { consumer: 'one-at-a-time', max_in_flight: '1' } },
  { protocol: 'relay.v1', query: { consumer: 'few', max_in_flight: '7' } },
  { protocol: 'relay.v1', query: { consumer: 'auto', ack: 'auto' } },
  { protocol: 'relay.v1', query: { consumer: 'follows', types: followOnly } },
  { protocol: 'plain', query: {} },
  { protocol: 'plain', query: {} },
  { protocol: 'plain', query: {} },
  { protocol: 'plain', query: {} },
  { protocol: 'plain', query: { types: followOnly } },
];

const tickMs = 10;
const perTick = 2;
const rounds = 150;

/** Sends at the given rate until told otherwise; what nobody has subscribed to at the moment is not sent at all. */
async function feed(world: World, broadcasterId: string, signal: AbortSignal): Promise<void> {
  let count = 0;
  try {
    for await (const _tick of every(tickMs, undefined, { signal })) {
      for (let each = 0; each < perTick; each++)
        world.sim.send(types[count++ % types.length] ?? '', { broadcaster_user_id: broadcasterId });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const gather = (followers: readonly Follower[]) => ({
  followers,
  async [Symbol.asyncDispose]() {
    await Promise.all(followers.map((each) => each[Symbol.asyncDispose]()));
  },
});

const platform = (events: readonly RelayEvent[]) => events.filter((event) => event.provider === 'twitch');

it('sent, logged and delivered agree over a restart, for everybody', { timeout: 120_000 }, async () => {
  await using world = await place.create();
  const bot = await world.addBot();
  const services = await Promise.all(Array.from({ length: 5 }, () => world.addService()));
  for (const service of services)
    for (const type of types) await world.addInterest(service, bot, type, bot.user.id);
  await using crowd = gather(
    services.flatMap((service) => kinds.map((options) => new Follower(() => world.url, service, options))),
  );
  const { followers } = crowd;
  // With ack=auto what the kernel has taken counts as done, so a cut socket may cost such a consumer events.
  const cuttable = followers.filter((follower) => follower.options.query['ack'] !== 'auto');
  await until(() => followers.every((follower) => follower.isOpen), { what: 'all consumers' });
  await until(async () => /relay_connections\{protocol="relay.v1"\} 25/.test(await metrics(world)), {
    what: 'their hellos',
  });
  const sentBefore = world.sim.sent.length;

  const feeding = new AbortController();
  const fed = feed(world, bot.user.id, feeding.signal);
  const witness = followers[5];
  await until(() => (witness?.received.length ?? 0) >= rounds, { what: 'events', timeoutMs: 30_000 });
  for (const follower of cuttable.filter((_one, at) => at % 7 === 0)) follower.cut();
  await world.restart();
  const soFar = witness?.received.length ?? 0;
  await until(() => (witness?.received.length ?? 0) >= soFar + 2 * rounds, {
    what: 'events after the restart',
    timeoutMs: 30_000,
  });
  for (const follower of cuttable.filter((_one, at) => at % 7 === 1)) follower.cut();
  await until(() => followers.every((follower) => follower.isOpen), { what: 'all consumers again' });
  feeding.abort();
  await fed;

  const sent = world.sim.sent.slice(sentBefore);
  const last = sent.at(-1)?.messageId ?? '';
  const [first] = services;
  if (!first) throw new Error('no service');
  await until(async () => platform(await world.log(first)).at(-1)?.id === last, { what: 'the log' });
  const logged = platform(await world.log(first));
  const ids = logged.map((event) => event.id);

  // Sent and logged: in the same order, each once, and what is missing was declared.
  const inLog = new Set(ids);
  expect(ids).toEqual(sent.map((each) => each.messageId).filter((id) => inLog.has(id)));
  const gaps = world.gaps(await world.log(first));
  const undeclared = sent
    .filter((each) => !inLog.has(each.messageId))
    .filter(
      (each) =>
        // The simulator stamps a moment before the relay reads.
        !gaps.some((gap) => each.sentAt >= Date.parse(gap.from) - 1_000 && each.sentAt <= Date.parse(gap.to)),
    );
  expect(undeclared).toEqual([]);
  expect(inLog.size).toBeGreaterThan(3 * rounds);

  // Logged and delivered: everything, in order, repeated only with a raised attempt.
  for (const [at, follower] of followers.entries()) {
    const wanted = logged.filter((event) => !follower.options.query['types'] || event.type === followOnly);
    const what = `consumer ${at}: ${JSON.stringify(follower.options)}`;
    const have = () =>
      new Set(platform(follower.received.map(({ event }) => event)).map(({ id }) => id)).size;
    await until(() => have() >= wanted.length, { what: `${wanted.length} for ${what}`, timeoutMs: 30_000 });
    const seen = new Set<string>();
    const firstTimes: string[] = [];
    for (const { event, attempt } of follower.received) {
      if (event.provider !== 'twitch') continue;
      if (seen.has(event.id)) expect(attempt, `${what} ${event.id}`).toBeGreaterThan(1);
      else firstTimes.push(event.id);
      seen.add(event.id);
    }
    expect(firstTimes, what).toEqual(wanted.map((event) => event.id));
    if (follower.options.protocol === 'plain')
      expect(platform(follower.received.map(({ event }) => event))).toHaveLength(wanted.length);
  }
});

const metrics = async (world: World) =>
  (
    await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': 'test-admin-key-0123456789' } })
  ).text();
