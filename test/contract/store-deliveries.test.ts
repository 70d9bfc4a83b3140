// What the store promises about deliveries beside the cursor, on whichever database this run is about: nothing owed is
// lost, no sending of an event to an endpoint has a number that another one had.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRecord, OwedDelivery, WebhookRows } from '../../src/delivery/webhooks/ports.ts';
import { endpointOf, storeRig, url } from './store-rig.ts';

const rig = storeRig();
const rows = (): WebhookRows => rig.store.webhookRows;
let id: string;
beforeEach(async () => {
  ({ id } = await endpointOf(rig));
  rig.changes.length = 0;
});

const owed = (seq: number, more: Partial<OwedDelivery> = {}): OwedDelivery => ({
  endpointId: id,
  seq,
  run: '',
  attempt: 1,
  spent: 0,
  nextAt: 1_000,
  blocksUntil: null,
  bornAt: 500,
  ...more,
});
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
  startedAt: 1_000 + seq,
  durationMs: 12,
  nextAt: null,
  ...more,
});
const claimAll = async (now = 10_000) => {
  const claimed: OwedDelivery[] = [];
  for (const { run } of await rows().runs(id)) claimed.push(...(await rows().claim(id, run, now, 100)));
  return claimed;
};
const named = (deliveries: readonly OwedDelivery[]) =>
  deliveries.map(({ seq, run, attempt }) => [seq, run, attempt]);

