// A bot's creates side by side: how many are under way, and what still goes out when one of them shows that nothing should.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import { until } from '../support/until.ts';
import { botId, Rig, userId } from './upstream-rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.open();
  rig.rows.tokens = { ...rig.sim.grant({ userId, scopes: ['user:read:chat'] }), expiresAt: null };
});

afterEach(async () => {
  await rig.close();
  expect(rig.clock.pending).toBe(0);
});

const online = (broadcaster: number) =>
  rig.rows.want('stream.online', '1', { broadcaster_user_id: String(broadcaster) });
const chat = (broadcaster: number) =>
  rig.rows.want('channel.chat.message', '1', {
    broadcaster_user_id: String(broadcaster),
    user_id: userId,
  });
const confirmed = (count: number) =>
  until(() => rig.upstream.status(botId)?.confirmed === count, { what: `${count} confirmed topics` });
const creates = () => rig.requests('create');

/** What was sent before this has arrived. */
async function arrived(): Promise<void> {
  for (let n = 0; n < 5; n++) await fetch(new URL('/nothing', rig.sim.url)).then((each) => each.text());
}

it('sends one alone while none gets through, and no second one when it was not answered', async () => {
  for (let n = 1; n <= 6; n++) online(n);
  const silent = rig.sim.arm({ name: 'helix_hangs', on: 'create', ms: 600_000, times: 3 });
  await rig.start();
  for (let n = 1; n <= 3; n++) {
    await until(() => silent.fired() === n, { what: `create ${n}` });
    await arrived();
    expect(creates()).toBe(n);
    await rig.clock.advance(defaultTimings.helixMs + 1);
  }
  await confirmed(6);
});

it('sends four at a time once one got through', async () => {
  for (let n = 1; n <= 8; n++) online(n);
  const slow = rig.sim.arm({ name: 'helix_hangs', on: 'create', ms: 100 });
  const silent = rig.sim.arm({ name: 'helix_hangs', on: 'create', ms: 600_000, times: 9 });
  await rig.start();
  await until(() => slow.fired() === 1, { what: 'the first' });
  await arrived();
  expect(silent.fired()).toBe(0);
  await until(() => silent.fired() === 4, { what: 'four more' });
  await arrived();
  expect(silent.fired()).toBe(4);
  silent.disarm();
  await rig.clock.advance(defaultTimings.helixMs + 1);
  await confirmed(8);
});

it('waits as long as the longest of several refusals of the rate limiter says', async () => {
  for (let n = 1; n <= 8; n++) online(n);
  const slow = rig.sim.arm({ name: 'helix_hangs', on: 'create', ms: 50 });
  const limited = { name: 'helix', on: 'create', status: 429, flavour: 'rate_limit' } as const;
  const long = rig.sim.arm({ ...limited, resetInSeconds: 50 });
  const short = rig.sim.arm({ ...limited, resetInSeconds: 5, delayMs: 50, times: 3 });
  await rig.start();
  await until(() => short.fired() === 3, { what: 'every refusal' });
  expect([slow.fired(), long.fired()]).toEqual([1, 1]);
  await confirmed(1);
  for (let n = 0; n < 8; n++) {
    await arrived();
    await rig.clock.advance(1_000);
  }
  await arrived();
  expect(creates()).toBe(5);
  await rig.clock.advance(45_000);
  await confirmed(8);
});

it('sends nothing that waited for its turn once the rate limiter has refused another', async () => {
  for (let n = 1; n <= defaultTimings.joinsPerWindow; n++) chat(n);
  online(1);
  for (let n = 101; n <= 103; n++) chat(n);
  online(2);
  const limited = rig.sim.arm({
    name: 'helix',
    on: 'create',
    status: 429,
    flavour: 'rate_limit',
    resetInSeconds: 40,
    match: { type: 'stream.offline' },
  });
  rig.rows.want('stream.offline', '1', { broadcaster_user_id: '3' });
  await rig.start();
  await until(() => limited.fired() === 1, { what: 'the refusal' });
  await arrived();
  const sent = creates();
  await rig.clock.advance(defaultTimings.joinWindowMs + 500);
  await arrived();
  expect(creates()).toBe(sent);
  await rig.clock.advance(40_000);
  await until(() => creates() > sent, { what: 'what was put off' });
});

it('asks no further question about one once the rate limiter has refused another', async () => {
  for (let n = 1; n <= 3; n++) online(n);
  const slow = rig.sim.arm({ name: 'helix_hangs', on: 'create', ms: 50 });
  const limited = rig.sim.arm({
    name: 'helix',
    on: 'create',
    status: 429,
    flavour: 'rate_limit',
    resetInSeconds: 40,
  });
  const exists = rig.sim.arm({ name: 'helix', on: 'create', status: 409, delayMs: 200 });
  await rig.start();
  await until(() => limited.fired() + exists.fired() === 2, { what: 'both answers' });
  expect(slow.fired()).toBe(1);
  const lists = rig.requests('list');
  await until(() => rig.sim.requests.filter(({ status }) => status === 409).length === 1);
  await arrived();
  await rig.clock.advance(30_000);
  await arrived();
  expect([rig.requests('list'), creates()]).toEqual([lists, 3]);
  await rig.clock.advance(15_000);
  await confirmed(3);
});
