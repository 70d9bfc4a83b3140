// The judgement of the fault programme can fail: for each of its counts one case in which it counts and one in which it
// must not.
import { describe, expect, it } from 'vitest';
import type { Happening, StageConsumer, Verdict } from '../faults/contract.ts';
import {
  judge as judgeInSteps,
  type ConsumerEvidence,
  type DeclaredGap,
  type Evidence,
  type Given,
} from '../faults/oracle.ts';
import { itemsPerStep } from '../faults/slices.ts';
import { atOnce } from '../support/at-once.ts';

const judge = (all: Evidence): Verdict => atOnce(judgeInSteps(all));

const at = (n: number) => 1_000_000 + n * 1_000;
const happening = (n: number, topic = 0): Happening => ({ n, topic, at: at(n), messageIds: [`m${n}`] });
const logged = (n: number, topic = 0, seq = n) => ({ n, topic, id: `m${n}`, seq });
const gap = (more: Partial<DeclaredGap> = {}): DeclaredGap => ({
  id: 'gap',
  cause: 'upstream_reconnect',
  topics: [0],
  from: at(2) - 500,
  to: at(2) + 500,
  isOwn: false,
  eventIds: [],
  ...more,
});
const given = (n: number, more: Partial<Given> = {}): Given => ({
  n,
  topic: 0,
  seq: n,
  attempt: 1,
  accepted: true,
  connection: 1,
  resumedAt: 0,
  ...more,
});
const someone = (via: StageConsumer['via'] = 'relay.v1', topics = [0]): StageConsumer => ({
  name: 'somebody',
  via,
  topics: new Set(topics),
});
const consumer = (more: Partial<ConsumerEvidence> = {}): ConsumerEvidence => ({
  consumer: someone(),
  given: [1, 2, 3].map((n) => given(n)),
  gaps: [],
  earlier: new Map(),
  ...more,
});

/** Three happenings of one topic, all logged; the fault was there around the second. */
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  fault: { from: at(2) - 500, to: at(2) + 500, mayLose: true, topics: null },
  keepaliveMs: 2_000,
  happenings: [1, 2, 3].map((n) => happening(n)),
  log: [1, 2, 3].map((n) => logged(n)),
  gaps: [],
  consumers: [consumer()],
  ...more,
});

const wrongs = ({ lost, undeclared, unmarkedDuplicates, disordered, tooWide }: Verdict) => ({
  lost,
  undeclared,
  unmarkedDuplicates,
  disordered,
  tooWide,
});
const clean = { lost: 0, undeclared: 0, unmarkedDuplicates: 0, disordered: 0, tooWide: 0 };
const verdictOf = (more: Partial<Evidence>) => wrongs(judge(evidence(more)));
const given3 = (...list: readonly Given[]) => ({ consumers: [consumer({ given: list })] });

it('finds nothing where all is well', () => {
  expect(judge(evidence())).toMatchObject({
    ...clean,
    sent: 3,
    logged: 3,
    markedDuplicates: 0,
    gaps: 0,
    findings: [],
  });
});

describe('undeclared', () => {
  const missing = { log: [logged(1), logged(3)], consumers: [consumer({ given: [given(1), given(3)] })] };
  const told = { gaps: [gap()], consumers: [consumer({ given: [given(1), given(3)], gaps: [gap()] })] };

  it('counts what is neither in the log nor in a gap', () => {
    expect(verdictOf(missing)).toEqual({ ...clean, undeclared: 1 });
  });

  it('does not count what a gap of its topic covers', () => {
    expect(verdictOf({ ...missing, ...told })).toEqual(clean);
  });

  it('counts it when the gap is of another topic, or another time, or of one consumer alone', () => {
    const others = [
      gap({ topics: [1] }),
      gap({ from: at(2) + 1, to: at(2) + 2 }),
      gap({ isOwn: true, cause: 'retention' }),
    ];
    for (const other of others) {
      const consumers = [consumer({ given: [given(1), given(3)], gaps: [other] })];
      expect(verdictOf({ ...missing, gaps: [other], consumers })).toEqual({ ...clean, undeclared: 1 });
    }
  });
});