describe('the retry set', () => {
  test('gives back what was parked; what is there already keeps the higher number and stays otherwise', async () => {
    const other = (await endpointOf(rig, { webhookUrl: `${url}/2` })).id;
    await rows().park([
      owed(5, { attempt: 3, spent: 2, nextAt: 2_000, blocksUntil: 9_000 }),
      owed(7, { blocksUntil: 4_000 }),
      owed(7, { run: 'r1', attempt: 4 }),
      owed(9, { endpointId: other }),
      owed(9, { endpointId: randomUUID() }),
    ]);
    await rows().park([owed(5, { attempt: 2, spent: 9, nextAt: 1 }), owed(7, { attempt: 6 })]);
    await rows().park([owed(8, { attempt: 2 }), owed(8, { attempt: 1, spent: 9 })]);
    await rows().park([]);
    expect(await rows().parkedAfter(id, 5)).toEqual([7, 8]);
    expect(await rows().parkedAfter(id, 0)).toEqual([5, 7, 8]);
    expect(await rows().blocking(id, 3_999)).toEqual([
      owed(5, { attempt: 3, spent: 2, nextAt: 2_000, blocksUntil: 9_000 }),
      owed(7, { attempt: 6, blocksUntil: 4_000 }),
    ]);
    expect((await rows().blocking(id, 4_000)).map(({ seq }) => seq)).toEqual([5]);
    expect([await rows().countOwed(id), await rows().countOwed(other)]).toEqual([4, 1]);
    expect((await rig.store.endpoints.get(rig.service.id, id))?.owed).toBe(4);
    const idle = (await endpointOf(rig, { webhookUrl: `${url}/3` })).id;
    const owing = (await rows().dispatchable()).filter(({ owes }) => owes).map((row) => row.id);
    expect(owing.toSorted()).toEqual([id, other].toSorted());
    expect((await rows().endpoint(idle))?.owes).toBe(false);
  });

  test('what is due of a run is claimed in order, and once', async () => {
    await rows().park([
      owed(5, { nextAt: 2_000 }),
      owed(6),
      owed(7, { nextAt: 1_000, run: 'r1', attempt: 4 }),
      owed(7, { nextAt: 1_500 }),
      owed(8, { nextAt: 3_000 }),
    ]);
    expect(await rows().nextDue(id, '')).toBe(1_000);
    expect(named(await rows().claim(id, 'r1', 2_999, 2))).toEqual([[7, 'r1', 5]]);
    // The other run of 7 got the number too, so that it goes on behind it.
    expect(named(await rows().claim(id, '', 2_999, 2))).toEqual([
      [6, '', 2],
      [7, '', 6],
    ]);
    expect(named(await rows().claim(id, '', 2_999, 100))).toEqual([[5, '', 2]]);
    expect(await rows().claim(id, '', 2_999, 100)).toEqual([]);
    expect([await rows().nextDue(id, ''), await rows().nextDue(id, 'r1')]).toEqual([3_000, null]);
    expect(await rows().countOwed(id)).toBe(5);
    expect(await rows().claim(randomUUID(), '', 9_999, 100)).toEqual([]);
  });

  test('names the runs that have something to be claimed, and when', async () => {
    const other = (await endpointOf(rig, { webhookUrl: `${url}/2` })).id;
    expect(await rows().runs(id)).toEqual([]);
    await rows().park([
      owed(5, { run: 'r1', nextAt: 7_000 }),
      owed(6, { run: 'r1', nextAt: 6_000 }),
      owed(5, { run: 'r2' }),
      owed(5, { run: 'r3', nextAt: 4_000 }),
      owed(5, { endpointId: other, run: 'r4' }),
    ]);
    await rows().claim(id, 'r2', 1_000, 9);
    const replays = [
      { run: 'r1', nextAt: 6_000 },
      { run: 'r3', nextAt: 4_000 },
    ];
    expect(await rows().runs(id)).toEqual(replays);
    await rows().park([owed(9)]);
    expect(await rows().runs(id)).toEqual([{ run: '', nextAt: 1_000 }, ...replays]);
  });

  test('what was claimed of a run is taken back, and nothing of another one', async () => {
    await rows().park([owed(5), owed(6, { run: 'r1' })]);
    await claimAll();
    await rows().takeBack(id, 'r1');
    expect(await rows().runs(id)).toEqual([{ run: 'r1', nextAt: 1_000 }]);
    expect(named(await claimAll())).toEqual([[6, 'r1', 3]]);
  });

  // Statistics that know nothing of the endpoint made every row of it meet every other one: minutes for these.
  test(
    'is claimed as fast when it filled up since the database last looked',
    { timeout: 5_000 },
    async () => {
      const other = (await endpointOf(rig, { webhookUrl: `${url}/2` })).id;
      const many = Array.from({ length: 8_000 }, (_, seq) => seq);
      await rows().park(many.slice(0, 500).map((seq) => owed(seq, { endpointId: other })));
      await rig.database.pool.query('ANALYZE delivery');
      await rows().park(many.map((seq) => owed(seq, { nextAt: 1_000 + seq })));
      expect((await rows().claim(id, '', 20_000, 16)).map(({ seq }) => seq)).toEqual(many.slice(0, 16));
    },
  );

  test('settling removes it, or lets it be due again', async () => {
    await rows().park([owed(5), owed(6), owed(6, { run: 'r1' })]);
    await claimAll();
    await rows().settle([
      { endpointId: id, seq: 5, run: '', next: null },
      { endpointId: id, seq: 6, run: '', next: { spent: 1, nextAt: 1, blocksUntil: 2 } },
      { endpointId: id, seq: 6, run: '', next: { spent: 3, nextAt: 7_000, blocksUntil: 8_000 } },
      { endpointId: id, seq: 99, run: '', next: null },
      { endpointId: randomUUID(), seq: 5, run: '', next: null },
    ]);
    await rows().settle([]);
    expect(await rows().countOwed(id)).toBe(2);
    await claimAll(6_999);
    expect(await rows().nextDue(id, '')).toBe(7_000);
    expect(await claimAll(7_000)).toEqual([
      owed(6, { attempt: 4, spent: 3, nextAt: 7_000, blocksUntil: 8_000 }),
    ]);
    expect(await rows().nextDue(id, '')).toBeNull();
  });

  test('what was claimed is taken back when the endpoint is opened, and the number stays used', async () => {
    await rows().park([owed(5)]);
    expect(named(await claimAll())).toEqual([[5, '', 2]]);
    expect(await rows().nextDue(id, '')).toBeNull();
    // The claim raised the endpoint's own number too.
    expect(await rows().open(id, 9)).toMatchObject({ ackedSeq: 0, attempt: 2 });
    expect(named(await claimAll())).toEqual([[5, '', 3]]);
    expect(await rows().open(id, 9)).toMatchObject({ mark: 9, attempt: 4 });
  });

  test('a replay is due at once, behind the highest number known, and is added once', async () => {
    await rows().park([owed(5, { attempt: 7 })]);
    await rows().record([record(6, { attempt: 4, run: 'r0' }), record(6, { attempt: 2 })]);
    const run = { endpointId: id, run: 'r1', seqs: [5, 6, 8, 8], now: 4_000 };
    expect(await rows().addRun(run)).toBe(3);
    const due = { endpointId: id, serviceAccountId: rig.service.id, kind: 'endpoint', what: 'due' };
    expect(rig.changes).toEqual([due]);
    expect(await rows().addRun(run)).toBe(0);
    expect(await rows().addRun({ ...run, endpointId: randomUUID() })).toBe(0);
    expect(rig.changes).toEqual([due]);
    await rows().settle([{ endpointId: id, seq: 5, run: '', next: null }]);
    expect(await claimAll(3_999)).toEqual([]);
    const replayed = { run: 'r1', nextAt: 4_000, bornAt: 4_000 };
    expect(await claimAll(4_000)).toEqual([
      owed(5, { ...replayed, attempt: 8 }),
      owed(6, { ...replayed, attempt: 5 }),
      owed(8, { ...replayed, attempt: 2 }),
    ]);
    expect(await rows().parkedAfter(id, 0)).toEqual([]);
  });

  test('the deliveries of an endpoint go with it', async () => {
    const { id: other, interestId } = await endpointOf(rig, { webhookUrl: `${url}/2` });
    await rows().park([owed(5), owed(5, { endpointId: other })]);
    await rig.store.interests.remove(rig.service.id, interestId);
    expect([await rows().countOwed(id), await rows().countOwed(other)]).toEqual([1, 0]);
  });
});

