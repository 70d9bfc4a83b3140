// What becomes of each delivery of one endpoint: carries verdicts out on the lanes, the window, the retry set and the gaps.
// The cursor never passes an event before it is delivered, in the retry set, or declared as lost. It sends nothing.
import type { OutRecord } from '../port.ts';
import type { Delivery, Taken, WebhookContext } from './context.ts';
import { laneOf } from './lane-names.ts';
import { Lanes } from './lanes.ts';
import type { Outcome } from './outcome.ts';
import type { AttemptRecord, EndpointRow, OwedDelivery } from './ports.ts';
import { PositionWindow } from './position-window.ts';
import type { Loss, ServiceEvents } from './service-events.ts';
import type { Verdict } from './verdict.ts';

/** Records in hand and not settled: about a megabyte, and what a crash repeats at most. */
export const maxUnsettled = 1_024;

/** Each look costs a claim and a write; a suspension lasts minutes or for ever. */
const notWantedMs = 300_000;

export interface BookDeps {
  readonly context: Pick<
    WebhookContext,
    'clock' | 'parks' | 'settlements' | 'history' | 'laneNames' | 'longestRetentionMs'
  >;
  readonly events: ServiceEvents;
  /** The cursor may have moved. */
  moved(): void;
  /** A delivery of what is live became owed. */
  parked(nextAt: number): void;
  /** A claimed one is no longer: gone (null), or due again. */
  released(run: string, nextAt: number | null): void;
  /** There may be something to send that was not before. */
  ask(): void;
}

/** Whether the whole endpoint is left alone after a try, and until when. */
export interface Rest {
  readonly until: number | null;
  readonly isCircuitOpen: boolean;
}

type Ended = Pick<AttemptRecord, 'state' | 'outcome' | 'nextAt'>;

/** The lanes of a replay are its own: it neither holds up what is live nor another replay. */
export const laneNameOf = (
  laneNames: WebhookContext['laneNames'],
  run: string,
  record: OutRecord,
): string => {
  const lane = laneOf(record, laneNames);
  return run === '' ? lane : `${run}/${lane}`;
};

export class DeliveryBook {
  readonly window: PositionWindow;
  readonly lanes: Lanes<Delivery>;
  readonly #deps: BookDeps;
  readonly #endpoint: Pick<EndpointRow, 'id' | 'serviceAccountId'>;

  constructor(deps: BookDeps, row: EndpointRow, ackedSeq: number) {
    this.#deps = deps;
    this.#endpoint = row;
    this.window = new PositionWindow(ackedSeq);
    this.lanes = new Lanes(row.settings.order, maxUnsettled / 2);
  }

  /** Read from the log. In the order of the log. */
  addLive(record: OutRecord, attempt: number): void {
    const { seq, receivedAt: bornAt } = record;
    const key = { endpointId: this.#endpoint.id, seq, run: '' };
    this.window.begin(seq);
    this.lanes.add(this.#laneOf('', record), {
      key,
      seq,
      attempt,
      record,
      isOwed: false,
      spent: 0,
      bornAt,
      blocksUntil: null,
    });
  }

  /** A claimed delivery, ready to be sent beside the lanes; or to be added to its own. */
  owed({ endpointId, seq, run, ...delivery }: OwedDelivery, record: OutRecord): Taken {
    const key = { endpointId, seq, run };
    const lane = this.#laneOf(run, record);
    return { lane, item: { ...delivery, key, seq, record, isOwed: true } };
  }

  addOwed({ lane, item }: Taken): void {
    this.lanes.addFirst(lane, item);
  }