describe('lost', () => {
  const without2 = [given(1), given(3)];

  it('counts what is in the log, owed, and was not given', () => {
    expect(verdictOf(given3(...without2))).toEqual({ ...clean, lost: 1 });
  });

  it('does not count what is not owed', () => {
    const other = consumer({ consumer: someone('plain', [1]), given: [] });
    expect(verdictOf({ consumers: [other] })).toEqual(clean);
  });

  it('counts a request that was not accepted, and not one that was in the end', () => {
    const refused = given(2, { accepted: false });
    expect(verdictOf(given3(given(1), refused, given(3)))).toEqual({ ...clean, lost: 1 });
    expect(verdictOf(given3(given(1), refused, given(2, { attempt: 2 }), given(3)))).toEqual(clean);
  });

  it("does not count what a gap of the consumer's own covers, by time or by id", () => {
    const own = { isOwn: true, cause: 'delivery_failed' };
    for (const excuse of [gap(own), gap({ ...own, from: 0, to: 0, eventIds: ['m2'] })])
      expect(verdictOf({ consumers: [consumer({ given: without2, gaps: [excuse] })] })).toEqual(clean);
    const wrong = gap({ ...own, eventIds: ['m3'] });
    expect(verdictOf({ consumers: [consumer({ given: without2, gaps: [wrong] })] })).toEqual({
      ...clean,
      lost: 1,
    });
  });

  it('counts a gap that the consumer was not told of', () => {
    expect(verdictOf({ gaps: [gap()] })).toEqual({ ...clean, lost: 1 });
    expect(verdictOf({ gaps: [gap()], consumers: [consumer({ gaps: [gap()] })] })).toEqual(clean);
  });

  it('counts what came with another text', () => {
    expect(verdictOf(given3(given(1), given(2, { isFaithful: false }), given(3)))).toEqual({
      ...clean,
      lost: 1,
    });
    expect(verdictOf(given3(given(1), given(2, { isFaithful: true }), given(3)))).toEqual(clean);
  });

  it('asks for a topic of a time only inside that time', () => {
    const during = new Map([[0, [{ from: at(3) - 1, to: at(3) + 1 }]]]);
    expect(verdictOf({ consumers: [consumer({ given: [given(3)], during })] })).toEqual(clean);
    const others = [consumer(), consumer({ consumer: someone('plain', [1]) })];
    for (const other of others) {
      const without3 = { ...other, given: [given(2)], during };
      expect(verdictOf({ consumers: [without3] })).toEqual({ ...clean, lost: 1 });
    }
  });
});

describe('unmarked duplicates', () => {
  const again = (
    second: Partial<Given>,
    via: StageConsumer['via'] = 'relay.v1',
    first: Partial<Given> = {},
  ) => ({
    consumers: [
      consumer({
        consumer: someone(via),
        given: [given(1, first), given(2, first), given(2, { ...first, ...second }), given(3, first)],
      }),
    ],
  });

  it('counts a repetition under the same attempt, and not under a raised one', () => {
    for (const via of ['relay.v1', 'webhook'] as const) {
      expect(verdictOf(again({ connection: 2 }, via))).toEqual({ ...clean, unmarkedDuplicates: 1 });
      const marked = judge(evidence(again({ attempt: 2, connection: 2 }, via)));
      expect(wrongs(marked)).toEqual(clean);
      expect(marked.markedDuplicates).toBe(1);
    }
  });

  it('without attempts counts it unless the consumer asked from before it on another connection', () => {
    const noAttempt = { attempt: null };
    for (const via of ['plain', 'pull'] as const) {
      expect(verdictOf(again({ connection: 2, resumedAt: 1 }, via, noAttempt))).toEqual(clean);
      const not = [
        { connection: 2, resumedAt: 2 },
        { connection: 2, resumedAt: null },
        { connection: 1, resumedAt: 1 },
      ];
      for (const second of not)
        expect(verdictOf(again(second, via, noAttempt))).toEqual({ ...clean, unmarkedDuplicates: 1 });
    }
  });

  it('remembers what was given before', () => {
    const earlier = new Map([[0, { attempt: 1, connection: 1 }]]);
    const old = given(0, { seq: 0 });
    const with0 = (more: Partial<Given>) => ({
      consumers: [consumer({ earlier, given: [given(1), { ...old, ...more }, given(2), given(3)] })],
    });
    expect(verdictOf(with0({}))).toEqual({ ...clean, unmarkedDuplicates: 1 });
    expect(verdictOf(with0({ attempt: 2 }))).toEqual(clean);
  });

  it('counts a happening that is in the log twice', () => {
    const twice = [logged(1), logged(2), { ...logged(2), id: 'other', seq: 9 }, logged(3)];
    expect(verdictOf({ log: twice })).toEqual({ ...clean, unmarkedDuplicates: 1 });
  });
});

