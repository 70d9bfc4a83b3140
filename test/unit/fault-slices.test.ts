// Long computations of the fault programme leave the event loop its turns; and how long it had to wait can be told.
import { expect, it } from 'vitest';
import { watchLoop } from '../faults/loop-delay.ts';
import { inSlices, inSteps, itemsPerStep, sliceMs, type Steps } from '../faults/slices.ts';
import { atOnce } from '../support/at-once.ts';

/** Writes down its steps, each of which takes so long by a clock of its own, and the turns that the loop has meanwhile. */
async function trace(stepMs: number): Promise<string[]> {
  const seen: string[] = [];
  let now = 0;
  function* work(): Steps<string> {
    for (const name of ['first', 'second', 'third', 'fourth']) {
      seen.push(name);
      now += stepMs;
      yield;
    }
    return 'done';
  }
  const turn = () => {
    seen.push('turn');
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  try {
    expect(await inSlices(work(), () => now)).toBe('done');
  } finally {
    clearImmediate(next);
  }
  return seen;
}

it('the loop has its turn behind every step that uses up a slice', async () => {
  expect(await trace(sliceMs)).toEqual([
    'first',
    'turn',
    'second',
    'turn',
    'third',
    'turn',
    'fourth',
    'turn',
  ]);
});

it('short steps share a slice', async () => {
  expect(await trace(sliceMs / 2)).toEqual(['first', 'second', 'turn', 'third', 'fourth', 'turn']);
});

it('items are taken in their order, with a place to interrupt after so many', () => {
  const items = Array.from({ length: 2 * itemsPerStep + 1 }, (_, n) => n);
  const taken: number[] = [];
  const lengths: number[] = [];
  const steps = inSteps(items, (item) => taken.push(item));
  while (!steps.next().done) lengths.push(taken.length);
  expect(taken).toEqual(items);
  expect(lengths).toEqual([itemsPerStep, 2 * itemsPerStep]);
});

it('what a computation throws reaches whoever waits for it', async () => {
  function* work(): Steps<void> {
    yield;
    throw new Error('no');
  }
  await expect(inSlices(work())).rejects.toThrow('no');
  expect(() => atOnce(work())).toThrow('no');
});

it('tells how long the loop was blocked, at the first moment as at the last', async () => {
  const blockMs = 40;
  const block = () => {
    const until = performance.now() + blockMs;
    while (performance.now() < until);
  };
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const atFirst = await watchLoop(async () => {
    block();
    await turn();
    return 'a value';
  });
  const atLast = await watchLoop(async () => {
    await turn();
    block();
  });
  expect(atFirst.value).toBe('a value');
  for (const { loopDelayMs } of [atFirst, atLast]) expect(loopDelayMs).toBeGreaterThanOrEqual(blockMs);
});
