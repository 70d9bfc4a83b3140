// The order in which one endpoint's events leave: a lane per broadcaster, one request at a time in each, the lanes in turn.
// In memory, and without a clock: `now` is passed in. It sends nothing and knows no row.
import type { LaneOrder } from '../../domain/endpoint.ts';
import { Lane, type BlockKey, type LaneItem } from './lane.ts';
import { ReadyLanes } from './ready-lanes.ts';

export { blockBudgetMs, type BlockKey, type LaneItem } from './lane.ts';

/** A failing period without end costs memory only up to here: more broadcasters than an endpoint has, some replays. */
const lanesBeforeSweep = 1_000;

export class Lanes<T extends LaneItem> {
  readonly #maxBehindBlock: number;
  #order: LaneOrder;
  readonly #lanes = new Map<string, Lane<T>>();
  /** Lanes with something that may leave. */
  readonly #ready = new ReadyLanes<Lane<T>>();
  readonly #held = new Set<Lane<T>>();
  /** The earliest end of a block in force. */
  #nextChange = Infinity;
  #size = 0;
  #lastNow = -Infinity;
  #sweepAt = lanesBeforeSweep;

  /** A block is over as soon as more than `maxBehindBlock` items wait for it: what they take up, other lanes lack. */
  constructor(order: LaneOrder, maxBehindBlock = Infinity) {
    this.#order = order;
    this.#maxBehindBlock = maxBehindBlock;
  }

  /** Items that wait. Those in flight are not among them. */
  get size(): number {
    return this.#size;
  }

  /** Lanes of which anything is known. */
  get remembered(): number {
    return this.#lanes.size;
  }

  /** Behind everything else in the lane. */
  add(lane: string, item: T): void {
    const found = this.#laneOf(lane);
    this.#put(found, item, 'last');
    this.#endCrowdedBlock(found);
  }

  /** A retry: before everything that was not sent yet, among retries by position. */
  addFirst(lane: string, item: T): void {
    this.#put(this.#laneOf(lane), item, 'retry');
  }

  /** An item that `next` gave was not sent at all: it leaves before everything else, and no longer counts as in flight. */
  putBack(lane: string, item: T): void {
    const found = this.#laneOf(lane);
    found.inFlight = Math.max(0, found.inFlight - 1);
    this.#put(found, item, 'returned');
  }

  /**
   * The next item, from then on in flight until `done` or `putBack`. The groups of lanes (`group/lane`; those without one are a
   * group too) take turns, and so do the lanes of a group that are ready.
   */
  next(now: number): { lane: string; item: T } | undefined {
    this.#observe(now);
    for (let lane = this.#ready.shift(); lane; lane = this.#ready.shift()) {
      lane.queued = false;
      const taken = this.#mayGo(lane) ? this.#take(lane) : undefined;
      if (taken) return taken;
    }
    return undefined;
  }

