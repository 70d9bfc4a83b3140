// What the service is told about one endpoint, in the log, one event at a time and in order. Losses are gathered: however
// many events are lost in a row of turns, few gaps tell of them. Nobody's loss is done before its gap is durable.
import { backOffMs } from '../../domain/back-off.ts';
import type { EventDraft } from '../../domain/event.ts';
import { deliveryGapEvent, endpointEvent } from '../../domain/relay-event.ts';
import type { DeliveryGap } from '../../domain/relay-event.ts';
import type { Cancel } from '../../runtime/clock.ts';
import type { WebhookDeps, WebhookObserver } from './ports.ts';

const retryShape = { firstMs: 250, maxMs: 5_000 };

/** Part of a gap: one event or more that the endpoint will not be given. */
export interface Loss extends Pick<DeliveryGap, 'cause' | 'from' | 'to' | 'events' | 'eventIds'> {
  /** Called once the gap is durable. */
  readonly done: () => void;
}

export type EndpointChange = Parameters<typeof endpointEvent>[1];

interface Declaration {
  readonly draft: EventDraft;
  readonly done: readonly (() => void)[];
}

export interface ServiceEventsDeps extends Pick<WebhookDeps, 'clock' | 'declare'> {
  readonly observer: WebhookObserver;
}

export class ServiceEvents {
  readonly #deps: ServiceEventsDeps;
  readonly #endpoint: { readonly id: string; readonly serviceAccountId: string };
  readonly #changes: EventDraft[] = [];
  readonly #losses = new Map<Loss['cause'], Loss[]>();
  #busy = false;
  #stopped = false;
  #cancelRetry: Cancel | undefined;
  #idle: (() => void)[] = [];

  constructor(deps: ServiceEventsDeps, endpoint: { id: string; serviceAccountId: string }) {
    this.#deps = deps;
    this.#endpoint = endpoint;
  }

  changed(change: EndpointChange): void {
    this.#changes.push(endpointEvent(this.#endpoint, change, this.#deps.clock.now()));
    this.#schedule();
  }

  lost(loss: Loss): void {
    const gathered = this.#losses.get(loss.cause);
    if (gathered) gathered.push(loss);
    else this.#losses.set(loss.cause, [loss]);
    this.#schedule();
  }

  /** Resolves when everything is declared, or at `stop`. */
  settled(): Promise<void> {
    if (!this.#busy || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Nothing more is declared and no `done` called; no timer is left. What was lost is found again later. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
    this.#becomeIdle();
  }

  #schedule(): void {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    const declaration = this.#stopped ? undefined : this.#take();
    if (declaration) void this.#declare(declaration, 1);
    else this.#becomeIdle();
  }

  #take(): Declaration | undefined {
    const change = this.#changes.shift();
    if (change) return { draft: change, done: [] };
    for (const [cause, losses] of this.#losses) {
      this.#losses.delete(cause);
      return { draft: this.#gapOf(cause, losses), done: losses.map(({ done }) => done) };
    }
    return undefined;
  }

  #gapOf(cause: Loss['cause'], losses: readonly Loss[]): EventDraft {
    const { id: endpointId, serviceAccountId } = this.#endpoint;
    const from = losses.reduce((least, loss) => Math.min(least, loss.from), Infinity);
    const to = losses.reduce((most, loss) => Math.max(most, loss.to), 0);
    // One that nobody can count makes the whole uncounted.
    const events = losses.reduce<number | null>(
      (sum, loss) => (sum === null || loss.events === null ? null : sum + loss.events),
      0,
    );
    const eventIds = losses.flatMap((loss) => loss.eventIds);
    const gap = { serviceAccountId, endpointId, cause, from, to, events, eventIds };
    return deliveryGapEvent(gap, this.#deps.clock.now());
  }

  /** The same draft until it is taken: its id makes a repetition harmless. */
  async #declare(declaration: Declaration, attempt: number): Promise<void> {
    try {
      await this.#deps.declare(declaration.draft);
    } catch (error) {
      if (this.#stopped) return;
      this.#deps.observer.failed?.('declare', error);
      const delayMs = backOffMs(attempt, retryShape, 1);
      this.#cancelRetry = this.#deps.clock.after(delayMs, () => {
        void this.#declare(declaration, attempt + 1);
      });
      return;
    }
    if (this.#stopped) return;
    for (const done of declaration.done) done();
    this.#next();
  }

  #becomeIdle(): void {
    this.#busy = false;
    const waiters = this.#idle;
    this.#idle = [];
    for (const wake of waiters) wake();
  }
}
