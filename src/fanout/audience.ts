// Who wants what, over which way: service to filter, topic to services, in memory, as the interests' rows said when they
// were last read. It never writes, and while it cannot know it says "wanted" rather than let something be dropped, and "unsettled" rather
// than let a reader pass what it may have to deliver.
import type { Via } from '../delivery/port.ts';
import type { RetentionClass } from '../domain/event.ts';
import { retentionClassOf } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';
import { deferred } from '../runtime/deferred.ts';
import type { InterestRow, InterestSource } from './port.ts';

interface Wish {
  createdSeq: number;
  readonly type: string;
}

/** Topic id to wish. */
type Wishes = Map<string, Wish>;

/** The wishes of a service by the way over which it made them, and all of them together. */
type WishesByWay = ReadonlyMap<string, ReadonlyMap<string, Wish>>;

interface ServiceEntry {
  readonly ways: WishesByWay;
  /** Raised whenever the wishes change, never used again: part of every filter's key. */
  readonly version: number;
  /** One filter per way and set of types that somebody asked for. */
  readonly filters: Map<string, Filter>;
}

/** Names of ways; an endpoint's is its id, so neither of these can be one. */
const sockets = 'websocket';
const anyWay = 'any';
const nothing: ReadonlyMap<string, Wish> = new Map();

const wayOf = (via: Via): string => (typeof via === 'string' ? via : via.endpointId);

/** A pending reload that later calls may join, since it has not asked the database yet. */
interface Reload {
  services: Set<string> | 'all';
  readonly done: Promise<void>;
}

/** Clients choose `types` freely; beyond so many filters per service the cache starts anew. */
const maxFiltersPerService = 1_024;
const nobody: ReadonlySet<string> = new Set();

export class Audience {
  readonly #source: InterestSource;
  readonly #services = new Map<string, ServiceEntry>();
  readonly #servicesOfTopic = new Map<string, Set<string>>();
  readonly #listeners = new Set<(serviceAccountIds: readonly string[]) => void>();
  /** For each filter, the lowest createdSeq of its topics per class: nothing before it can be missing. */
  readonly #since = new WeakMap<Filter, Readonly<Record<RetentionClass, number>>>();
  /** The changes of a service under way, and the reads that they asked for; each settles, none rejects. */
  readonly #changing = new Map<string, Set<Promise<void>>>();
  #version = 0;
  #stale = true;
  /** Resolved by the read that ends the present ignorance. */
  #known = deferred<void>();
  #running: Promise<unknown> = Promise.resolve();
  #next: Reload | undefined;

  constructor(source: InterestSource) {
    this.#source = source;
  }

  /**
   * Reads the interests again, all or those of the given services; what was committed before the call is in effect when
   * this resolves. A request that changes interests waits for it before it answers. Rejects while the database is away;
   * then everything counts as wanted, and everybody as unsettled, until a later call, which reads all, succeeds.
   */
  reload(serviceAccountIds?: readonly string[]): Promise<void> {
    const next = (this.#next ??= this.#schedule());
    if (!serviceAccountIds) next.services = 'all';
    else if (next.services !== 'all') for (const id of serviceAccountIds) next.services.add(id);
    for (const id of serviceAccountIds ?? []) this.#expect(id, next.done);
    return next.done;
  }

  /** Whether the last read succeeded. */
  get isKnown(): boolean {
    return !this.#stale;
  }

  /**
   * Set while the service's interests may be others than the filter says: a reader that went on with it could pass
   * over events for good. Settles, never rejects, when it is worth asking again.
   */
  unsettled(serviceAccountId: string): Promise<void> | undefined {
    if (this.#stale) return this.#known.promise;
    const [first] = this.#changing.get(serviceAccountId) ?? [];
    return first;
  }

  /**
   * While `work` changes the service's interests, nobody reads on for it: what the log takes in between the wish's own
   * start and its effect would be passed over, and found again behind later events by whoever goes back. `work` ends with
   * its `reload` asked for; what fails may have been committed all the same, so then it is asked for here.
   */
  async whileChanging<T>(serviceAccountId: string, work: () => Promise<T>): Promise<T> {
    const over = deferred<void>();
    this.#expect(serviceAccountId, over.promise);
    try {
      return await work();
    } catch (error) {
      void this.reload([serviceAccountId]).catch(() => undefined);
      throw error;
    } finally {
      over.resolve();
    }
  }

  /** Whether anybody wants the topic. True as long as that is not known. */
  isWanted(topicId: string): boolean {
    return this.#stale || this.#servicesOfTopic.has(topicId);
  }

  servicesOf(topicId: string): ReadonlySet<string> {
    return this.#servicesOfTopic.get(topicId) ?? nobody;
  }

  /** The same object until the service's interests change; a service without any gets what is for it alone. */
  filter(serviceAccountId: string, types: readonly string[] | null, via: Via = 'websocket'): Filter {
    const entry = this.#services.get(serviceAccountId) ?? this.#enter(serviceAccountId, new Map());
    const way = wayOf(via);
    const key = types ? `${way}/${JSON.stringify([...new Set(types)].toSorted())}` : way;
    const known = entry.filters.get(key);
    if (known) return known;
    if (entry.filters.size >= maxFiltersPerService) entry.filters.clear();
    const filter = this.#makeFilter(`${serviceAccountId}/${entry.version}/${key}`, {
      serviceAccountId,
      wishes: entry.ways.get(way) ?? nothing,
      types,
    });
    entry.filters.set(key, filter);
    return filter;
  }