  /** As `next`, but only what was not tried yet, of a lane that waits for nothing that failed. Linear in the lanes. */
  nextUntroubled(): { lane: string; item: T } | undefined {
    for (const lane of this.#lanes.values())
      if (lane.isUntroubled && this.#mayGo(lane)) return this.#take(lane);
    return undefined;
  }

  /** What was in flight has ended, however it did. To be told after `block`, or the lane goes on in between. */
  done(lane: string): void {
    const found = this.#lanes.get(lane);
    if (!found) return;
    found.inFlight = Math.max(0, found.inFlight - 1);
    this.#settled(found);
  }

  /**
   * Only that very delivery may leave the lane until it is unblocked, which it must be when it ends, or `until` has come.
   * Takes the place of an earlier block.
   */
  block(lane: string, key: BlockKey, until: number): void {
    if (this.#order === 'none') return;
    const found = this.#laneOf(lane);
    found.hold(key, until);
    this.#held.add(found);
    this.#countChange();
    this.#wake(found);
    this.#endCrowdedBlock(found);
  }

  /** With a key: only if it is that delivery that blocks. */
  unblock(lane: string, key?: BlockKey): void {
    const found = this.#lanes.get(lane);
    const blocker = found?.block?.key;
    if (!found || !blocker) return;
    if (key && (key.seq !== blocker.seq || key.run !== blocker.run)) return;
    found.release();
    if (this.#held.delete(found)) this.#countChange();
    this.#settled(found);
  }

  /**
   * A try in the lane failed and is due again at `nextAt`: until when the lane is to be blocked for it, or null when it is
   * not. In all, a lane is held up for at most a minute from the first failure since its last success, whichever heads
   * fail; the time in which the whole endpoint rests (`restUntil`) comes on top. Blocks nothing by itself.
   */
  failed(lane: string, now: number, nextAt: number, restUntil: number | null): number | null {
    if (this.#order === 'none') return null;
    return this.#laneOf(lane).failed(now, nextAt, restUntil ?? 0);
  }

  /** Ends the lane's failing period. What blocks it goes on doing so until it is unblocked. */
  succeeded(lane: string): void {
    const found = this.#lanes.get(lane);
    if (!found) return;
    found.succeeded();
    this.#settled(found);
  }

  /**
   * A circuit closed that was open since `openedAt`: what blocked a lane then, or began to since, and was not overtaken does
   * so for a whole minute from now. The time in which nothing was sent did not count.
   */
  extendBlocks(now: number, openedAt: number = now): void {
    for (const lane of this.#lanes.values()) {
      if (!lane.block) continue;
      if (lane.block.until > openedAt) {
        lane.renew(now);
        this.#held.add(lane);
      } else {
        lane.release();
        this.#held.delete(lane);
        this.#settled(lane);
      }
    }
    this.#countChange();
  }

  /** When time alone will let something more leave; Infinity if it will not. */
  nextChangeAt(): number {
    return this.#nextChange;
  }

  /** With `none` nothing waits for anything, and blocks and failing periods are forgotten. */
  setOrder(order: LaneOrder): void {
    if (order === this.#order) return;
    this.#order = order;
    this.#held.clear();
    this.#countChange();
    for (const lane of this.#lanes.values()) {
      lane.release();
      lane.succeeded();
      this.#settled(lane);
    }
  }

  /** Forgets everything but what is in flight: two at a time in a lane there must not be even then. */
  clear(): void {
    const flying = [...this.#lanes.values()].filter((lane) => lane.inFlight > 0);
    this.#lanes.clear();
    this.#ready.clear();
    this.#held.clear();
    this.#countChange();
    this.#size = 0;
    for (const { name, inFlight } of flying) this.#laneOf(name).inFlight = inFlight;
  }

  #laneOf(name: string): Lane<T> {
    const known = this.#lanes.get(name);
    if (known) return known;
    if (this.#lanes.size >= this.#sweepAt) this.#sweep();
    const lane = new Lane<T>(name);
    this.#lanes.set(name, lane);
    return lane;
  }

  /** The lanes of a replay whose deliveries all failed would stay for ever. What they lose is that they had failed. */
  #sweep(): void {
    for (const lane of this.#lanes.values()) if (lane.isQuiet) this.#lanes.delete(lane.name);
    this.#sweepAt = Math.max(lanesBeforeSweep, 2 * this.#lanes.size);
  }

  #put(lane: Lane<T>, item: T, place: 'last' | 'retry' | 'returned'): void {
    lane.add(item, place);
    this.#size++;
    this.#wake(lane);
  }

  #take(lane: Lane<T>): { lane: string; item: T } | undefined {
    const item = lane.take();
    if (!item) return undefined;
    lane.inFlight++;
    this.#size--;
    this.#wake(lane);
    return { lane: lane.name, item };
  }

  #mayGo(lane: Lane<T>): boolean {
    return lane.hasNext && (this.#order === 'none' || lane.inFlight === 0);
  }

  #wake(lane: Lane<T>): void {
    if (lane.queued || !this.#mayGo(lane)) return;
    lane.queued = true;
    this.#ready.push(lane);
  }

  #settled(lane: Lane<T>): void {
    this.#wake(lane);
    if (lane.isIdle) this.#lanes.delete(lane.name);
  }

  #countChange(): void {
    this.#nextChange = Infinity;
    for (const { block } of this.#held) this.#nextChange = Math.min(this.#nextChange, block?.until ?? 0);
  }

  /**
   * Lets go what has waited long enough, and takes what is measured by the clock along when that goes back. Only for a fresh
   * `now`: that of a try which ended a while ago would look like such a clock.
   */
  #observe(now: number): void {
    if (now < this.#lastNow) {
      for (const lane of this.#lanes.values()) lane.shift(now - this.#lastNow);
      this.#countChange();
    }
    this.#lastNow = now;
    if (now < this.#nextChange) return;
    for (const lane of this.#held) {
      if (!lane.block || now >= lane.block.until) this.#letGo(lane);
    }
    this.#countChange();
  }

  #endCrowdedBlock(lane: Lane<T>): void {
    if (!lane.held || lane.waiting <= this.#maxBehindBlock) return;
    this.#letGo(lane);
    this.#countChange();
  }

  #letGo(lane: Lane<T>): void {
    lane.held = false;
    this.#held.delete(lane);
    this.#wake(lane);
  }
}
