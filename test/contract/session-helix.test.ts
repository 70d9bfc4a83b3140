// Creating, listing and deleting on a live slot against Twitch's stand-in: conflicts, zombies and calls that never end.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { topicId } from '../../src/domain/topic.ts';
import type { UpstreamTopic } from '../../src/upstream/store-port.ts';
import { HelixClient } from '../../src/upstream/twitch/helix-call.ts';
import { createHelix, type Helix } from '../../src/upstream/twitch/helix.ts';
import { Slot } from '../../src/upstream/twitch/slot.ts';
import { Subscriber } from '../../src/upstream/twitch/subscriber.ts';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import type { TokenKeeper } from '../../src/upstream/twitch/token-keeper.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const userId = '1001';
const condition = { broadcaster_user_id: userId };
const type = 'stream.online';
const never = new AbortController().signal;

let sim: Simulator;
let clock: ShiftClock;
let slots: Slot[];
let helix: Helix;
let accessToken: string;
let subscriber: Subscriber;

beforeEach(async () => {
  sim = await startSimulator({ seed: 9, conflictScope: 'user' });
  sim.addUser({ id: userId, login: 'relaybot' });
  ({ accessToken } = sim.grant({ userId, scopes: [] }));
  clock = new ShiftClock();
  slots = [];
  helix = createHelix({
    client: new HelixClient({ clientId: sim.clientId, mockApiPort: sim.port }),
    clock,
    deadlineMs: 10_000,
  });
  const token = () => Promise.resolve({ kind: 'token', accessToken } as const);
  const keeper: TokenKeeper = {
    usable: token,
    renew: token,
    validate: token,
    refresh: token,
    revoke: () => Promise.reject(new Error('not part of this')),
    inspect: () => Promise.reject(new Error('not part of this')),
  };
  subscriber = new Subscriber({ botId: 'bot', helix, keeper, clock, timings: defaultTimings });
});

afterEach(async () => {
  await Promise.all(slots.map((slot) => slot.stop()));
  expect(clock.pending).toBe(0);
  await sim.close();
});

async function liveSlot(index: number): Promise<Slot> {
  const ignore = () => undefined;
  const slot = new Slot({
    index,
    url: sim.eventSubUrl,
    clock,
    timings: defaultTimings,
    random: () => 1,
    listener: { ready: ignore, lost: ignore, handedOver: ignore, frame: ignore, oddFrame: ignore },
  });
  slots.push(slot);
  await sim.waitFor(() => slot.live);
  return slot;
}

const topic: UpstreamTopic = {
  id: topicId({ provider: 'twitch', botAccountId: 'bot', type, version: '1', condition }),
  type,
  version: '1',
  condition,
  state: 'pending',
  retryAt: null,
  subscriptionId: null,
  gapFrom: null,
  gapCause: null,
  createdAt: 0,
  wanted: true,
  interestCount: 1,
};
const ours = () => new Set(slots.flatMap((slot) => [...slot.ids]));
const create = (slot: Slot) => subscriber.create(topic, slot, { ours, signal: never, enough: never });
const plant = (sessionId: string) => sim.plant({ userId, sessionId, type, condition });

// One program asked for version 1 and the broadcaster alone, whatever the type: Twitch refuses most, or means another one.
it('asks for the type, version and condition of the topic, and nothing else', async () => {
  const slot = await liveSlot(0);
  ({ accessToken } = sim.grant({ userId, scopes: ['moderator:read:followers'] }));
  const wish = {
    type: 'channel.follow',
    version: '2',
    condition: { broadcaster_user_id: '77', moderator_user_id: userId },
  };
  const outcome = await subscriber.create({ ...topic, ...wish }, slot, {
    ours,
    signal: never,
    enough: never,
  });
  expect(outcome).toMatchObject({ kind: 'confirmed' });
  expect(sim.subscriptions()).toEqual([expect.objectContaining(wish)]);
});

it('adopts what exists on the very session', async () => {
  const slot = await liveSlot(0);
  const existing = plant(slot.sessionId ?? '');
  expect(await create(slot)).toEqual({ kind: 'confirmed', subscriptionId: existing.id, cost: 0 });
  expect(sim.subscriptions()).toHaveLength(1);
});

it.each(['a dead session', 'another socket of ours'])('replaces what exists on %s', async (where) => {
  const slot = await liveSlot(0);
  const other = where === 'a dead session' ? 'dead' : ((await liveSlot(1)).sessionId ?? '');
  const existing = plant(other);
  const outcome = await create(slot);
  expect(outcome.kind).toBe('confirmed');
  expect(sim.subscriptions().map((each) => each.sessionId)).toEqual([slot.sessionId]);
  expect(sim.subscriptions()[0]?.id).not.toBe(existing.id);
});

it('clears zombies, and never what a hand-over has just brought to a new id', async () => {
  const slot = await liveSlot(0);
  const mine = sim.plant({
    userId,
    sessionId: slot.sessionId ?? '',
    type: 'stream.offline',
    condition,
  });
  for (const sessionId of ['dead1', 'dead2'])
    sim.plant({
      userId,
      sessionId,
      type: 'channel.update',
      version: '2',
      condition: { broadcaster_user_id: sessionId },
    });
  const refused = sim.arm({ name: 'helix', on: 'create', status: 429, flavour: 'transports' });
  const slow = sim.arm({ name: 'helix_hangs', on: 'list', ms: 150 });
  const creating = create(slot);
  await sim.waitFor(() => slow.fired() === 1);
  sim.requestReconnect(slot.sessionId ?? '');
  expect((await creating).kind).toBe('confirmed');
  expect(refused.fired()).toBe(1);
  const left = sim.subscriptions().map((each) => each.type);
  expect(left.toSorted()).toEqual(['stream.offline', 'stream.online']);
  expect(sim.subscriptions().some((each) => each.id === mine.id)).toBe(true);
});

it('is done with a call that hangs when its deadline is, and hangs up', async () => {
  const fault = sim.arm({ name: 'helix_hangs', on: 'list', ms: 600_000 });
  const listing = helix.list(accessToken);
  await sim.waitFor(() => fault.fired() === 1);
  await clock.advance(10_000);
  expect(await listing).toMatchObject({
    ok: false,
    answer: { status: 0, message: 'no answer within 10000 ms' },
  });
});

it('takes half an answer for none', async () => {
  const fault = sim.arm({ name: 'helix_half_answer', on: 'list' });
  expect(await helix.list(accessToken)).toMatchObject({ ok: false, answer: { status: 0 } });
  expect(fault.fired()).toBe(1);
});

it('reads every page of a list, or has none', async () => {
  for (let n = 0; n < 250; n++)
    sim.plant({ userId, sessionId: 'dead', type, condition: { broadcaster_user_id: String(n) } });
  const listing = await helix.list(accessToken);
  expect(listing.ok && new Set(listing.subscriptions.map((each) => each.id)).size).toBe(250);
  const fault = sim.arm({ name: 'helix', on: 'list', status: 503 });
  expect(await subscriber.list()).toMatchObject({ ok: false, status: 503 });
  expect(fault.fired()).toBe(1);
});

it('tells the calls left and the reset', async () => {
  const answer = await helix.remove(accessToken, 'nothing');
  expect(answer.callsLeft).toBeGreaterThan(0);
  sim.drainRateLimit(userId);
  const slot = await liveSlot(0);
  const outcome = await create(slot);
  expect(outcome).toMatchObject({ kind: 'wait' });
  if (outcome.kind === 'wait') expect(outcome.until - clock.now()).toBeLessThanOrEqual(60_000);
});
