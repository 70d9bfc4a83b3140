// The tail: holes are filled from the database, a lost answer reaches it, order is never broken, memory is bounded.
import { describe, expect, it } from 'vitest';
import { createReader } from '../../src/log/reader.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { openTail, Tail } from '../../src/log/tail.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { connectionRefused, MemoryLog } from '../contract/log-memory.ts';
import { draft, until, uuid } from '../contract/log-fixtures.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const all: Filter = { key: 'all', serviceAccountId: 's', topics: new Map([[uuid(1), 0]]), types: null };
const clock = systemClock;

function follow(tail: Tail): number[] {
  const seen: number[] = [];
  tail.onAdvance((records) => seen.push(...(records ?? []).map((record) => record.seq)));
  return seen;
}

describe('tail', () => {
  it('takes commits of its own without asking the database', async () => {
    const log = new MemoryLog();
    const tail = await openTail({ log, clock });
    const seen = follow(tail);
    await log.append([draft('a'), draft('b')]);
    await log.append([draft('b')]);
    await log.append([draft('c')]);
    expect(seen).toEqual([1, 2, 4]);
    expect(tail.window.to).toBe(4);
    expect(log.reads).toBe(0);
    expect(tail.counts.holes).toBe(0);
  });

  it('fills a hole before it shows what came after it', async () => {
    const log = new MemoryLog();
    const tail = await openTail({ log, clock });
    const seen = follow(tail);
    log.commitElsewhere([draft('theirs')]);
    await log.append([draft('ours')]);
    await tail.catchUp();
    expect(seen).toEqual([1, 2]);
    expect(tail.counts.holes).toBe(1);
  });

  it('shows what was committed although its answer was lost, once the append is repeated', async () => {
    const log = new MemoryLog();
    const tail = await openTail({ log, clock });
    const seen = follow(tail);
    log.loseAnswers = 1;
    await expect(log.append([draft('a')])).rejects.toThrow();
    expect(seen).toEqual([]);
    expect(await log.append([draft('a')])).toEqual([null]);
    await until(() => tail.window.to === 2);
    expect(seen).toEqual([1]);
  });

  it('polls: sees others within the interval, survives an absent database, ends with its signal', async () => {
    const log = new MemoryLog();
    const shift = new ShiftClock();
    const tail = await openTail({ log, clock: shift, pollMs: 500 });
    const seen = follow(tail);
    const abort = new AbortController();
    const running = tail.run(abort.signal);
    log.away = connectionRefused();
    log.commitElsewhere([draft('theirs')]);
    await shift.advance(500);
    await until(() => tail.counts.pollFailures === 1);
    log.away = undefined;
    await until(async () => {
      await shift.advance(500);
      return seen.length === 1;
    });
    abort.abort();
    await running;
    expect(shift.pending).toBe(0);
  });

  it('skips a poll when a commit of its own has just proved that nothing is missing', async () => {
    const log = new MemoryLog();
    const shift = new ShiftClock();
    const tail = await openTail({ log, clock: shift, pollMs: 500 });
    const abort = new AbortController();
    const running = tail.run(abort.signal);
    const polls = tail.counts.polls;
    await log.append([draft('a')]);
    await shift.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(tail.counts.polls).toBe(polls);
    await shift.advance(500);
    await until(() => tail.counts.polls === polls + 1);
    abort.abort();
    await running;
  });

  it('keeps the newest by count and by bytes, and says from where it is complete', async () => {
    const log = new MemoryLog();
    const tail = await openTail({ log, clock, maxRecords: 3 });
    for (const id of 'abcde') await log.append([draft(id)]);
    expect([tail.window.from, tail.window.to, tail.window.size]).toEqual([2, 5, 3]);
    const small = new Tail({ log, clock, maxBytes: 1, warmSeqs: 0 });
    await log.append([draft('f')]);
    expect([small.window.from, small.window.to, small.window.size, small.window.bytes]).toEqual([6, 6, 0, 0]);
  });

  it('keeps its bounds over many thousands', async () => {
    const log = new MemoryLog();
    const tail = await openTail({ log, clock, maxRecords: 100 });
    for (let n = 0; n < 50; n++) await log.append(Array.from({ length: 100 }, (_, k) => draft(`${n}-${k}`)));
    expect([tail.window.from, tail.window.to, tail.window.size]).toEqual([4900, 5000, 100]);
    expect(tail.window.read(4990, all, 3)).toMatchObject({ through: 4993 });
  });

  it('starts with the newest of the log and jumps over more than it could hold', async () => {
    const log = new MemoryLog();
    log.commitElsewhere(Array.from({ length: 50 }, (_, n) => draft(`old-${n}`)));
    const tail = await openTail({ log, clock, maxRecords: 20, warmSeqs: 10 });
    expect([tail.window.from, tail.window.to]).toEqual([40, 50]);
    let restarted = 0;
    tail.onAdvance((records) => (restarted += records ? 0 : 1));
    log.commitElsewhere(Array.from({ length: 50 }, (_, n) => draft(`new-${n}`)));
    await tail.catchUp();
    expect([tail.window.from, tail.window.to, restarted]).toEqual([80, 100, 1]);
    const reader = createReader({ log, tail });
    const page = await reader.read(45, all, 1000);
    expect([page.records.length, page.through]).toEqual([55, 100]);
  });
});
