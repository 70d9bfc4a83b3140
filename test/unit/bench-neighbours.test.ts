// The judgement of the bench with the hung receiver: what its rounds come to.
import { describe, expect, it } from 'vitest';
import { lineOf, lostOf, render } from '../../bench/neighbours/result.ts';
import type { Measured, Round } from '../../bench/neighbours/result.ts';
import { arrivalKey } from '../../bench/webhooks/receiver-messages.ts';

const paths = ['/events/0', '/events/1'];

/** One event in each round, which takes so long to one receiver, and half as long to the other. */
function measured(rounds: readonly (readonly [Round['kind'], number])[]): Measured {
  const arrivals = rounds.flatMap(([, ms], n) =>
    paths.map(
      (path, index) => [arrivalKey(`e${n}`, path), { at: 1_000 + ms / (2 - index), requests: 1 }] as const,
    ),
  );
  return {
    rounds: rounds.map(([kind], n) => ({
      kind,
      sent: [{ id: `e${n}`, topicId: 't', at: 1_000 }],
      unanswered: kind === 'beside' ? 64 : 0,
    })),
    paths,
    perSecond: 10,
    arrivals: new Map(arrivals),
    database: 'none',
  };
}

const three = measured([
  ['warm-up', 900],
  ['alone', 10],
  ['beside', 12],
  ['alone', 20],
  ['beside', 30],
  ['alone', 500],
  ['beside', 31],
]);

describe('results of the bench', () => {
  it('compares the medians of the rounds, without the first one', () => {
    expect(lineOf(three)).toEqual({ rounds: 3, alone_p99_ms: 20, beside_p99_ms: 30, ratio: 1.5 });
    expect(lostOf(three)).toBe(0);
    expect(render(three)).toContain(
      'p99 beside a hung receiver is 1.5 times that alone; of 14 deliveries 0 were lost',
    );
  });

  it('counts each event that a receiver did not get, of every round', () => {
    const arrivals = new Map(three.arrivals);
    arrivals.delete('e0/1');
    arrivals.delete('e3/0');
    expect(lostOf({ ...three, arrivals })).toBe(2);
    const nothing = { ...three, arrivals: new Map() };
    expect(lostOf(nothing)).toBe(14);
    expect(lineOf(nothing)).toEqual({ rounds: 3, alone_p99_ms: null, beside_p99_ms: null, ratio: null });
    expect(render(nothing)).toContain('is – times');
  });
});
