// What the Twitch side does although nobody told it anything, and what it does not believe: no signal, no traffic, no list.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import { until } from '../support/until.ts';
import { botId, Rig } from './upstream-rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.open();
});

afterEach(async () => {
  await rig.close();
  expect(rig.clock.pending).toBe(0);
});

const status = () => rig.upstream.status(botId);
const openSession = () => rig.sim.sessions().find((each) => each.open)?.id ?? '';

/** As long as Twitch sends keepalives alone. */
async function quiet(ms: number): Promise<void> {
  const stepMs = 8_000;
  for (let passed = 0; passed < ms; passed += stepMs) {
    rig.clock.jump(stepMs);
    const before = status()?.lastFrameAt ?? 0;
    rig.sim.sendRaw(
      openSession(),
      '{"metadata":{"message_id":"k","message_type":"session_keepalive","message_timestamp":"t"},"payload":{}}',
    );
    await until(() => (status()?.lastFrameAt ?? 0) > before, { what: 'the keepalive' });
  }
}

// dotabod#610: a flag outlived the event that should have cleared it, and nothing looked by itself for 24 minutes.
it('finds a wish that it was not told of within half a minute', async () => {
  await rig.start();
  await until(() => status()?.healthy === true, { what: 'the first look' });
  rig.rows.wish();
  let rounds = 0;
  // The first advance may come before the wait has begun.
  const looked = async () => {
    await rig.clock.advance(defaultTimings.reconcileMs);
    rounds++;
    return rig.sim.connections.length > 0;
  };
  await until(looked, { what: 'a socket for the wish' });
  expect(rounds).toBeLessThan(5);
  await until(() => status()?.confirmed === 2, { what: 'two confirmed topics' });
});

// jetstream#170: a watchdog that needed events restarted an idle instance again and again.
it('is healthy however quiet it is', async () => {
  await rig.live();
  await quiet(120_000);
  rig.clock.jump(defaultTimings.keepaliveGraceMs + 9_000);
  expect(status()).toMatchObject({ healthy: true, state: 'live', confirmed: 2, detail: '' });
  expect(rig.eventsOf('relay.gap')).toEqual([]);
});

it('believes what is confirmed, not a list that failed, however long it fails', async () => {
  await rig.live();
  const created = rig.requests('create');
  const failing = rig.sim.arm({ name: 'helix', on: 'list', status: 503, times: 1_000_000 });
  rig.sim.requestReconnect(openSession());
  await until(() => failing.fired() > 0, { what: 'a list that fails after the hand-over' });
  await quiet(defaultTimings.listLagMs + 10_000);
  const seen = failing.fired();
  await until(() => failing.fired() > seen + 1, { what: 'more of them behind the lag of lists' });
  expect(status()?.confirmed).toBe(2);
  expect(rig.requests('create')).toBe(created);
  expect(rig.requests('delete')).toBe(0);
  expect(rig.eventsOf('relay.gap')).toEqual([]);
});
