// Which endpoints are at work: follows the store's changes, and looks at the rows now and then for those it missed. An
// endpoint has one runner at a time; nobody else begins or ends one.
import { backOffMs } from '../../domain/back-off.ts';
import type { Cancel } from '../../runtime/clock.ts';
import { pause } from '../../runtime/clock.ts';
import { ServiceBudget } from './budget.ts';
import type { WebhookContext } from './context.ts';
import { EndpointRunner } from './endpoint-runner.ts';
import type { EndpointRow, WebhookChange, WebhookStats } from './ports.ts';

/** Heals a hint that was missed, such as another process's change. */
const reReadEveryMs = 30_000;
const retryShape = { firstMs: 500, maxMs: 10_000 };
/** Beyond that many one statement for all is cheaper. */
const maxSingleReads = 16;

export class Dispatcher {
  readonly #context: WebhookContext;
  readonly #runners = new Map<string, EndpointRunner>();
  readonly #budgets = new Map<string, ServiceBudget>();
  /** Rows to be read anew; whether somebody has enabled the endpoint. */
  #stale = new Map<string, { enabled: boolean }>();
  #areAllStale = false;
  #reading: Promise<void> | undefined;
  /** How many runners have ended: a row that was read before one did says nothing about it. */
  #ends = 0;
  readonly #stopping = new AbortController();
  #cancelReRead: Cancel | undefined;

  constructor(context: WebhookContext) {
    this.#context = context;
  }

  /** Resolves when the endpoints' runners are begun; waits for a database that is away. */
  async start(): Promise<void> {
    this.#scheduleReRead();
    this.#areAllStale = true;
    await this.#readSoon();
  }

  changed(change: WebhookChange): void {
    if (change.kind === 'endpoint') this.#endpointChanged(change.endpointId, change.what);
    else if (change.kind === 'service') this.#serviceChanged(change.serviceAccountId, change.what);
  }

  /** Resolves when no change that was announced is still to be put in force. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading;
  }

  runner(endpointId: string): EndpointRunner | undefined {
    return this.#runners.get(endpointId);
  }

  stats(): WebhookStats {
    const endpoints = { healthy: 0, open: 0 };
    let inFlight = 0;
    let maxBehind = 0;
    for (const runner of this.#runners.values()) {
      if (runner.state !== 'disabled') endpoints[runner.state]++;
      inFlight += runner.inFlight;
      maxBehind = Math.max(maxBehind, runner.behind());
    }
    return { endpoints, inFlight, maxBehind };
  }

  /** Begins nothing new; resolves when every runner has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelReRead?.();
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()));
  }

  /** Cuts off the requests that are under way. */
  abort(): void {
    for (const runner of this.#runners.values()) runner.abort();
  }

  /** Waits no longer for a database that is away. */
  abandon(): void {
    for (const runner of this.#runners.values()) runner.abandon();
  }

  #endpointChanged(endpointId: string, what: (WebhookChange & { kind: 'endpoint' })['what']): void {
    const runner = this.#runners.get(endpointId);
    if (what === 'due') {
      runner?.due();
      return;
    }
    if (what === 'removed') cut(runner);
    this.#readAgain(endpointId, what === 'enabled');
  }

  #serviceChanged(serviceAccountId: string, what: (WebhookChange & { kind: 'service' })['what']): void {
    if (what === 'created' || what === 'secret') return;
    if (what !== 'enabled') {
      for (const runner of this.#runners.values()) {
        if (runner.serviceAccountId === serviceAccountId) cut(runner);
      }
    }
    if (what === 'removed') this.#budgets.delete(serviceAccountId);
    this.#areAllStale = true;
    void this.#readSoon();
  }

  #readAgain(endpointId: string, enabled: boolean): void {
    const known = this.#stale.get(endpointId);
    this.#stale.set(endpointId, { enabled: enabled || (known?.enabled ?? false) });
    void this.#readSoon();
  }

  #readSoon(): Promise<void> {
    this.#reading ??= this.#readStale().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** One read after the other, so that a later one never loses to an earlier one. Never rejects. */
  async #readStale(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted && (this.#areAllStale || this.#stale.size > 0);) {
      const stale = this.#stale;
      const isAll = this.#areAllStale || stale.size > maxSingleReads;
      this.#stale = new Map();
      this.#areAllStale = false;
      try {
        await (isAll ? this.#readAll(stale) : this.#readSome(stale));
        failures = 0;
      } catch (error) {
        this.#context.observer.failed?.('open', error);
        for (const [id, why] of this.#stale) stale.set(id, why);
        this.#stale = stale;
        this.#areAllStale ||= isAll;
        await pause(this.#context.clock, backOffMs(++failures, retryShape, 1), signal);
      }
    }
  }

  async #readAll(stale: ReadonlyMap<string, { enabled: boolean }>): Promise<void> {
    const known = new Map(this.#runners);
    const ends = this.#ends;
    const rows = await this.#context.rows.dispatchable();
    const listed = new Map(rows.map((row) => [row.id, row]));
    for (const row of rows) this.#apply(row, stale.get(row.id)?.enabled ?? false, ends);
    // Those that began meanwhile are not judged by a list that is older than they are.
    for (const [id, runner] of known) if (!listed.has(id)) cut(runner);
  }

  async #readSome(stale: ReadonlyMap<string, { enabled: boolean }>): Promise<void> {
    for (const [id, { enabled }] of stale) {
      const ends = this.#ends;
      const [row] = await this.#context.rows.dispatchable(id);
      if (row) this.#apply(row, enabled, ends);
      else cut(this.#runners.get(id));
    }
  }

  #apply(row: EndpointRow, enabled: boolean, ends: number): void {
    if (this.#stopping.signal.aborted) return;
    const runner = this.#runners.get(row.id);
    if (!runner) {
      if (ends === this.#ends) this.#begin(row);
      else this.#readAgain(row.id, enabled);
      return;
    }
    if (runner.isEnding) {
      void runner.ended.then(() => this.#readAgain(row.id, enabled));
      return;
    }
    runner.update(row);
    if (enabled) runner.enabled(row);
  }

  #begin(row: EndpointRow): void {
    const runner = new EndpointRunner(this.#context, row, this.#budgetOf(row.serviceAccountId));
    this.#runners.set(row.id, runner);
    void runner.ended.then(() => {
      this.#ends++;
      this.#runners.delete(row.id);
    });
  }

  #budgetOf(serviceAccountId: string): ServiceBudget {
    const known = this.#budgets.get(serviceAccountId);
    if (known) return known;
    const budget = new ServiceBudget();
    this.#budgets.set(serviceAccountId, budget);
    return budget;
  }

  #scheduleReRead(): void {
    this.#cancelReRead = this.#context.clock.after(reReadEveryMs, () => {
      this.#scheduleReRead();
      this.#areAllStale = true;
      void this.#readSoon();
    });
  }
}

function cut(runner: EndpointRunner | undefined): void {
  if (!runner) return;
  void runner.stop();
  runner.abort();
}
