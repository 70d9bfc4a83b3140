// The feeder alone: what it holds of many runs, and that a run which is over costs nothing more.
import { describe, expect, it } from 'vitest';
import type { Taken } from '../../src/delivery/webhooks/context.ts';
import { RetryFeeder } from '../../src/delivery/webhooks/retry-feeder.ts';
import type { OwedDelivery } from '../../src/delivery/webhooks/ports.ts';
import { MemoryFeed } from '../contract/dispatcher-rig.ts';
import { MemoryRows } from '../contract/dispatcher-rows.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

const bound = 16;

function rig() {
  const clock = new ShiftClock();
  const feed = new MemoryFeed(clock);
  const rows = new MemoryRows();
  rows.addEndpoint('e1');
  const held: OwedDelivery[] = [];
  const isFailing = false;
  const feeder: RetryFeeder = new RetryFeeder(
    {
      context: { rows, feed, clock, observer: {}, parks: { isFailing }, settlements: { isFailing } },
      endpointId: 'e1',
      serviceAccountId: 's1',
      book: {
        owed: (delivery) => {
          held.push(delivery);
          return {} as Taken;
        },
        addOwed: () => undefined,
        missing: () => undefined,
        notWanted: () => undefined,
      },
      ask: () => feeder.fill(clock.now(), bound),
    },
    [],
  );
  const replay = (run: string, seqs: number[]) =>
    rows.addRun({ endpointId: 'e1', run, seqs, now: clock.now() });
  /** Everything that is held is gone. */
  const finish = async () => {
    for (const delivery of held.splice(0)) {
      await rows.settle([{ ...delivery, next: null }]);
      feeder.released(delivery.run, null);
    }
    feeder.fill(clock.now(), bound);
  };
  return { clock, feed, rows, feeder, held, replay, finish };
}

describe('the runs of an endpoint', () => {
  it('are forgotten when they are over', async () => {
    const { clock, feed, rows, feeder, replay, finish } = rig();
    feed.append('a', 40);
    for (let run = 0; run < 20; run++) await replay(`r${run}`, [1, 2, 3]);
    await replay(
      'long',
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    feeder.due();
    feeder.fill(clock.now(), bound);
    await until(() => feeder.runs === 22);
    await until(async () => {
      await finish();
      return rows.owed('e1').length === 0 && !feeder.isBusy;
    });
    feeder.fill(clock.now(), bound);
    expect(feeder.runs).toBe(1);
    expect(feeder.nextAfter(clock.now())).toBe(Infinity);
  });

  it('are held so many of each, and of hundreds of replays no more than memory bears, beside what is live', async () => {
    const { clock, feed, feeder, rows, held, replay } = rig();
    feed.append('a', 20);
    const seqs = Array.from({ length: 20 }, (_, index) => index + 1);
    for (let run = 0; run < 150; run++) await replay(`r${run}`, seqs);
    feeder.due();
    feeder.fill(clock.now(), bound);
    await until(() => held.length >= 2_048 && !feeder.isBusy);
    await rows.park(
      seqs.map((seq) => ({
        endpointId: 'e1',
        seq,
        run: '',
        attempt: 1,
        spent: 1,
        nextAt: 1,
        blocksUntil: null,
        bornAt: 1,
      })),
    );
    feeder.parked(1);
    feeder.fill(clock.now(), bound);
    await until(() => held.length >= 2_048 + bound && !feeder.isBusy);
    expect(held).toHaveLength(2_048 + bound);
    const perRun = new Map<string, number>();
    for (const { run } of held) perRun.set(run, (perRun.get(run) ?? 0) + 1);
    expect(Math.max(...perRun.values())).toBe(bound);
    expect(perRun.get('')).toBe(bound);
  });
});
