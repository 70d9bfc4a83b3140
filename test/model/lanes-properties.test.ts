// The lanes against a model so plain that it is plainly right, over any sequence of calls; and a whole endpoint played
// through on a clock of its own: nothing is lost, nothing starves, no lane is held up for more than its minute.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockBudgetMs, Lanes, type BlockKey, type LaneItem } from '../../src/delivery/webhooks/lanes.ts';
import type { LaneOrder } from '../../src/domain/endpoint.ts';

const start = 1_000_000;
const laneNames = ['a', 'b', 'c', 'd'] as const;

interface Item extends LaneItem {
  readonly lane: string;
}

const same = (a: BlockKey, b: BlockKey): boolean => a.seq === b.seq && a.run === b.run;

/** One lane of the model: lists, and every question answered by looking at all of them. */
class PlainLane {
  returned: Item[] = [];
  retries: Item[] = [];
  fresh: Item[] = [];
  flying: Item[] = [];
  block: { key: BlockKey; until: number } | undefined;

  /** What would leave at `now`. */
  head(order: LaneOrder, now: number): Item | undefined {
    if (order === 'broadcaster' && this.flying.length > 0) return undefined;
    const all = [...this.returned, ...this.retries, ...this.fresh];
    const { block } = this;
    const blocker = block && all.find((item) => same(item.key, block.key));
    if (blocker) return blocker;
    return block && now < block.until ? undefined : all[0];
  }

  take(item: Item): void {
    if (this.block && !same(this.block.key, item.key)) this.block = undefined;
    for (const list of [this.returned, this.retries, this.fresh]) {
      const index = list.indexOf(item);
      if (index >= 0) list.splice(index, 1);
    }
    this.flying.push(item);
  }
}

const bySeq = (a: Item, b: Item): number => a.seq - b.seq;

const aLane = fc.constantFrom(...laneNames);
const anOp = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), lane: aLane }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retry' as const), lane: aLane, seq: fc.nat(50) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('next' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('done' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('putBack' as const), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('block' as const),
      lane: aLane,
      pick: fc.nat(),
      forMs: fc.integer({ min: -5, max: 60 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('unblock' as const), lane: aLane, exact: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), openMs: fc.nat(50) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('order' as const),
      order: fc.constantFrom('broadcaster', 'none'),
    }),
  },
);
type Op = typeof anOp extends fc.Arbitrary<infer T> ? T : never;

/** Both of them, told the same. */
class Pair {
  readonly lanes = new Lanes<Item>('broadcaster');
  readonly plain = new Map<string, PlainLane>(laneNames.map((name) => [name, new PlainLane()]));
  order: LaneOrder = 'broadcaster';
  now = start;
  seq = 1000;
  run = 0;
  /** How often another lane's item left while this lane's could have. */
  readonly passedOver = new Map<string, number>();
  openedAt = start;

  lane(name: string): PlainLane {
    const lane = this.plain.get(name);
    if (!lane) throw new Error(`no lane ${name}`);
    return lane;
  }

  flying(pick: number): Item | undefined {
    const all = [...this.plain.values()].flatMap((lane) => lane.flying);
    return all[pick % Math.max(1, all.length)];
  }

  /** Those that may leave by the model. */
  ready(): string[] {
    return laneNames.filter((name) => this.lane(name).head(this.order, this.now));
  }

  step(op: Op): void {
    perform[op.do](this, op as never);
    const waiting = [...this.plain.values()].flatMap(({ returned, retries, fresh }) => [
      ...returned,
      ...retries,
      ...fresh,
    ]);
    expect(this.lanes.size).toBe(waiting.length);
    const ready = new Set(this.ready());
    for (const name of laneNames) if (!ready.has(name)) this.passedOver.delete(name);
  }