describe('disordered', () => {
  it('counts an event behind a later one of its topic', () => {
    expect(verdictOf(given3(given(1), given(3), given(2)))).toEqual({ ...clean, disordered: 1 });
  });

  it('does not count topics against one another, nor a repetition', () => {
    const happenings = [happening(1), happening(2, 1), happening(3)];
    const log = [logged(1), logged(2, 1), logged(3)];
    const both = consumer({
      consumer: someone('relay.v1', [0, 1]),
      given: [given(1), given(3), given(2, { topic: 1 })],
    });
    expect(verdictOf({ happenings, log, consumers: [both] })).toEqual(clean);
    expect(verdictOf(given3(given(1), given(2), given(3), given(2, { attempt: 2 })))).toEqual(clean);
  });
});

describe('too wide', () => {
  const with1 = (declared: DeclaredGap, fault: Partial<Evidence['fault']> = {}) => ({
    fault: { ...evidence().fault, ...fault },
    gaps: [declared],
    consumers: [consumer({ gaps: [declared] })],
  });

  it('does not count a gap around the fault, by a keepalive window and two seconds', () => {
    expect(verdictOf(with1(gap({ from: at(2) - 4_499, to: at(2) + 4_499 })))).toEqual(clean);
  });

  it('counts one that reaches further, on either side', () => {
    for (const wide of [gap({ from: at(2) - 4_501 }), gap({ to: at(2) + 4_501 })])
      expect(verdictOf(with1(wide))).toEqual({ ...clean, tooWide: 1 });
  });

  it('counts any gap where nothing could be missed, or about topics that were not concerned', () => {
    expect(verdictOf(with1(gap(), { mayLose: false }))).toEqual({ ...clean, tooWide: 1 });
    expect(verdictOf(with1(gap(), { topics: new Set([1]) }))).toEqual({ ...clean, tooWide: 1 });
    expect(verdictOf(with1(gap(), { topics: new Set([0]) }))).toEqual(clean);
  });
});

describe('in steps', () => {
  it('looks at no more between two of them than takes a moment, however long the stretch', () => {
    const count = 20 * itemsPerStep;
    let looked = 0;
    const watched = <T extends { n: number }>(of: (n: number) => T): T[] =>
      Array.from({ length: count }, (_, n) =>
        Object.defineProperty(of(n), 'n', {
          get() {
            looked += 1;
            return n;
          },
        }),
      );
    const consumers = [1, 2].map(() => consumer({ given: watched((n) => given(n)) }));
    const happenings = watched((n) => happening(n));
    const log = watched((n) => logged(n));
    const steps = judgeInSteps(evidence({ happenings, log, consumers }));
    let most = 0;
    for (;;) {
      const before = looked;
      const step = steps.next();
      most = Math.max(most, looked - before);
      if (!step.done) continue;
      expect(wrongs(step.value)).toEqual(clean);
      break;
    }
    expect(looked).toBeGreaterThan(6 * count);
    expect(most).toBeLessThan(8 * itemsPerStep);
  });
});
