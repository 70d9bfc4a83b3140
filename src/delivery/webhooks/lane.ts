// One lane of an endpoint: what waits in it, in which order, and whether its failed head holds it up. Pure bookkeeping; whose
// turn it is among the lanes is decided in lanes.ts.
import { ItemQueue } from './item-queue.ts';

/** What names an owed delivery within its endpoint. */
export interface BlockKey {
  readonly seq: number;
  readonly run: string;
}

export interface LaneItem {
  readonly seq: number;
  readonly attempt: number;
  readonly key: BlockKey;
}

export interface Block {
  readonly key: BlockKey;
  readonly until: number;
}

/** How long a lane may be held up by its failing heads, all together. PROTOCOL, Webhooks, Order. */
export const blockBudgetMs = 60_000;

const sameKey = (a: BlockKey, b: BlockKey): boolean => a.seq === b.seq && a.run === b.run;

export class Lane<T extends LaneItem> {
  readonly name: string;
  /** Of a name `group/lane`; else ''. */
  readonly group: string;
  /** It stands in the row of those whose turn comes. */
  queued = false;
  inFlight = 0;
  /** Stays when its time has passed until something overtakes it: a circuit that closes brings it back. */
  block: Block | undefined;
  /** `block` is in force. */
  held = false;
  /** The item that `block` waits for, once it is here. */
  #blocker: T | undefined;
  readonly #returned = new ItemQueue<T>();
  readonly #retries = new ItemQueue<T>();
  readonly #fresh = new ItemQueue<T>();
  /** Until when this failing period may hold the lane up, and up to where rests are counted in. */
  #period: { endsAt: number; restedUntil: number } | undefined;

  constructor(name: string) {
    this.name = name;
    this.group = name.slice(0, Math.max(0, name.indexOf('/')));
  }

  get waiting(): number {
    const blocker = this.#blocker ? 1 : 0;
    return blocker + this.#returned.length + this.#retries.length + this.#fresh.length;
  }

  /** Nothing would be lost if the lane were forgotten. */
  get isIdle(): boolean {
    return this.waiting === 0 && this.inFlight === 0 && !this.block && !this.#period;
  }

  /** Nothing waits, nothing is under way, nothing is held up: all that is known is what was. */
  get isQuiet(): boolean {
    return this.waiting === 0 && this.inFlight === 0 && !this.held;
  }

  /** Something may leave, if it is left to the block alone. */
  get hasNext(): boolean {
    return this.held ? this.#blocker !== undefined : this.waiting > 0;
  }

  /** What comes next was not tried yet, and nothing that failed is waited for. */
  get isUntroubled(): boolean {
    return !this.block && this.#fresh.length > 0 && this.#fresh.length === this.waiting;
  }

  add(item: T, place: 'last' | 'retry' | 'returned'): void {
    if (this.block && !this.#blocker && sameKey(this.block.key, item.key)) this.#blocker = item;
    else if (place === 'last') this.#fresh.push(item);
    else (place === 'retry' ? this.#retries : this.#returned).insert(item);
  }

  take(): T | undefined {
    const blocker = this.#blocker;
    if (blocker) {
      this.#blocker = undefined;
      return blocker;
    }
    if (this.held) return undefined;
    // The lane goes on without it: nothing may bring this block back.
    this.block = undefined;
    return this.#returned.shift() ?? this.#retries.shift() ?? this.#fresh.shift();
  }

  hold(key: BlockKey, until: number): void {
    this.release();
    this.block = { key, until };
    this.held = true;
    const isBlocker = (item: T): boolean => sameKey(item.key, key);
    this.#blocker =
      this.#returned.take(isBlocker) ?? this.#retries.take(isBlocker) ?? this.#fresh.take(isBlocker);
  }

  /** Its item, if it is here, is now a retry among the others. */
  release(): void {
    this.block = undefined;
    this.held = false;
    if (this.#blocker) this.#retries.insert(this.#blocker);
    this.#blocker = undefined;
  }

  /**
   * A head failed: until when it may hold up the lane, or null when the budget is used up or would be before the next try.
   * Time in which the whole endpoint rests does not count.
   */
  failed(now: number, nextAt: number, restUntil: number): number | null {
    const period = (this.#period ??= { endsAt: now + blockBudgetMs, restedUntil: now });
    const restFrom = Math.max(now, period.restedUntil);
    if (restUntil > restFrom) {
      period.endsAt += restUntil - restFrom;
      period.restedUntil = restUntil;
    }
    return now < period.endsAt && nextAt < period.endsAt ? period.endsAt : null;
  }

  succeeded(): void {
    this.#period = undefined;
  }

  /** The block is in force until a whole budget from now. */
  renew(now: number): void {
    if (!this.block) return;
    this.block = { ...this.block, until: now + blockBudgetMs };
    this.held = true;
    this.#period = { endsAt: now + blockBudgetMs, restedUntil: now };
  }

  /** A clock that went back moves what is measured by it. */
  shift(byMs: number): void {
    if (this.block) this.block = { ...this.block, until: this.block.until + byMs };
    if (!this.#period) return;
    this.#period = { endsAt: this.#period.endsAt + byMs, restedUntil: this.#period.restedUntil + byMs };
  }
}