  next(): Item | undefined {
    const ready = this.ready();
    const given = this.lanes.next(this.now);
    if (!given) {
      expect(ready).toEqual([]);
      return undefined;
    }
    expect(given.lane).toBe(given.item.lane);
    expect(given.item).toBe(this.lane(given.lane).head(this.order, this.now));
    this.lane(given.lane).take(given.item);
    for (const name of ready) {
      const passed = name === given.lane ? 0 : (this.passedOver.get(name) ?? 0) + 1;
      expect(passed).toBeLessThan(laneNames.length);
      this.passedOver.set(name, passed);
    }
    return given.item;
  }

  end(item: Item): void {
    const { flying } = this.lane(item.lane);
    flying.splice(flying.indexOf(item), 1);
  }
}

type OpOf<K extends Op['do']> = Extract<Op, { do: K }>;

const perform: { [K in Op['do']]: (pair: Pair, op: OpOf<K>) => void } = {
  add(pair, { lane }) {
    const seq = ++pair.seq;
    const item = { lane, seq, attempt: 1, key: { seq, run: '' } };
    pair.lanes.add(lane, item);
    pair.lane(lane).fresh.push(item);
  },
  retry(pair, { lane, seq }) {
    const found = pair.lane(lane);
    const isBlockerDue = found.block && ![...found.flying, ...found.retries].some((one) => one.seq === seq);
    // Half of the time the very delivery that is waited for, if there is one that is not here.
    const blocker = isBlockerDue && seq % 2 === 0 ? found.block?.key : undefined;
    const isHere = (key: BlockKey): boolean =>
      [...found.returned, ...found.retries, ...found.fresh, ...found.flying].some((one) =>
        same(one.key, key),
      );
    const key = blocker && !isHere(blocker) ? blocker : { seq, run: `run-${pair.run++}` };
    const item = { lane, seq: key.seq, attempt: 2, key };
    pair.lanes.addFirst(lane, item);
    found.retries = [...found.retries, item].toSorted(bySeq);
  },
  next: (pair) => void pair.next(),
  done(pair, { pick }) {
    const item = pair.flying(pick);
    if (!item) return pair.lanes.done('never seen');
    pair.lanes.done(item.lane);
    pair.end(item);
  },
  putBack(pair, { pick }) {
    const item = pair.flying(pick);
    if (!item) return;
    pair.lanes.putBack(item.lane, item);
    pair.end(item);
    const found = pair.lane(item.lane);
    found.returned = [...found.returned, item].toSorted(bySeq);
  },
  block(pair, { lane, pick, forMs }) {
    const found = pair.lane(lane);
    // One that is under way, as when a head failed; or one that waits; or one that is far away.
    const known = [...found.flying, ...found.retries, ...found.fresh];
    const key = known[pick % (known.length + 1)]?.key ?? { seq: 7, run: 'away' };
    pair.lanes.block(lane, key, pair.now + forMs);
    if (pair.order === 'none') return;
    unblock(found);
    found.block = { key, until: pair.now + forMs };
  },
  unblock(pair, { lane, exact }) {
    const found = pair.lane(lane);
    if (exact) pair.lanes.unblock(lane, { seq: -1, run: '' });
    else {
      pair.lanes.unblock(lane);
      unblock(found);
    }
  },
  wait(pair, { ms }) {
    pair.now += ms;
  },
  close(pair, { openMs }) {
    pair.openedAt = Math.max(pair.openedAt, pair.now - openMs);
    pair.lanes.extendBlocks(pair.now, pair.openedAt);
    for (const lane of pair.plain.values()) {
      if (!lane.block) continue;
      if (lane.block.until > pair.openedAt) lane.block.until = pair.now + blockBudgetMs;
      else unblock(lane);
    }
  },
  order(pair, { order }) {
    pair.lanes.setOrder(order as LaneOrder);
    if (order === pair.order) return;
    pair.order = order as LaneOrder;
    for (const lane of pair.plain.values()) unblock(lane);
  },
};

