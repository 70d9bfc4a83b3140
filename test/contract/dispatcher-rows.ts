// The rows of webhook delivery in memory, keeping the promises of the port. `fault` is a knob; holds no expectations.
import { defaultEndpointSettings, healthySince } from '../../src/domain/endpoint.ts';
import type { EndpointHealth } from '../../src/domain/endpoint.ts';
import type {
  AttemptRecord,
  DeliveryKey,
  DueRun,
  EndpointPosition,
  EndpointRow,
  OpenedEndpoint,
  OwedDelivery,
  Settlement,
  WebhookChange,
  WebhookRows,
} from '../../src/delivery/webhooks/ports.ts';

export type RowsCall = Exclude<keyof WebhookRows, never>;
/** `refuse`: nothing is done and the call rejects; `lose`: it is done and the call rejects all the same. */
export type Fault = 'refuse' | 'lose' | undefined;

interface StoredEndpoint {
  row: Omit<EndpointRow, 'ackedSeq' | 'health' | 'owes'>;
  health: EndpointHealth;
  ackedSeq: number;
  sentSeq: number;
  attempt: number;
  wholeAt: number;
  open: boolean;
}

interface StoredDelivery extends OwedDelivery {
  readonly claimed: boolean;
}

const keyOf = ({ endpointId, seq, run }: DeliveryKey): string => `${endpointId}/${seq}/${run}`;

export class MemoryRows implements WebhookRows {
  readonly endpoints = new Map<string, StoredEndpoint>();
  readonly deliveries = new Map<string, StoredDelivery>();
  readonly attempts: AttemptRecord[] = [];
  readonly recordSizes: number[] = [];
  readonly parkSizes: number[] = [];
  readonly calls = new Map<RowsCall, number>();
  readonly fired = new Map<RowsCall, number>();
  readonly disabledServices = new Set<string>();
  readonly #listeners = new Set<(change: WebhookChange) => void>();
  fault: (call: RowsCall) => Fault = () => undefined;

  addEndpoint(id: string, over: Partial<EndpointRow & { wholeAt: number }> = {}): void {
    const { ackedSeq = 0, health = healthySince(0), wholeAt = 0, ...row } = over;
    this.endpoints.set(id, {
      row: {
        id,
        serviceAccountId: 'service-1',
        url: `http://receiver.test/${id}`,
        settings: defaultEndpointSettings,
        secrets: [{ secret: 'whsec_one', validUntil: null }],
        ...row,
      },
      health,
      ackedSeq,
      sentSeq: ackedSeq,
      attempt: 1,
      wholeAt,
      open: false,
    });
  }

  at(id: string): StoredEndpoint {
    const found = this.endpoints.get(id);
    if (!found) throw new Error(`no endpoint ${id}`);
    return found;
  }

  owed(id: string): StoredDelivery[] {
    return [...this.deliveries.values()].filter(({ endpointId }) => endpointId === id);
  }

  enable(id: string, now: number): void {
    this.at(id).health = healthySince(now);
    this.emit({ kind: 'endpoint', endpointId: id, what: 'enabled' });
  }

  onChange = (listener: (change: WebhookChange) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  emit(change: WebhookChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  get listening(): number {
    return this.#listeners.size;
  }

  dispatchable(endpointId?: string): Promise<EndpointRow[]> {
    return this.#call('dispatchable', () =>
      [...this.endpoints.values()]
        .filter(({ row }) => endpointId === undefined || row.id === endpointId)
        .filter(
          ({ row, health }) =>
            health.state !== 'disabled' && !this.disabledServices.has(row.serviceAccountId),
        )
        .map((stored) => this.#rowOf(stored)),
    );
  }

  endpoint(id: string): Promise<EndpointRow | undefined> {
    return this.#call('endpoint', () => {
      const found = this.endpoints.get(id);
      return found && this.#rowOf(found);
    });
  }

