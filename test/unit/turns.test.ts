import { beforeEach, describe, expect, it } from 'vitest';
import { Turns, type Turn } from '../../src/delivery/turns.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

let clock: ShiftClock;
let isMoreToCome: boolean;
let turns: Turns;
let served: string[];

beforeEach(() => {
  clock = new ShiftClock();
  isMoreToCome = true;
  turns = new Turns({ clock, moreToCome: () => isMoreToCome });
  served = [];
});

const reader = (name: string): Turn => ({ takeTurn: () => served.push(name) });
const readers = (count: number): Turn[] => Array.from({ length: count }, (_, index) => reader(`r${index}`));

/** A round of so many woken readers, after which they rest. */
async function round(all: readonly Turn[]): Promise<void> {
  for (const turn of all) turns.wake(turn);
  await nextTurn();
  expect(served).toHaveLength(all.length);
  served = [];
}

describe('turns', () => {
  it('serve each that asked once, in order, with I/O in between for whoever asks again', async () => {
    const again: Turn = {
      takeTurn: () => {
        served.push('again');
        if (served.length === 1) turns.ask(again);
      },
    };
    turns.ask(again);
    turns.ask(reader('b'));
    turns.ask(again);
    await nextTurn();
    expect(served).toEqual(['again', 'b']);
    await nextTurn();
    expect(served).toEqual(['again', 'b', 'again']);
  });

  it('serve once who asked and was woken', async () => {
    const both = reader('both');
    turns.ask(both);
    turns.wake(both);
    await nextTurn();
    await nextTurn();
    expect(served).toEqual(['both']);
  });

  it('let many woken ones rest while more is being committed, and then serve all of them', async () => {
    const all = readers(500);
    await round(all);
    for (const turn of all) turns.wake(turn);
    await clock.advance(30);
    await nextTurn();
    expect(served).toEqual([]);
    await clock.advance(20);
    await nextTurn();
    expect(served).toHaveLength(500);
    expect(clock.pending).toBe(0);
  });

  it('let nobody rest longer than 100 ms, not even when the clock was set back', async () => {
    const all = readers(5_000);
    await round(all);
    clock.jump(-3_600_000);
    for (const turn of all) turns.wake(turn);
    await clock.advance(100);
    await nextTurn();
    expect(served).toHaveLength(5_000);
  });

  it('let few rest no more after the clock was set back while there were many', async () => {
    await round(readers(200));
    clock.jump(-3_600_000);
    const few = readers(50);
    for (const turn of few) turns.wake(turn);
    await clock.advance(100);
    await nextTurn();
    expect(served).toHaveLength(50);
    served = [];
    await round(few);
  });

  it('serve who asks while others rest', async () => {
    const all = readers(200);
    await round(all);
    turns.wake(all[0] ?? reader('none'));
    turns.ask(reader('asking'));
    await nextTurn();
    expect(served).toEqual(['asking']);
  });

  it('end the rest when nothing more is being committed', async () => {
    const all = readers(200);
    await round(all);
    turns.wake(reader('first'));
    isMoreToCome = false;
    turns.wake(reader('second'));
    await nextTurn();
    expect(served).toEqual(['first', 'second']);
    expect(clock.pending).toBe(0);
  });

  it('let a few dozen never rest', async () => {
    const few = readers(50);
    await round(few);
    await round(few);
  });

  it('keep no timer for readers that have withdrawn', async () => {
    const all = readers(200);
    await round(all);
    for (const turn of all) turns.wake(turn);
    expect(clock.pending).toBe(1);
    for (const turn of all) turns.withdraw(turn);
    expect(clock.pending).toBe(0);
    await nextTurn();
    expect(served).toEqual([]);
  });
});