  /** Claimed from the retry set, and no longer in the log. */
  missing({ endpointId, seq, run, attempt, bornAt }: OwedDelivery): void {
    const key = { endpointId, seq, run };
    this.#tell(
      { key, attempt, messageId: '', type: '' },
      { state: 'expired', outcome: 'none', nextAt: null },
    );
    // A replay is younger than its event.
    const from = run === '' ? bornAt : bornAt - this.#deps.context.longestRetentionMs;
    const done = () => this.#gone(key);
    this.#deps.events.lost({ cause: 'retention', from, to: bornAt + 1, events: 1, eventIds: [], done });
  }

  /**
   * The interest that it was owed to is suspended, or gone. It stays owed, since a suspended one may come back, and since the
   * filter may be a moment behind the rows; nothing is spent.
   */
  notWanted({ endpointId, seq, run, spent }: OwedDelivery): void {
    const key = { endpointId, seq, run };
    const { clock, settlements } = this.#deps.context;
    const nextAt = clock.now() + notWantedMs;
    settlements.add({ ...key, next: { spent, nextAt, blocksUntil: null } }, () =>
      this.#released(key, nextAt),
    );
  }

  /** Too old to be sent. */
  expire({ lane, item }: Taken): void {
    this.#tell(namedIn(item), { state: 'expired', outcome: 'none', nextAt: null });
    this.#lose({ lane, item }, 'delivery_expired');
  }

  /** A try has ended. */
  ended({ lane, item }: Taken, outcome: Outcome, verdict: Verdict, rest: Rest): void {
    this.#tell(namedIn(item), endedAs(verdict, outcome), outcome);
    if (verdict.resend) this.lanes.putBack(lane, item);
    else if (verdict.state === 'delivered') this.#delivered({ lane, item });
    else if (verdict.state === 'retrying') this.#owe({ lane, item }, verdict, rest);
    else this.#lose({ lane, item }, verdict.state === 'failed' ? 'delivery_failed' : 'delivery_expired');
  }

  /** A try has ended with the endpoint's work: the delivery stays as it is, and comes again with a raised number. */
  left({ lane, item }: Taken, outcome: Outcome, verdict: Verdict): void {
    this.#tell(namedIn(item), endedAs(verdict, outcome), outcome);
    this.lanes.done(lane);
  }

  #delivered({ lane, item }: Taken): void {
    this.lanes.succeeded(lane);
    // What matters to the lane is the answer. A row that is still there after a crash is sent with a raised number.
    if (item.isOwed) this.lanes.unblock(lane, item.key);
    this.lanes.done(lane);
    if (item.isOwed) this.#gone(item.key);
    else this.#settle(item.seq);
  }

  #owe({ lane, item }: Taken, verdict: Verdict, rest: Rest): void {
    const { clock, parks, settlements } = this.#deps.context;
    const { key, attempt, bornAt } = item;
    const now = clock.now();
    const { spent } = verdict;
    const nextAt = verdict.nextAt ?? now;
    const until = this.lanes.failed(lane, now, nextAt, rest.until);
    if (item.isOwed) {
      // While the circuit is open a block holds up nobody; it neither ends nor is forgotten.
      const isKept = until === null && rest.isCircuitOpen;
      const blocksUntil = isKept ? item.blocksUntil : until;
      if (isKept) this.lanes.done(lane);
      else this.#blockAndGoOn({ lane, item }, until);
      settlements.add({ ...key, next: { spent, nextAt, blocksUntil } }, () => this.#released(key, nextAt));
      return;
    }
    // The lane waits until the row is durable: only then may anything pass.
    parks.add({ ...key, attempt, spent, nextAt, blocksUntil: until, bornAt }, () => {
      this.#blockAndGoOn({ lane, item }, until);
      this.#deps.parked(nextAt);
      this.#settle(item.seq);
    });
  }

  #blockAndGoOn({ lane, item }: Taken, blocksUntil: number | null): void {
    if (blocksUntil === null) this.lanes.unblock(lane, item.key);
    else this.lanes.block(lane, item.key, blocksUntil);
    this.lanes.done(lane);
  }

  #lose({ lane, item }: Taken, cause: Loss['cause']): void {
    const { record, key } = item;
    this.lanes.unblock(lane, key);
    this.lanes.done(lane);
    const span = { from: record.receivedAt, to: record.receivedAt + 1 };
    const done = () => (item.isOwed ? this.#gone(key) : this.#settle(item.seq));
    if (tellsOfDelivery(record)) done();
    else this.#deps.events.lost({ cause, ...span, events: 1, eventIds: [record.id], done });
  }

  #settle(seq: number): void {
    this.window.settle(seq);
    this.#deps.moved();
    this.#deps.ask();
  }

  #gone(key: Delivery['key']): void {
    this.#deps.context.settlements.add({ ...key, next: null }, () => this.#released(key, null));
  }

  #released({ run }: Delivery['key'], nextAt: number | null): void {
    this.#deps.released(run, nextAt);
    this.#deps.ask();
  }

  #laneOf(run: string, record: OutRecord): string {
    return laneNameOf(this.#deps.context.laneNames, run, record);
  }

  #tell(
    {
      key,
      attempt,
      messageId,
      type,
    }: Pick<Delivery, 'key' | 'attempt'> & { messageId: string; type: string },
    { state, outcome, nextAt }: Ended,
    tried?: Outcome,
  ): void {
    this.#deps.context.history.add({
      endpointId: key.endpointId,
      seq: key.seq,
      run: key.run,
      serviceAccountId: this.#endpoint.serviceAccountId,
      messageId,
      type,
      attempt,
      state,
      outcome,
      status: tried?.status ?? null,
      response: tried?.response ?? null,
      startedAt: tried?.startedAt ?? this.#deps.context.clock.now(),
      durationMs: tried?.durationMs ?? 0,
      nextAt,
    });
  }
}

/**
 * Whoever does not take a gap would not take the one about it either, and so on without end, in each endpoint of the
 * service. It stands in the log, and in the history as failed.
 */
const tellsOfDelivery = ({ type, audience }: OutRecord): boolean =>
  type === 'relay.gap' && audience.kind === 'service';

const endedAs = ({ state, nextAt }: Verdict, { kind }: Outcome): Ended => ({ state, nextAt, outcome: kind });

const namedIn = ({ key, attempt, record }: Delivery) => ({
  key,
  attempt,
  messageId: record.id,
  type: record.type,
});