describe('numbers', () => {
  test('claims, replays and settlements at once hand out each number of an event once', async () => {
    const given: string[] = [];
    await rows().park([1, 2, 3].map((seq) => owed(seq)));
    await Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let turn = 0; turn < 6; turn++) {
          const added = { endpointId: id, run: `r${worker}-${turn}`, seqs: [1, 2, 3], now: 1 };
          if (worker % 2 === 0) await rows().addRun(added);
          const runs = await rows().runs(id);
          const claimed = await rows().claim(id, runs[(worker + turn) % runs.length]?.run ?? '', 5_000, 2);
          given.push(...claimed.map(({ seq, attempt }) => `${seq}/${attempt}`));
          await rows().record(claimed.map((delivery) => record(delivery.seq, delivery)));
          await rows().settle(
            claimed.map((delivery, index) => ({
              ...delivery,
              next: (worker + turn + index) % 3 === 0 ? { ...delivery, nextAt: turn } : null,
            })),
          );
        }
      }),
    );
    expect(given.length).toBeGreaterThan(40);
    expect(given.filter((number, at) => given.indexOf(number) !== at)).toEqual([]);
  });

  test('what the cursor sent again goes on behind a replay of it that is gone', async () => {
    const dispatcher = new Dispatcher(rows());
    await dispatcher.start();
    const steps: Step[] = [
      { kind: 'live', ok: true },
      { kind: 'replay', seqs: [1] },
      { kind: 'die' },
      { kind: 'claim', limit: 1, end: 'gone' },
      { kind: 'live', ok: false },
      { kind: 'die' },
      { kind: 'live', ok: false },
      { kind: 'claim', limit: 1, end: 'gone' },
    ];
    for (const taken of steps) await dispatcher.take(taken);
    expect(dispatcher.repeated).toEqual([]);
  });

  // A dispatcher that dies at any moment: everything it sent is remembered outside, everything it knew is gone.
  test('no number is given twice, whatever is parked, claimed, settled, replayed, and wherever it dies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        await rig.database.pool.query('DELETE FROM interest; DELETE FROM endpoint; DELETE FROM attempt');
        ({ id } = await endpointOf(rig));
        const dispatcher = new Dispatcher(rows());
        await dispatcher.start();
        for (const taken of steps) await dispatcher.take(taken);
        expect(dispatcher.repeated).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

const head = 6;
const chance = fc.boolean();
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('live' as const), ok: chance }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      limit: fc.integer({ min: 1, max: 3 }),
      end: fc.constantFrom('gone' as const, 'again' as const, 'lost' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('replay' as const),
      seqs: fc.subarray([1, 2, 3, 4, 5, 6], { minLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('save' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The least that a dispatcher does with the rows: the cursor in memory, numbers as `open` says, history at once. */
class Dispatcher {
  readonly repeated: string[] = [];
  readonly #given = new Set<string>();
  readonly #rows: WebhookRows;
  #opened = { ackedSeq: 0, mark: 0, attempt: 1 };
  #acked = 0;
  #parked = new Set<number>();
  #runs = 0;

  constructor(webhookRows: WebhookRows) {
    this.#rows = webhookRows;
  }

  async start(): Promise<void> {
    const opened = await this.#rows.open(id, head);
    if (!opened) throw new Error('the endpoint is gone');
    this.#opened = opened;
    this.#acked = opened.ackedSeq;
    this.#parked = new Set(await this.#rows.parkedAfter(id, opened.ackedSeq));
  }

  async take(taken: Step): Promise<void> {
    if (taken.kind === 'live') return this.#live(taken.ok);
    if (taken.kind === 'claim') return this.#claim(taken.limit, taken.end);
    if (taken.kind === 'save') return this.#save(true);
    if (taken.kind === 'replay') {
      const seqs = taken.seqs.filter((seq) => seq <= this.#acked);
      await this.#rows.addRun({ endpointId: id, run: `r${++this.#runs}`, seqs, now: 1 });
      return;
    }
    if (taken.kind === 'stop') await this.#save(false);
    await this.start();
  }

  async #live(ok: boolean): Promise<void> {
    const seq = this.#acked + 1;
    if (seq > head) return;
    if (!this.#parked.has(seq)) {
      const attempt = seq <= this.#opened.mark ? this.#opened.attempt : 1;
      await this.#send(seq, '', attempt);
      if (!ok) await this.#rows.park([owed(seq, { attempt })]);
    }
    this.#acked = seq;
  }

  async #claim(limit: number, end: 'gone' | 'again' | 'lost'): Promise<void> {
    const runs = await this.#rows.runs(id);
    const run = runs[limit % runs.length]?.run ?? '';
    for (const delivery of await this.#rows.claim(id, run, 5_000, limit)) {
      await this.#send(delivery.seq, delivery.run, delivery.attempt);
      if (end === 'lost') continue;
      await this.#rows.settle([{ ...delivery, next: end === 'gone' ? null : delivery }]);
    }
  }

  async #send(seq: number, run: string, attempt: number): Promise<void> {
    const number = `${seq}/${attempt}`;
    if (this.#given.has(number)) this.repeated.push(number);
    this.#given.add(number);
    await this.#rows.record([record(seq, { run, attempt })]);
  }

  #save(open: boolean): Promise<void> {
    const sentSeq = Math.max(this.#acked, this.#opened.mark);
    return this.#rows.savePositions([{ endpointId: id, ackedSeq: this.#acked, sentSeq, wholeAt: 1, open }]);
  }
}