  /**
   * The lowest createdSeq among the filter's topics of a class; Infinity when it has none. The relay's own events are
   * of class standard and any service may have been sent one, so there it is 0.
   */
  sinceOf(filter: Filter, retentionClass: RetentionClass): number {
    return this.#since.get(filter)?.[retentionClass] ?? 0;
  }

  /** Called with the services whose wishes changed. Returns the unsubscribe. */
  onChange(listener: (serviceAccountIds: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #expect(serviceAccountId: string, done: Promise<void>): void {
    const changing = this.#changing.get(serviceAccountId) ?? new Set();
    const settled = done
      .catch(() => {})
      .then(() => {
        changing.delete(settled);
        if (changing.size === 0) this.#changing.delete(serviceAccountId);
      });
    this.#changing.set(serviceAccountId, changing.add(settled));
  }

  /** One read at a time, in the order asked for: an older answer must not replace a newer one. */
  #schedule(): Reload {
    const done = this.#running.then(() => this.#load());
    this.#running = done.catch(() => {});
    return { services: new Set<string>(), done };
  }

  async #load(): Promise<void> {
    const asked = this.#next?.services ?? 'all';
    this.#next = undefined;
    const services = this.#stale ? 'all' : asked;
    try {
      const rows = await this.#source.loadInterests(services === 'all' ? undefined : [...services]);
      this.#apply(services, rows);
      this.#stale = false;
      this.#known.resolve();
    } catch (error) {
      if (!this.#stale) this.#known = deferred();
      this.#stale = true;
      throw error;
    }
  }

  #apply(services: ReadonlySet<string> | 'all', rows: readonly InterestRow[]): void {
    const loaded = new Map<string, Map<string, Wishes>>();
    for (const id of services === 'all' ? this.#services.keys() : services) loaded.set(id, new Map());
    for (const row of rows) {
      const ways = loaded.get(row.serviceAccountId) ?? new Map<string, Wishes>();
      loaded.set(row.serviceAccountId, ways);
      addWish(ways, row.endpointId ?? sockets, row);
      addWish(ways, anyWay, row);
    }
    const changed: string[] = [];
    for (const [id, ways] of loaded) {
      const before = this.#services.get(id)?.ways;
      if (before ? sameWays(before, ways) : ways.size === 0) continue;
      this.#enter(id, ways);
      changed.push(id);
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  #enter(serviceAccountId: string, ways: WishesByWay): ServiceEntry {
    for (const topicId of this.#services.get(serviceAccountId)?.ways.get(anyWay)?.keys() ?? []) {
      const services = this.#servicesOfTopic.get(topicId);
      services?.delete(serviceAccountId);
      if (services?.size === 0) this.#servicesOfTopic.delete(topicId);
    }
    for (const topicId of ways.get(anyWay)?.keys() ?? []) {
      const services = this.#servicesOfTopic.get(topicId) ?? new Set();
      this.#servicesOfTopic.set(topicId, services.add(serviceAccountId));
    }
    const entry: ServiceEntry = { ways, version: ++this.#version, filters: new Map() };
    this.#services.set(serviceAccountId, entry);
    return entry;
  }

  #makeFilter(
    key: string,
    of: {
      serviceAccountId: string;
      wishes: ReadonlyMap<string, Wish>;
      types: readonly string[] | null;
    },
  ): Filter {
    const { serviceAccountId, wishes, types } = of;
    const since = { chat: Infinity, standard: 0 };
    for (const { type, createdSeq } of wishes.values()) {
      if (types && !types.includes(type)) continue;
      const retentionClass = retentionClassOf(type);
      since[retentionClass] = Math.min(since[retentionClass], createdSeq);
    }
    const filter: Filter = {
      key,
      serviceAccountId,
      topics: new Map([...wishes].map(([topicId, wish]) => [topicId, wish.createdSeq])),
      types: types && new Set(types),
    };
    this.#since.set(filter, since);
    return filter;
  }
}

function addWish(ways: Map<string, Wishes>, way: string, row: InterestRow): void {
  const wishes: Wishes = ways.get(way) ?? new Map<string, Wish>();
  ways.set(way, wishes);
  const wish = wishes.get(row.topicId);
  if (wish) wish.createdSeq = Math.min(wish.createdSeq, row.createdSeq);
  else wishes.set(row.topicId, { createdSeq: row.createdSeq, type: row.type });
}

const sameWays = (a: WishesByWay, b: WishesByWay): boolean =>
  a.size === b.size && [...a].every(([way, wishes]) => sameWishes(wishes, b.get(way) ?? nothing));

function sameWishes(a: ReadonlyMap<string, Wish>, b: ReadonlyMap<string, Wish>): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, wish] of a) {
    const other = b.get(topicId);
    if (other?.createdSeq !== wish.createdSeq || other.type !== wish.type) return false;
  }
  return true;
}
