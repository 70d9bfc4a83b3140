// The health of one endpoint as it is now: what was decided about it is saved, told to the service and to the observer. It
// decides nothing itself, and neither saving nor telling holds up a delivery.
import { backOffMs } from '../../domain/back-off.ts';
import { healthySince } from '../../domain/endpoint.ts';
import type { EndpointHealth } from '../../domain/endpoint.ts';
import type { Cancel } from '../../runtime/clock.ts';
import type { WebhookContext } from './context.ts';
import { afterTry, noRecent } from './health.ts';
import type { HealthStep } from './health.ts';
import type { Outcome } from './outcome.ts';
import type { EndpointRow } from './ports.ts';
import type { ServiceEvents } from './service-events.ts';
import type { Verdict } from './verdict.ts';
import { failureReason } from './verdict.ts';

/** What is no change of state may wait: an endpoint that fails and recovers by turns costs one statement in so long. */
const saveEveryMs = 1_000;
const retryShape = { firstMs: 500, maxMs: 5_000 };

type HealthContext = Pick<WebhookContext, 'rows' | 'clock' | 'random' | 'observer'>;

export class EndpointHealthKeeper {
  readonly #context: HealthContext;
  readonly #endpoint: Pick<EndpointRow, 'id' | 'serviceAccountId'>;
  readonly #events: ServiceEvents;
  #health: EndpointHealth;
  #recent = noRecent;
  #isDirty = false;
  #isSaving = false;
  #failures = 0;
  #stopped = false;
  #cancel: Cancel | undefined;
  #waiters: (() => void)[] = [];

  constructor(context: HealthContext, row: EndpointRow, events: ServiceEvents) {
    this.#context = context;
    this.#endpoint = { id: row.id, serviceAccountId: row.serviceAccountId };
    this.#events = events;
    this.#health = row.health;
  }

  get current(): EndpointHealth {
    return this.#health;
  }

  /** Charges the ended try. Answers with the change of state, if it is one. */
  charge(verdict: Verdict, outcome: Outcome, now: number): HealthStep['event'] {
    const before = this.#health;
    const why = failureReason(outcome);
    const random = this.#context.random();
    const { charge, disable } = verdict;
    const step = afterTry(before, this.#recent, { charge, disable, why, now, random });
    this.#health = step.health;
    this.#recent = step.recent;
    if (step.event) this.#changed(step.event);
    else if (isWorthSaving(before, step.health)) this.#saveSoon(saveEveryMs);
    return step.event;
  }

  /** Somebody enabled the endpoint, and the row was like this then or later: what was before counts no more. */
  reset(row: EndpointHealth): void {
    const isUndone = row.state === 'open';
    this.#health = isUndone ? healthySince(this.#context.clock.now()) : row;
    this.#recent = noRecent;
    // A save that is under way would bring the old one back, as one did that came between the enabling and the reading.
    this.#isDirty = this.#isSaving;
    if (isUndone) this.#saveSoon(0);
  }

  /** Resolves when what is to be remembered is saved, or at `stop`. */
  saved(): Promise<void> {
    if (this.#stopped || (!this.#isDirty && !this.#isSaving)) return Promise.resolve();
    // Not once more than needed: a second save could undo what somebody enabled after the first.
    if (this.#isDirty && this.#failures === 0) this.#saveSoon(0);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Nothing more is saved; no timer is left. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#wake();
  }

  #changed(state: NonNullable<HealthStep['event']>): void {
    const health = this.#health;
    const { code, reason, since, probeAt } = health;
    this.#events.changed({ state, code, reason, since, retryAt: probeAt ?? undefined });
    this.#context.observer.health?.({ ...this.#idOf(), health });
    this.#saveSoon(0);
  }

  #idOf(): { endpointId: string; serviceAccountId: string } {
    return { endpointId: this.#endpoint.id, serviceAccountId: this.#endpoint.serviceAccountId };
  }

  #saveSoon(delayMs: number): void {
    this.#isDirty = true;
    if (this.#isSaving || this.#stopped) return;
    if (delayMs === 0) {
      this.#cancel?.();
      this.#cancel = undefined;
      void this.#save();
      return;
    }
    this.#cancel ??= this.#context.clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.#save();
    });
  }

  /** The latest wins; one statement at a time. */
  async #save(): Promise<void> {
    if (!this.#isDirty || this.#isSaving) return;
    this.#isDirty = false;
    this.#isSaving = true;
    try {
      await this.#context.rows.saveHealth(this.#endpoint.id, this.#health);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#isDirty = true;
      this.#context.observer.failed?.('save', error);
    }
    this.#isSaving = false;
    if (this.#stopped) return;
    if (this.#failures > 0) this.#saveSoon(backOffMs(this.#failures, retryShape, 1));
    else if (this.#isDirty) this.#saveSoon(this.#waiters.length > 0 ? 0 : saveEveryMs);
    else this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** The counters of every try are not; that a failing period began or ended is, and so is when the next probe is due. */
const isWorthSaving = (before: EndpointHealth, after: EndpointHealth): boolean =>
  (before.failingSince === null) !== (after.failingSince === null) || before.probeAt !== after.probeAt;
