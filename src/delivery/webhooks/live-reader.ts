// One endpoint's way along the log: reads while the window has room, and passes over what the retry set owes. What retention
// took before it was read is declared before the position moves past it.
import type { Filter } from '../../domain/filter.ts';
import { LogWalk } from '../log-walk.ts';
import type { OutRecord, ReadResult } from '../port.ts';
import type { WebhookContext } from './context.ts';
import { maxUnsettled } from './delivery-book.ts';
import type { DeliveryBook } from './delivery-book.ts';
import type { EndpointRow, OpenedEndpoint } from './ports.ts';
import type { ServiceEvents } from './service-events.ts';

/** One read, and the room that it waits for: not a read for every settled event. */
const perRead = 256;

export interface LiveReaderDeps {
  readonly context: Pick<WebhookContext, 'feed' | 'clock' | 'observer' | 'longestRetentionMs'>;
  readonly book: DeliveryBook;
  readonly events: ServiceEvents;
  /** Read again, by and by. */
  readonly ask: () => void;
  /** The cursor may have moved. */
  readonly moved: () => void;
}

export class LiveReader {
  readonly #deps: LiveReaderDeps;
  readonly #endpoint: Pick<EndpointRow, 'id' | 'serviceAccountId'>;
  readonly #start: OpenedEndpoint;
  /** Parked before the start: owed by the retry set. */
  readonly #parked: Set<number>;
  readonly #walk: LogWalk<ReadResult>;
  /** Everything up to here is read. */
  #position: number;
  #lossKnownTo = 0;
  #isDeclaring = false;
  /** Bounds of when anything lost was received: after the last event that was read, and one retention before that read. */
  #lastReceivedAt = 0;
  #lastWholeAt: number;
  /** The same for what is behind the cursor. */
  #wholeAt: number;

  constructor(
    deps: LiveReaderDeps,
    row: EndpointRow,
    start: OpenedEndpoint & { readonly parked: readonly number[] },
  ) {
    const { feed, clock, observer } = deps.context;
    this.#deps = deps;
    this.#endpoint = row;
    this.#start = start;
    this.#parked = new Set(start.parked);
    this.#position = start.ackedSeq;
    this.#lastWholeAt = start.wholeAt;
    this.#wholeAt = start.wholeAt;
    const lossKnownTo = () => this.#lossKnownTo;
    const walkDeps = {
      feed,
      clock,
      get lossKnownTo() {
        return lossKnownTo();
      },
      ask: deps.ask,
      failed: (error: unknown) => observer.failed?.('read', error),
    };
    this.#walk = new LogWalk(
      walkDeps,
      (_after, result) => this.#apply(result),
      (floor) => void this.#overtaken(floor),
    );
  }

  /** One read, if there is room for it. */
  read(): void {
    const { feed } = this.#deps.context;
    const after = this.#position;
    const room = maxUnsettled - this.#deps.book.window.size;
    if (this.#isDeclaring || room < perRead || after >= feed.head()) return;
    const filter = this.#filter();
    this.#walk.read(after, filter, () => feed.read(after, filter, perRead));
  }

  end(): void {
    this.#walk.end();
  }

  /**
   * When nothing behind the cursor was known to be removed from the log yet. Not simply now: after a loss that was found and
   * not declared yet, the next process has to know how far back it may reach.
   */
  wholeAt(): number {
    const { feed, clock } = this.#deps.context;
    if (feed.floorFor(this.#filter()) <= this.#deps.book.window.low()) this.#wholeAt = clock.now();
    return this.#wholeAt;
  }

  #filter(): Filter {
    const { id: endpointId, serviceAccountId } = this.#endpoint;
    return this.#deps.context.feed.filter(serviceAccountId, null, { endpointId });
  }

  #apply({ records, through }: ReadResult): void {
    const { book, context } = this.#deps;
    for (const record of records) if (!this.#parked.delete(record.seq)) this.#add(record);
    this.#lastReceivedAt = records.at(-1)?.receivedAt ?? this.#lastReceivedAt;
    this.#lastWholeAt = context.clock.now();
    if (through <= this.#position) return;
    this.#position = through;
    book.window.through(through);
    this.#deps.moved();
    this.#deps.ask();
  }

  #add(record: OutRecord): void {
    const { mark, attempt } = this.#start;
    this.#deps.book.addLive(record, record.seq <= mark ? attempt : 1);
  }

  async #overtaken(floor: number): Promise<void> {
    const { feed, clock, longestRetentionMs } = this.#deps.context;
    this.#isDeclaring = true;
    const filter = this.#filter();
    // What is gone was in the log, unread, at the last read that missed nothing.
    const from = Math.max(0, this.#lastReceivedAt, this.#lastWholeAt - longestRetentionMs);
    const to = (await this.#firstKeptAt(filter, floor)) ?? clock.now();
    const done = () => {
      this.#isDeclaring = false;
      this.#lossKnownTo = floor;
      // One class outlives another: in between some is gone and the rest is kept.
      this.#position = Math.max(this.#position, Math.min(floor, feed.oldestFor(filter)));
      this.#deps.book.window.through(this.#position);
      this.#deps.moved();
      this.#deps.ask();
    };
    this.#deps.events.lost({ cause: 'retention', from, to, events: null, eventIds: [], done });
  }

  /** When the first event was received from which on nothing is missing. */
  async #firstKeptAt(filter: Filter, floor: number): Promise<number | undefined> {
    const { feed, observer } = this.#deps.context;
    try {
      const { records } = await feed.read(floor, filter, 1);
      return records[0]?.receivedAt;
    } catch (error) {
      observer.failed?.('read', error);
      return undefined;
    }
  }
}
