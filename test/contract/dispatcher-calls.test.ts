// Webhook delivery: replays, the history of tries, and the calls that go beside the lanes.
import { describe, expect, it } from 'vitest';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { History } from '../../src/delivery/webhooks/history.ts';
import type { AttemptRecord } from '../../src/delivery/webhooks/ports.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { World, hang, turns, until } from './dispatcher-rig.ts';

const settings = defaultEndpointSettings;
const own = { serviceAccountId: 'service-1', endpointId: 'e1' };

describe('a replay', () => {
  it('repeats what was delivered with raised numbers, each run in its order, and live delivery beside it', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { settings: { ...settings, concurrency: 3 } });
    world.feed.append('a', 20);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 20);
    world.receivers.answer = () => hang();
    const runs = await Promise.all([
      webhooks.replay({ ...own, dryRun: false }),
      webhooks.replay({ ...own, after: 10, dryRun: false }),
    ]);
    expect(runs.map(({ events }) => events)).toEqual([20, 10]);
    expect(new Set(runs.map(({ run }) => run)).size).toBe(2);
    // One request of each run, which hang; the third belongs to what is live.
    await until(() => world.receivers.sent.length === 22);
    world.receivers.answer = () => 'success';
    world.feed.append('a', 5);
    await until(() => world.receivers.accepted().length === 25, {
      what: 'live events beside hanging replays',
    });
  });

  it('sends every event of every run, under numbers that rise', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 300);
    const { webhooks } = await world.start();
    await until(() => world.receivers.accepted().length === 300);
    await Promise.all([
      webhooks.replay({ ...own, dryRun: false }),
      webhooks.replay({ ...own, dryRun: false }),
    ]);
    await until(() => world.receivers.accepted().length === 900);
    await until(() => world.rows.owed('e1').length === 0);
    expect(new Set(world.receivers.log()).size).toBe(900);
    for (const { id, attempt, at } of world.receivers.sent)
      for (const other of world.receivers.sent.filter((sent) => sent.id === id && sent.at > at))
        expect(other.attempt).toBeGreaterThan(attempt);
    await world.pass(600);
    const runs = new Set(world.rows.attempts.map(({ run }) => run));
    expect(runs.size).toBe(3);
    for (const run of runs) {
      const seqs = world.rows.attempts.filter((attempt) => attempt.run === run).map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    }
  });

  it('counts without adding, keeps to the selection and to what the cursor has passed', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.addEndpoint('asleep', { url: 'http://receiver.test/asleep' });
    world.rows.at('asleep').health = { ...world.rows.at('asleep').health, state: 'disabled' };
    world.rows.at('asleep').ackedSeq = 4;
    world.receivers.answer = ({ id }) => (id === 'event-9' ? hang() : 'success');
    world.feed.append('a', 10);
    const { webhooks } = await world.start();
    await until(() => world.receivers.sent.length === 9);
    const count = async (request: object) =>
      (await webhooks.replay({ ...own, dryRun: true, ...request })).events;
    expect(await count({})).toBe(8);
    expect(await count({ after: 3, through: 5 })).toBe(2);
    expect(await count({ ids: ['event-2', 'event-9', 'unknown'] })).toBe(1);
    expect(await count({ receivedBefore: 0 })).toBe(0);
    expect(await count({ endpointId: 'asleep' })).toBe(4);
    expect(await count({ endpointId: 'nobody' })).toBe(0);
    expect(await count({ serviceAccountId: 'service-2' })).toBe(0);
    expect(world.rows.calls.get('addRun')).toBeUndefined();
  });

  it('that is too large adds nothing', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { ackedSeq: 100_001 });
    world.feed.append('a', 100_001);
    const { webhooks } = await world.start();
    await until(() => webhooks.stats().endpoints.healthy === 1);
    const large = webhooks.replay({ ...own, dryRun: false });
    await expect(large).rejects.toMatchObject({ code: 'replay_too_large', status: 422 });
    expect(world.rows.calls.get('addRun')).toBeUndefined();
  });
});

