// The embedded database's worker comes back when it dies, and stays away when it is asked to.
import { expect, test, vi } from 'vitest';
import { supervise } from '../../src/store/embedded/supervise.ts';
import type { Supervised } from '../../src/store/embedded/supervise.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function scene() {
  const clock = new ShiftClock();
  const reports: string[] = [];
  const workers: { die: (fault?: unknown) => void; stopped: boolean }[] = [];
  const failures: Error[] = [];
  const start = async (): Promise<Supervised> => {
    const failure = failures.shift();
    if (failure) throw failure;
    let die: (fault?: unknown) => void = () => {};
    const ended = new Promise<unknown>((settle) => {
      die = settle;
    });
    const worker = { die, stopped: false };
    workers.push(worker);
    return {
      ended,
      stop: async () => {
        worker.stopped = true;
        die();
      },
    };
  };
  const report = (message: string) => reports.push(message);
  return { clock, reports, workers, failures, run: () => supervise(start, { clock, report }) };
}

test('one that dies is started again after a second, also when that fails at first', async () => {
  const { clock, reports, workers, failures, run } = scene();
  const stop = await run();
  failures.push(new Error('still locked'));
  workers[0]?.die(new Error('out of memory'));
  await vi.waitFor(() => expect(clock.pending).toBe(1));
  await clock.advance(1000);
  await vi.waitFor(() => expect(clock.pending).toBe(1));
  expect(workers).toHaveLength(1);
  await clock.advance(1000);
  await vi.waitFor(() => expect(workers).toHaveLength(2));
  expect(reports).toEqual([
    'The embedded database stopped; starting it again.',
    'The embedded database does not start.',
  ]);
  await stop();
  expect(workers[1]?.stopped).toBe(true);
  expect(clock.pending).toBe(0);
});

test('one that was stopped is not started again, and a first start that fails is the caller\u2019s', async () => {
  const { clock, reports, workers, failures, run } = scene();
  const stop = await run();
  await stop();
  expect([workers.length, clock.pending, reports]).toEqual([1, 0, []]);
  failures.push(new Error('no room'));
  await expect(run()).rejects.toThrow('no room');
});
