// The requests of one endpoint that are under way: how many, when the last has ended, and how they are cut off. It knows
// nothing of what they carry.
import { setMaxListeners } from 'node:events';
import type { ServiceBudget } from './budget.ts';
import type { Outcome } from './outcome.ts';
import type { Sender, SendRequest } from './ports.ts';

export class Flights {
  readonly #sender: Sender;
  readonly #budget: ServiceBudget;
  readonly #cut = new AbortController();
  #count = 0;
  #drained: (() => void)[] = [];

  constructor(sender: Sender, budget: ServiceBudget) {
    this.#sender = sender;
    this.#budget = budget;
    // One listener for each request under way, however many that are.
    setMaxListeners(0, this.#cut.signal);
  }

  get count(): number {
    return this.#count;
  }

  send(request: SendRequest, ended: (outcome: Outcome) => void): void {
    this.#count++;
    this.#budget.take();
    void this.#sender.send(request, this.#cut.signal).then((outcome) => {
      this.#count--;
      this.#budget.release();
      ended(outcome);
      if (this.#count === 0) this.#wake();
    });
  }

  /** Each ends as `aborted`. */
  abort(): void {
    this.#cut.abort();
  }

  /** Resolves when none is under way. */
  drained(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #wake(): void {
    const waiters = this.#drained;
    this.#drained = [];
    for (const wake of waiters) wake();
  }
}
