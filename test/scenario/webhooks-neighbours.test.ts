// One receiver that hangs beside a hundred that are well: theirs go on as if it were not there.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const healthy = 100;
const rounds = 15;
/** Below this a ratio says nothing: it is the timer's and the scheduler's own noise. Milliseconds. */
const noiseMs = 25;

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

it('keeps the latency of the healthy ones within a factor of two', { timeout: 120_000 }, async () => {
  await using receiver = await Receiver.start();
  await using hung = await Receiver.start();
  await using world = await place.create({ env: { LOG_LEVEL: 'warn' } });
  const bot = await world.addBot();
  const service = await world.addService();
  const add = (n: number) =>
    world.addWebhook(service, bot, 'channel.follow', receiver, { path: `/healthy/${n}` });
  // The first one makes the topic; the others find it confirmed.
  const made = [
    await add(0),
    ...(await Promise.all(Array.from({ length: healthy - 1 }, (_, n) => add(n + 1)))),
  ];
  expect(new Set(made.map(({ state }) => state))).toEqual(new Set(['active']));
  // Of the same service, so that the two share all that can be shared.
  hung.reply = ({ event }) => (event.provider === 'relay' ? 204 : 'hang');
  const arrivals = new Map<string, number[]>();
  receiver.reply = ({ id, at }) => {
    arrivals.get(id)?.push(at);
    return 204;
  };

  /** One event at a time; for each receiver the time from its sending to its arrival. */
  const measure = async (): Promise<number[]> => {
    const latencies: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [sent] = world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
      const id = sent?.messageId ?? '';
      const sentAt = Date.now();
      const arrived: number[] = [];
      arrivals.set(id, arrived);
      await until(() => arrived.length === healthy, { what: `round ${round} at every healthy receiver` });
      latencies.push(...arrived.map((at) => at - sentAt));
    }
    return latencies;
  };
  await measure();
  const alone = await measure();
  const { endpoint_id } = await world.addWebhook(service, bot, 'channel.follow', hung, {
    settings: { order: 'none', concurrency: 64 },
  });
  const beside = await measure();
  expect(hung.requests.filter(({ answered }) => answered === 'hang').length).toBeGreaterThanOrEqual(rounds);
  expect((await world.endpoint(service, endpoint_id)).behind_events).toBeGreaterThan(0);
  const [before, after] = [percentile(alone, 0.99), percentile(beside, 0.99)];
  expect(after, `p99 alone ${before} ms, beside a hung receiver ${after} ms`).toBeLessThanOrEqual(
    2 * Math.max(before, noiseMs),
  );
});
