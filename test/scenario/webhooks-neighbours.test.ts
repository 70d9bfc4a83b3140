// One receiver that hangs with all its requests under way, beside forty that are well: every event reaches those while not
// one of its own is answered. No times here: how much later is what `npm run bench:neighbours` measures.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EndpointView } from '../../src/protocol/rest-webhooks.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { Receiver, type ReceivedRequest } from '../support/receiver.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

const follow = 'channel.follow';
const healthy = 40;
/** The most that one endpoint can have under way. */
const concurrency = 64;
const deadlineMs = 15_000;

/** However slow the machine is, no request that hangs comes to its deadline: it is answered when the test says so. */
class PatientClock extends ShiftClock {
  override after(delayMs: number, fn: () => void) {
    return super.after(delayMs < deadlineMs ? delayMs : 100 * delayMs, fn);
  }
}

const ofTwitch = (requests: readonly ReceivedRequest[]): ReceivedRequest[] =>
  requests.filter(({ event }) => event.provider !== 'relay');
const idsOf = (requests: readonly ReceivedRequest[]): string[] => requests.map(({ id }) => id);

it(
  'a receiver that hangs holds its own share of requests and keeps no event from its neighbours',
  { timeout: 120_000 },
  async () => {
    await using receiver = await Receiver.start();
    await using hung = await Receiver.start();
    await using world = await place.create({ overrides: { clock: new PatientClock() } });
    const bot = await world.addBot();
    // One service, so that they share all that can be shared; one channel that all of them watch, one to fill the hung one.
    const service = await world.addService();
    const [shared, flood] = [world.addBroadcaster().id, world.addBroadcaster().id];
    const { endpoint_id: hungId } = await world.addWebhook(service, bot, follow, hung, {
      broadcasterId: flood,
      settings: { order: 'none', concurrency },
    });
    await world.addWebhook(service, bot, follow, hung, { broadcasterId: shared });
    const paths = Array.from({ length: healthy }, (_, n) => `/healthy/${n}`);
    await Promise.all(
      paths.map((path) => world.addWebhook(service, bot, follow, receiver, { broadcasterId: shared, path })),
    );
    const released = deferred<void>();
    let [underWay, mostUnderWay] = [0, 0];
    hung.reply = async ({ event }) => {
      if (event.provider === 'relay') return 204;
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      await released.promise;
      underWay--;
      return 204;
    };
    const send = (broadcasterId: string, count: number): string[] =>
      Array.from({ length: count }, () => world.sim.send(follow, { broadcaster_user_id: broadcasterId }))
        .flat()
        .map(({ messageId }) => messageId);

    const flooding = send(flood, concurrency + 16);
    await until(() => underWay >= concurrency, { what: 'every request that the hung one may have' });
    const sent = send(shared, 10);
    await until(() => ofTwitch(receiver.requests).length >= healthy * sent.length, {
      what: 'every event at every healthy receiver',
      timeoutMs: 30_000,
    });
    for (const wanted of paths) {
      const got = ofTwitch(receiver.requests).filter(({ path }) => path === wanted);
      expect(idsOf(got), wanted).toEqual(sent);
    }
    await until(
      async () => {
        const { body } = await world.call<EndpointView[]>('GET', '/v1/endpoints', { as: service });
        const others = body.filter(({ id }) => id !== hungId);
        const well = others.filter((one) => one.state === 'healthy' && one.behind_events + one.waiting === 0);
        return others.length === healthy && well.length === healthy;
      },
      { what: 'healthy endpoints that are owed nothing' },
    );

    // All this while no request of the hung one was answered or cut off, nor one more sent.
    const held = ofTwitch(hung.requests);
    expect(held).toHaveLength(concurrency);
    expect(held.filter(({ answered }) => answered !== undefined)).toEqual([]);
    expect(hung.openConnections).toBe(concurrency);
    const all = [...flooding, ...sent];
    const { state, waiting, behind_events } = await world.endpoint(service, hungId);
    expect({ state, waiting }).toEqual({ state: 'healthy', waiting: 0 });
    expect(behind_events).toBeGreaterThanOrEqual(all.length);

    // Once it answers it gets the rest, each event once, and never more at a time.
    released.resolve();
    await until(() => hung.accepted.filter((id) => all.includes(id)).length === all.length, {
      what: 'every event at the one that hung',
    });
    expect(idsOf(ofTwitch(hung.requests)).toSorted()).toEqual(all.toSorted());
    expect(mostUnderWay).toBe(concurrency);
  },
);