  open(id: string, head: number): Promise<OpenedEndpoint | undefined> {
    return this.#call('open', () => {
      const stored = this.endpoints.get(id);
      if (!stored) return undefined;
      const mark = Math.max(stored.sentSeq, stored.ackedSeq, stored.open ? head : 0);
      if (mark > stored.ackedSeq) stored.attempt++;
      stored.open = true;
      stored.sentSeq = mark;
      for (const [key, row] of this.deliveries) {
        if (row.endpointId !== id) continue;
        const isAhead = row.run !== '' && row.seq > stored.ackedSeq && row.seq <= mark;
        const attempt = isAhead ? Math.max(row.attempt, stored.attempt) : row.attempt;
        this.deliveries.set(key, { ...row, claimed: false, attempt });
      }
      return { ackedSeq: stored.ackedSeq, mark, attempt: stored.attempt, wholeAt: stored.wholeAt };
    });
  }

  savePositions(positions: readonly EndpointPosition[]): Promise<void> {
    return this.#call('savePositions', () => {
      for (const { endpointId, ackedSeq, sentSeq, wholeAt, open } of positions) {
        const stored = this.endpoints.get(endpointId);
        if (!stored) continue;
        stored.ackedSeq = Math.max(stored.ackedSeq, ackedSeq);
        stored.sentSeq = Math.max(stored.sentSeq, sentSeq, stored.ackedSeq);
        stored.open = open;
        stored.wholeAt = wholeAt;
      }
    });
  }

  saveHealth(id: string, health: EndpointHealth): Promise<void> {
    return this.#call('saveHealth', () => {
      const stored = this.endpoints.get(id);
      if (stored && stored.health.state !== 'disabled') stored.health = health;
    });
  }

  park(deliveries: readonly OwedDelivery[]): Promise<void> {
    return this.#call('park', () => {
      this.parkSizes.push(deliveries.length);
      for (const delivery of deliveries) {
        if (!this.endpoints.has(delivery.endpointId)) continue;
        const known = this.deliveries.get(keyOf(delivery));
        const row = known ?? { ...delivery, claimed: false };
        this.deliveries.set(keyOf(delivery), { ...row, attempt: Math.max(row.attempt, delivery.attempt) });
      }
    });
  }

  parkedAfter(id: string, after: number): Promise<number[]> {
    return this.#call('parkedAfter', () =>
      this.owed(id)
        .filter(({ run, seq }) => run === '' && seq > after)
        .map(({ seq }) => seq)
        .toSorted((a, b) => a - b),
    );
  }

  blocking(id: string, now: number): Promise<OwedDelivery[]> {
    return this.#call('blocking', () =>
      this.owed(id).filter(({ blocksUntil }) => blocksUntil !== null && blocksUntil > now),
    );
  }

  runs(id: string): Promise<DueRun[]> {
    return this.#call('runs', () => {
      const runs = new Set(this.owed(id).map(({ run }) => run));
      return [...runs].toSorted().flatMap((run) => {
        const nextAt = this.#nextDue(id, run);
        return nextAt === null ? [] : [{ run, nextAt }];
      });
    });
  }

  nextDue(id: string, run: string): Promise<number | null> {
    return this.#call('nextDue', () => this.#nextDue(id, run));
  }

  countOwed(id: string): Promise<number> {
    return this.#call('countOwed', () => this.owed(id).length);
  }

  claim(id: string, run: string, now: number, limit: number): Promise<OwedDelivery[]> {
    return this.#call('claim', () => {
      const due = this.owed(id)
        .filter((row) => row.run === run && !row.claimed && row.nextAt <= now)
        .toSorted((a, b) => a.nextAt - b.nextAt || a.seq - b.seq);
      return due.slice(0, limit).map((row) => this.#claimOne(row));
    });
  }

  takeBack(id: string, run: string): Promise<void> {
    return this.#call('takeBack', () => {
      for (const row of this.owed(id))
        if (row.run === run) this.deliveries.set(keyOf(row), { ...row, claimed: false });
    });
  }

  settle(settlements: readonly Settlement[]): Promise<void> {
    return this.#call('settle', () => {
      for (const { next, ...key } of settlements) {
        const known = this.deliveries.get(keyOf(key));
        if (!known) continue;
        if (next) this.deliveries.set(keyOf(key), { ...known, ...next, claimed: false });
        else this.deliveries.delete(keyOf(key));
      }
    });
  }

  addRun(run: { endpointId: string; run: string; seqs: readonly number[]; now: number }): Promise<number> {
    return this.#call('addRun', () => {
      for (const seq of run.seqs) {
        const known = [...this.attempts, ...this.owed(run.endpointId)].filter(
          (row) => row.endpointId === run.endpointId && row.seq === seq,
        );
        const attempt = Math.max(this.at(run.endpointId).attempt, ...known.map((row) => row.attempt));
        const row = { endpointId: run.endpointId, seq, run: run.run, attempt, spent: 0, claimed: false };
        const dates = { nextAt: run.now, bornAt: run.now, blocksUntil: null };
        this.deliveries.set(keyOf(row), { ...row, ...dates });
      }
      this.emit({ kind: 'endpoint', endpointId: run.endpointId, what: 'due' });
      return run.seqs.length;
    });
  }

  record(attempts: readonly AttemptRecord[]): Promise<void> {
    return this.#call('record', () => {
      this.recordSizes.push(attempts.length);
      this.attempts.push(...attempts);
    });
  }

  pruneAttempts(before: number, limit: number): Promise<number> {
    return this.#call('pruneAttempts', () => {
      const old = this.attempts.filter(({ startedAt }) => startedAt < before).slice(0, limit);
      for (const record of old) this.attempts.splice(this.attempts.indexOf(record), 1);
      return old.length;
    });
  }

  #rowOf({ row, health, ackedSeq }: StoredEndpoint): EndpointRow {
    return { ...row, health, ackedSeq, owes: this.owed(row.id).length > 0 };
  }

  #nextDue(id: string, run: string): number | null {
    const dates = this.owed(id).flatMap((row) => (row.claimed || row.run !== run ? [] : [row.nextAt]));
    return dates.length === 0 ? null : Math.min(...dates);
  }

  #claimOne(row: StoredDelivery): OwedDelivery {
    const same = this.owed(row.endpointId).filter(({ seq }) => seq === row.seq);
    const attempt = Math.max(...same.map((other) => other.attempt)) + 1;
    for (const other of same) this.deliveries.set(keyOf(other), { ...other, attempt });
    const stored = this.at(row.endpointId);
    stored.attempt = Math.max(stored.attempt, attempt);
    this.deliveries.set(keyOf(row), { ...row, attempt, claimed: true });
    return { ...row, attempt };
  }

  /** Done at once, answered a turn of the event loop later, as a database would at best. */
  #call<T>(call: RowsCall, act: () => T): Promise<T> {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    const fault = this.fault(call);
    if (fault) this.fired.set(call, (this.fired.get(call) ?? 0) + 1);
    const answer = fault === 'refuse' ? undefined : { value: act() };
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        if (fault === undefined && answer) resolve(answer.value);
        else reject(new Error(`database away: ${call}`));
      });
    });
  }
}
