// When a client acknowledges: few frames, spread out, none lost by a connection that ended.
import { describe, expect, it } from 'vitest';
import { AckQueue, ackEveryMs, ackSpreadMs } from '../../src/client/ack-queue.ts';
import { ManualClock } from './client-scripted-relay.ts';

function queue(random: number, maxInFlight = 100) {
  const clock = new ManualClock();
  const told: string[] = [];
  const acks = new AckQueue({
    clock,
    maxInFlight,
    random: () => random,
    send: (cursor) => told.push(cursor) > 0,
  });
  return { clock, told, acks };
}

describe('acknowledgements', () => {
  it('come at their own moment from each of the consumers that were given an event together', () => {
    const [early, late] = [queue(0), queue(0.5)];
    for (const { acks, clock } of [early, late]) {
      acks.done('c1');
      // The first one waits for one turn only.
      clock.advance(0);
      acks.done('c2');
      clock.advance(ackEveryMs);
    }
    expect(early.told).toEqual(['c1', 'c2']);
    expect(late.told).toEqual(['c1']);
    late.clock.advance(ackSpreadMs / 2);
    expect(late.told).toEqual(['c1', 'c2']);
    expect([early.clock.pending, late.clock.pending]).toEqual([0, 0]);
  });

  it.each([1, 2, 3])('come at once where the window is %d', (maxInFlight) => {
    const { acks, told } = queue(1, maxInFlight);
    for (const cursor of ['c1', 'c2', 'c3']) acks.done(cursor);
    expect(told).toEqual(['c1', 'c2', 'c3']);
  });
});