describe('the calls beside the lanes', () => {
  it('test an endpoint at once, whatever its state, and charge nothing', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.at('e1').health = { ...world.rows.at('e1').health, state: 'disabled' };
    world.receivers.answer = () => 'server_error';
    world.feed.append('a', 2);
    const { webhooks } = await world.start();
    expect(await webhooks.test('e1')).toMatchObject({ kind: 'server_error', status: 500 });
    expect(await webhooks.test('nobody')).toBeUndefined();
    expect(world.receivers.sent).toHaveLength(1);
    const [sent] = world.receivers.sent;
    expect(sent).toMatchObject({ attempt: 1, secrets: ['whsec_one'] });
    const body = JSON.parse(sent?.body ?? '') as Record<string, unknown>;
    expect(body).toMatchObject({ id: sent?.id, cursor: sent?.cursor, type: 'relay.endpoint.test' });
    expect(body).toMatchObject({ provider: 'relay', subscription: null, event: { endpoint_id: 'e1' } });
    expect(world.rows.at('e1').health.failuresInRow).toBe(0);
  });

  it('challenge an endpoint, which has to echo what it was sent', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    const { webhooks } = await world.start();
    const challengeIn = (body: string) =>
      (JSON.parse(body) as { event: { challenge: string } }).event.challenge;
    world.receivers.answer = ({ body }) => ({ status: 200, response: ` ${challengeIn(body)}\n` });
    expect(await webhooks.challenge('http://receiver.test/new', 'whsec_new')).toMatchObject({ echoed: true });
    expect(await webhooks.challengeEndpoint('e1')).toMatchObject({ echoed: true });
    expect(await webhooks.challengeEndpoint('nobody')).toBeUndefined();
    expect(world.receivers.sent.map(({ secrets }) => secrets)).toEqual([['whsec_new'], ['whsec_one']]);
    const challenges = world.receivers.sent.map(({ body }) => challengeIn(body));
    expect(new Set(challenges).size).toBe(2);
    expect(challenges[0]).toHaveLength(43);
    world.receivers.answer = ({ body }) => ({ kind: 'client_error', response: challengeIn(body) });
    expect(await webhooks.challengeEndpoint('e1')).toMatchObject({ echoed: false });
    world.receivers.answer = () => ({ status: 200, response: 'ok' });
    expect(await webhooks.challengeEndpoint('e1')).toMatchObject({ echoed: false });
  });
});

describe('the history', () => {
  it('is written in batches, and pruned', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    for (let lane = 0; lane < 20; lane++) world.feed.append(`lane-${lane}`, 10);
    await world.start();
    await until(() => world.receivers.accepted().length === 200);
    expect(world.rows.attempts).toEqual([]);
    await world.pass(600, 200);
    expect(world.rows.recordSizes).toEqual([200]);
    expect(world.rows.attempts[0]).toMatchObject({ state: 'delivered', outcome: 'success', status: 204 });
    await world.pass(3 * 24 * 3_600_000, 6 * 3_600_000);
    await world.pass(1_200_000, 300_000);
    expect(world.rows.attempts).toEqual([]);
  });

  it('is bounded while the database is away: the oldest go, and are counted', async () => {
    const clock = new ShiftClock();
    const written: AttemptRecord[] = [];
    let isAway = true;
    let refused = 0;
    let dropped = 0;
    const rows = {
      record: async (batch: readonly AttemptRecord[]) => {
        await turns(1);
        if (isAway) {
          refused++;
          throw new Error('database away');
        }
        written.push(...batch);
      },
      pruneAttempts: () => Promise.resolve(0),
    };
    const observer = { recordsDropped: (count: number) => void (dropped += count) };
    const history = new History({ rows, clock, keepAttemptsMs: 1, observer });
    for (let seq = 1; seq <= 52_000; seq++) history.add(recordOf(seq));
    await until(() => refused > 0);
    isAway = false;
    await clock.advance(2_000);
    await until(async () => {
      await clock.advance(500);
      return written.length === 52_000 - dropped;
    });
    expect(dropped).toBeGreaterThanOrEqual(500);
    expect(dropped).toBeLessThanOrEqual(2_500);
    expect(written.at(-1)?.seq).toBe(52_000);
    await history.stop();
    expect(clock.pending).toBe(0);
  });

  it('says whether a write may have been there before: after a failure, until what failed is written', async () => {
    const clock = new ShiftClock();
    const calls: [number, string | undefined][] = [];
    let failures = 1;
    const rows = {
      record: async (batch: readonly AttemptRecord[], call?: 'first' | 'again') => {
        await turns(1);
        calls.push([batch.length, call]);
        if (failures-- > 0) throw new Error('the answer was lost');
      },
      pruneAttempts: () => Promise.resolve(0),
    };
    const history = new History({ rows, clock, keepAttemptsMs: 1, observer: {} });
    const add = (count: number) => {
      for (let seq = 1; seq <= count; seq++) history.add(recordOf(seq));
    };
    add(2);
    await expect(history.flush()).rejects.toThrow('history');
    add(1);
    await history.flush();
    add(4);
    await history.flush();
    failures = 1;
    add(1);
    await expect(history.flush()).rejects.toThrow('history');
    await history.stop();
    expect(calls).toEqual([
      [2, 'first'],
      [3, 'again'],
      [4, 'first'],
      [1, 'first'],
      [1, 'again'],
    ]);
    expect(clock.pending).toBe(0);
  });
});

const recordOf = (seq: number): AttemptRecord => ({
  endpointId: 'e1',
  seq,
  run: '',
  serviceAccountId: 'service-1',
  messageId: `event-${seq}`,
  type: 'channel.follow',
  attempt: 1,
  state: 'delivered',
  outcome: 'success',
  status: 204,
  response: null,
  startedAt: 0,
  durationMs: 1,
  nextAt: null,
});
