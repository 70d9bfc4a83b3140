// What the store promises about the history of attempts, on whichever database this run is about.
import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRecord, WebhookRows } from '../../src/delivery/webhooks/ports.ts';
import { endpointOf, storeRig, url } from './store-rig.ts';

const rig = storeRig();
const rows = (): WebhookRows => rig.store.webhookRows;
let id: string;
beforeEach(async () => {
  ({ id } = await endpointOf(rig));
});

const owed = (seq: number, attempt = 1) => ({
  endpointId: id,
  seq,
  run: '',
  attempt,
  spent: 0,
  nextAt: 1_000,
  blocksUntil: null,
  bornAt: 500,
});
/** As long as a clock's: a fraction of a second does not fit into a float exactly. */
const today = 1_795_230_000_123;
const record = (seq: number, more: Partial<AttemptRecord> = {}): AttemptRecord => ({
  endpointId: id,
  seq,
  run: '',
  serviceAccountId: rig.service.id,
  messageId: `event-${seq}`,
  type: 'channel.follow',
  attempt: 1,
  state: 'delivered',
  outcome: 'success',
  status: 204,
  response: null,
  startedAt: today + seq,
  durationMs: 12,
  nextAt: null,
  ...more,
});
describe('the history', () => {
  const list = (query: Partial<Parameters<typeof rig.store.attempts.list>[1]> = {}) =>
    rig.store.attempts.list(rig.service.id, { limit: 100, ...query });
  const seqsOf = async (query: Parameters<typeof list>[0]) => (await list(query)).map(({ seq }) => seq);

  test('shows what was written, the newest first, in pages', async () => {
    const response = 'no\0 such "thing", \\ {at} all\nNULL \u{1f600}';
    await rows().record([
      record(1),
      record(2, { state: 'failed', outcome: 'client_error', status: 404, response, durationMs: 3.4 }),
      record(3, { run: 'r1', state: 'expired', outcome: 'none', status: null, nextAt: 9_000 }),
    ]);
    const [last, middle, first] = await list();
    expect(last).toEqual({
      id: expect.stringMatching(/^\d+$/) as string,
      endpointId: id,
      run: 'r1',
      seq: 3,
      eventId: 'event-3',
      type: 'channel.follow',
      attempt: 1,
      state: 'expired',
      outcome: 'none',
      status: null,
      startedAt: today + 3,
      durationMs: 12,
      response: null,
      nextAt: 9_000,
    });
    expect(middle).toMatchObject({ run: null, response: response.replace('\0', '\u{fffd}'), durationMs: 3 });
    expect(first).toMatchObject({ seq: 1, state: 'delivered', status: 204 });
    expect(await seqsOf({ limit: 2 })).toEqual([3, 2]);
    expect(await seqsOf({ limit: 2, after: middle?.id })).toEqual([1]);
    for (const after of ['x', '1'.repeat(40)]) expect(await seqsOf({ after })).toEqual([]);
  });

  test('is narrowed by endpoint, state, event and run, and is the own one only', async () => {
    const { service: other } = await rig.store.services.create('other');
    const second = (await endpointOf(rig, { webhookUrl: `${url}/2` })).id;
    const foreign = (await endpointOf(rig, { serviceAccountId: other.id })).id;
    await rows().record([
      record(1, { state: 'failed' }),
      record(1, { endpointId: second }),
      record(2, { run: 'r1' }),
      record(3, { endpointId: foreign, serviceAccountId: other.id }),
    ]);
    expect(await seqsOf({})).toEqual([2, 1, 1]);
    expect(await seqsOf({ endpointId: id })).toEqual([2, 1]);
    expect(await seqsOf({ endpointId: foreign })).toEqual([]);
    expect(await seqsOf({ endpointId: 'no id' })).toEqual([]);
    expect(await seqsOf({ state: 'failed' })).toEqual([1]);
    expect(await seqsOf({ eventId: 'event-1', state: 'delivered' })).toEqual([1]);
    expect(await seqsOf({ eventId: 'event-\0' })).toEqual([]);
    expect(await seqsOf({ run: 'r1' })).toEqual([2]);
    expect(await rig.store.attempts.list(other.id, { limit: 9 })).toHaveLength(1);
  });

  test('what is retrying is what is still owed and was not sent again since', async () => {
    await rows().park([owed(1, 2), owed(2), owed(3)]);
    const retrying = { state: 'retrying', outcome: 'timeout', status: null } as const;
    await rows().record([
      record(1, { ...retrying, attempt: 1 }),
      record(1, { ...retrying, attempt: 2 }),
      record(2, retrying),
      record(3, { ...retrying, run: 'r1' }),
    ]);
    expect((await list({ state: 'retrying' })).map(({ seq, attempt }) => [seq, attempt])).toEqual([
      [2, 1],
      [1, 2],
    ]);
    await rows().settle([{ endpointId: id, seq: 2, run: '', next: null }]);
    expect(await seqsOf({ state: 'retrying' })).toEqual([1]);
    expect(await list()).toHaveLength(4);
  });

  test('writing it again adds nothing; what is gone is passed over; it outlives the endpoint', async () => {
    const { id: gone, interestId } = await endpointOf(rig, { webhookUrl: `${url}/2` });
    await rows().record([record(1, { endpointId: gone })]);
    await rig.store.interests.remove(rig.service.id, interestId);
    const batch = [
      record(1),
      record(2, { endpointId: gone }),
      record(3, { serviceAccountId: randomUUID() }),
      record(4),
    ];
    // The first call looks for nothing that is there, and passes over what is gone all the same.
    await rows().record(batch, 'first');
    await rows().record(batch);
    await rows().record([...batch, record(1)], 'again');
    await rows().record([], 'first');
    expect((await list()).map(({ seq, endpointId }) => [seq, endpointId])).toEqual([
      [4, id],
      [1, id],
      [1, gone],
    ]);
    await rig.store.services.remove(rig.service.clientId);
    expect(await list()).toEqual([]);
  });

  test('is pruned by age, the oldest first, so many at a time', async () => {
    await rows().record([1, 2, 3, 4, 5].map((seq) => record(seq)));
    expect(await rows().pruneAttempts(today + 4, 2)).toBe(2);
    expect(await seqsOf({})).toEqual([5, 4, 3]);
    expect(await rows().pruneAttempts(today + 4, 2)).toBe(1);
    expect(await rows().pruneAttempts(today + 4, 2)).toBe(0);
    expect(await seqsOf({})).toEqual([5, 4]);
  });
});