/** What the lane waited for has become a retry, wherever it stood. */
function unblock(lane: PlainLane): void {
  const key = lane.block?.key;
  lane.block = undefined;
  if (!key) return;
  for (const list of ['returned', 'fresh'] as const) {
    const found = lane[list].find((item) => same(item.key, key));
    if (!found) continue;
    lane[list] = lane[list].filter((item) => item !== found);
    lane.retries = [...lane.retries, found].toSorted(bySeq);
  }
}

describe('lanes and their model', () => {
  it('let the same item go, at the same time, from every lane; and none is passed over for ever', () => {
    fc.assert(
      fc.property(fc.array(anOp, { maxLength: 150 }), (ops) => {
        const pair = new Pair();
        for (const op of ops) pair.step(op);
        // Whatever happened, with time and with every try ended all of it leaves.
        for (let rounds = 0; pair.lanes.size > 0; rounds++) {
          expect(rounds).toBeLessThan(2000);
          const item = pair.next() ?? pair.flying(0);
          if (item) {
            pair.lanes.done(item.lane);
            pair.end(item);
          } else {
            const at = pair.lanes.nextChangeAt();
            expect(at).toBeGreaterThan(pair.now);
            expect(at).toBeLessThan(Infinity);
            pair.now = at;
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** How a lane's tries go, and what the endpoint is like. */
interface Play {
  readonly counts: readonly number[];
  /** For each try: whether it fails, how long it takes, after how long it is due again, how long the endpoint rests. */
  readonly tries: readonly { fails: boolean; tookMs: number; dueInMs: number; restMs: number }[];
}

const aTry = fc.record({
  fails: fc.boolean(),
  tookMs: fc.integer({ min: 1, max: 20_000 }),
  dueInMs: fc.oneof(fc.constant(5000), fc.nat(70_000), fc.constant(300_000)),
  restMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(100_000) }),
});
const aPlay: fc.Arbitrary<Play> = fc.record({
  counts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
  tries: fc.array(aTry, { minLength: 1, maxLength: 60 }),
});

/** An endpoint that is played through to the end: each lane's tries go as the play has them, then succeed. */
class Played {
  readonly lanes = new Lanes<Item>('broadcaster');
  readonly delivered: Item[] = [];
  now = start;
  restUntil = 0;
  readonly #play: Play;
  #tried = 0;
  #flying: { item: Item; endsAt: number; how: Play['tries'][number] }[] = [];
  #owed: { item: Item; nextAt: number }[] = [];
  /** Per lane: how long its items waited for a failed head since the first failure after the last success. */
  readonly heldMs = new Map<string, number>();
  readonly #left: Item[] = [];

  constructor(play: Play) {
    this.#play = play;
    let seq = 0;
    for (const [lane, count] of play.counts.entries()) {
      for (let n = 0; n < count; n++) {
        const key = { seq: ++seq, run: '' };
        this.lanes.add(`${lane}`, { lane: `${lane}`, seq, attempt: 1, key });
      }
    }
  }

  get total(): number {
    return this.#play.counts.reduce((sum, count) => sum + count, 0);
  }

  run(): void {
    for (let turns = 0; this.delivered.length < this.total; turns++) {
      expect(turns).toBeLessThan(5000);
      this.#bringDue();
      if (this.restUntil <= this.now) this.#send();
      this.#wait();
    }
  }

  #bringDue(): void {
    const due = this.#owed.filter(({ nextAt }) => nextAt <= this.now);
    this.#owed = this.#owed.filter(({ nextAt }) => nextAt > this.now);
    for (const { item } of due) this.lanes.addFirst(item.lane, { ...item, attempt: item.attempt + 1 });
  }

  #send(): void {
    for (let next = this.lanes.next(this.now); next; next = this.lanes.next(this.now)) {
      const { item } = next;
      expect(this.#flying.some((other) => other.item.lane === item.lane)).toBe(false);
      // First tries leave in order, whatever was retried in between.
      const before = this.#left.filter((other) => other.lane === item.lane && item.attempt === 1);
      for (const other of before) expect(other.seq).toBeLessThan(item.seq);
      if (item.attempt === 1) this.#left.push(item);
      const how = this.#play.tries[this.#tried++] ?? { fails: false, tookMs: 10, dueInMs: 0, restMs: 0 };
      this.#flying.push({ item, endsAt: this.now + how.tookMs, how });
    }
  }

  /** To the next instant at which anything happens. What waits meanwhile and could not go is held up. */
  #wait(): void {
    const instants = [
      ...this.#flying.map(({ endsAt }) => endsAt),
      ...this.#owed.map(({ nextAt }) => nextAt),
      this.lanes.nextChangeAt(),
      this.restUntil,
    ].filter((at) => at > this.now);
    if (instants.length === 0) return;
    const until = Math.min(...instants);
    if (this.restUntil <= this.now) this.#countHeld(until - this.now);
    this.now = until;
    const ended = this.#flying.filter(({ endsAt }) => endsAt <= this.now);
    this.#flying = this.#flying.filter(({ endsAt }) => endsAt > this.now);
    for (const { item, how } of ended) this.#end(item, how);
  }

  #countHeld(ms: number): void {
    const flying = new Set(this.#flying.map(({ item }) => item.lane));
    for (const [lane, heldMs] of this.heldMs) {
      // Nothing under way and yet nothing left for it: all that waits there waits for a failed head.
      const waits = this.#firstsLeft(lane) > 0;
      if (!flying.has(lane) && waits) this.heldMs.set(lane, heldMs + ms);
    }
  }

  #firstsLeft(lane: string): number {
    const left = this.#left.filter((item) => item.lane === lane).length;
    return (this.#play.counts[Number(lane)] ?? 0) - left;
  }

  #end(item: Item, how: Play['tries'][number]): void {
    const { lane, key } = item;
    if (!how.fails) {
      this.delivered.push(item);
      this.lanes.unblock(lane, key);
      this.lanes.succeeded(lane);
      this.heldMs.delete(lane);
    } else {
      if (how.restMs > 0) this.restUntil = Math.max(this.restUntil, this.now + how.restMs);
      const nextAt = this.now + Math.max(how.dueInMs, how.restMs, 1);
      const until = this.lanes.failed(lane, this.now, nextAt, this.restUntil);
      if (until === null) this.lanes.unblock(lane, key);
      else this.lanes.block(lane, key, until);
      this.#owed.push({ item, nextAt });
      if (!this.heldMs.has(lane)) this.heldMs.set(lane, 0);
    }
    this.lanes.done(lane);
    for (const heldMs of this.heldMs.values()) expect(heldMs).toBeLessThanOrEqual(blockBudgetMs);
  }
}

describe('an endpoint played through', () => {
  it('everything arrives once, first tries in order, and no lane is held up for more than a minute', () => {
    fc.assert(
      fc.property(aPlay, (play) => {
        const played = new Played(play);
        played.run();
        expect(new Set(played.delivered.map(({ seq }) => seq)).size).toBe(played.total);
        expect(played.lanes.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('a lane that always fails holds up none but itself', () => {
    const lanes = new Lanes<Item>('broadcaster');
    for (let seq = 1; seq <= 30; seq++) {
      const lane = seq % 3 === 0 ? 'bad' : `good-${seq % 3}`;
      lanes.add(lane, { lane, seq, attempt: 1, key: { seq, run: '' } });
    }
    const good: number[] = [];
    for (let next = lanes.next(start); next; next = lanes.next(start)) {
      if (next.lane === 'bad') {
        const until = lanes.failed('bad', start, start + 5000, null);
        if (until !== null) lanes.block('bad', next.item.key, until);
      } else {
        good.push(next.item.seq);
        lanes.succeeded(next.lane);
      }
      lanes.done(next.lane);
    }
    expect(good).toHaveLength(20);
    expect(lanes.size).toBe(9);
  });
});
