// What two relays saw of one stream becomes one log: each happening once, in order; in doubt twice, and never not at all.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlap, payloadOf, stampToleranceMs, type Sighting } from '../../src/upstream/overlap.ts';

const seen = (id: string, sentAt: number, payload: string): Sighting => ({ id, sentAt, payload });
const never = () => false;
const nothingCovered = Number.NEGATIVE_INFINITY;

describe('payloadOf', () => {
  it('leaves the subscription out and does not care for the order of members', () => {
    const one = '"subscription":{"id":"1"},"event":{"a":1,"b":{"c":[1,2],"d":null}}';
    const two = '"event":{"b":{"d":null,"c":[1,2]},"a":1},"subscription":{"id":"2"}';
    expect(payloadOf(one)).toBe(payloadOf(two));
    expect(payloadOf(one)).not.toBe(payloadOf(one.replace('[1,2]', '[2,1]')));
  });

  it('keeps an inner subscription, and members that are called as a prototype is', () => {
    expect(payloadOf('"event":{"subscription":1}')).not.toBe(payloadOf('"event":{"subscription":2}'));
    expect(payloadOf('"event":{"__proto__":1}')).not.toBe(payloadOf('"event":{"__proto__":2}'));
  });

  it('of what cannot be read is what it was', () => {
    expect(payloadOf('"event":{')).toBe('"event":{');
  });
});

describe('overlap', () => {
  it('finds the same message id and the same happening under another id', () => {
    const { repeated, open } = overlap({
      logged: [seen('a', 0, 'x'), seen('b', 10, 'y'), seen('c', 20, 'z')],
      held: [seen('a', 0, 'x'), seen('b2', 12, 'y'), seen('d', 30, 'w')],
      missed: never,
      coveredUntil: nothingCovered,
    });
    expect([...repeated].toSorted()).toEqual(['a', 'b2']);
    expect(open.map(({ id }) => id)).toEqual(['c']);
  });

  it('does not believe in twins whose stamps are far apart', () => {
    const { repeated } = overlap({
      logged: [seen('a', 0, 'x')],
      held: [seen('a2', stampToleranceMs + 1, 'x')],
      missed: never,
      coveredUntil: nothingCovered,
    });
    expect(repeated.size).toBe(0);
  });

  it('keeps both when either could be meant', () => {
    const { repeated } = overlap({
      logged: [seen('a', 1_000, 'x')],
      held: [seen('b', 500, 'x'), seen('c', 1_500, 'x')],
      missed: never,
      coveredUntil: nothingCovered,
    });
    expect(repeated.size).toBe(0);
  });

  it('keeps one that resembles a record which the stand-by cannot have seen', () => {
    const { repeated } = overlap({
      logged: [seen('a', 1_000, 'x')],
      held: [seen('b', 1_500, 'x')],
      missed: (at) => at < 1_200,
      coveredUntil: nothingCovered,
    });
    expect(repeated.size).toBe(0);
  });

  it('leaves out what the predecessor has recorded as covered, whatever it looks like', () => {
    const { repeated } = overlap({
      logged: [],
      held: [seen('old', 1_000, 'x'), seen('new', 9_000, 'x')],
      missed: never,
      coveredUntil: 1_000 + stampToleranceMs + 1,
    });
    expect([...repeated]).toEqual(['old']);
  });

  interface Happening {
    readonly at: number;
    readonly payload: string;
  }
  const stream = fc
    .array(fc.record({ step: fc.nat(2_000), payload: fc.constantFrom('x', 'y', 'z', 'unique') }), {
      minLength: 1,
      maxLength: 40,
    })
    .map((steps) => {
      let at = 0;
      return steps.map(({ step, payload }, index): Happening => {
        at += step;
        return { at, payload: payload === 'unique' ? `unique ${index}` : payload };
      });
    });
  const story = stream.chain((happenings) =>
    fc.record({
      happenings: fc.constant(happenings),
      beginning: fc.nat(happenings.length - 1),
      ending: fc.nat(happenings.length),
      jitter: fc.array(fc.integer({ min: -200, max: 200 }), { minLength: 80, maxLength: 80 }),
    }),
  );

  /** The log after the take-over, as indexes of happenings. */
  function union(
    { happenings, beginning, ending }: { happenings: Happening[]; beginning: number; ending: number },
    stamp: (index: number, by: 0 | 1) => number,
  ): number[] {
    const begunAt = happenings[beginning]?.at ?? 0;
    const one = (index: number, by: 0 | 1) =>
      seen(`${by} ${index}`, stamp(index, by), happenings[index]?.payload ?? '');
    const indexes = happenings.map((_, index) => index);
    const logged = indexes.slice(0, ending).map((index) => one(index, 0));
    const held = indexes.slice(beginning).map((index) => one(index, 1));
    const { repeated } = overlap({
      logged,
      held,
      // The stand-by's beginning is known by the clock; stamps may differ from it by as much as they jitter.
      missed: (at) => at < begunAt + 200,
      coveredUntil: nothingCovered,
    });
    const appended = held.filter(({ id }) => !repeated.has(id));
    return [...logged, ...appended].map(({ id }) => Number(id.split(' ')[1]));
  }

  it('never loses a happening, whatever is alike and however stamps jitter', () => {
    fc.assert(
      fc.property(story, ({ jitter, ...told }) => {
        const log = union(
          told,
          (index, by) => (told.happenings[index]?.at ?? 0) + (jitter[index * 2 + by] ?? 0),
        );
        // By what happened, since two that are alike cannot be told apart by anybody.
        const count = (payload: string, indexes: readonly number[]) =>
          indexes.filter((index) => told.happenings[index]?.payload === payload).length;
        const all = told.happenings.map((_, index) => index);
        const expected = all.slice(0, told.ending).concat(all.slice(Math.max(told.beginning, told.ending)));
        for (const { payload } of told.happenings)
          expect(count(payload, log)).toBeGreaterThanOrEqual(count(payload, expected));
      }),
      { numRuns: 500 },
    );
  });

  it('has each happening once, in order, where stamps tell those apart that are alike', () => {
    fc.assert(
      fc.property(story, ({ happenings, beginning, ending }) => {
        const spread = happenings.map(({ payload, at }, index) => ({ payload, at: at + index * 1_000 }));
        const begins = Math.min(beginning, Math.max(0, ending - 1));
        const log = union(
          { happenings: spread, beginning: begins, ending },
          (index) => spread[index]?.at ?? 0,
        );
        const expected = spread.map((_, index) => index);
        // What the stand-by saw in the moment of its beginning is ambiguous, and kept.
        const edge = spread[begins]?.at ?? 0;
        const certain = log.filter(
          (index, place) => log.indexOf(index) === place || (spread[index]?.at ?? 0) >= edge + 200,
        );
        expect(certain).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});
