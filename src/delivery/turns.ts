// Who reads next. Readers that have something to do get one bounded piece of work each per turn of the event loop,
// in the order in which they asked; I/O comes in between, so that no reader monopolises the process. And when many small
// writes would, whoever waits for commits rests between two rounds, so that each write carries more.
import type { Cancel, Clock } from '../runtime/clock.ts';

export interface Turn {
  /** One piece of work. Asks again if there is more. Must not throw. */
  takeTurn(): void;
}

export interface TurnsDeps {
  readonly clock: Clock;
  /** Whether another commit is under way, so that there will be more to write; without it nobody rests. */
  readonly moreToCome?: (() => boolean) | undefined;
}

/**
 * How long the woken ones rest after a round, for each that had a turn: some four times what a small write takes, so that
 * these get a fifth of a busy process. Counted, not timed: a process that was made to wait is not to wait again.
 */
const restPerTurnMs = 0.1;
const longestRestMs = 100;
/** Fewer turns are no burden, and never rested from. */
const manyTurns = 100;

export class Turns {
  readonly #deps: TurnsDeps;
  #asking = new Set<Turn>();
  #woken = new Set<Turn>();
  #isScheduled = false;
  #restUntil = 0;
  #cancelRest: Cancel | undefined;

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  /** There is something to do. Asking twice before the turn comes is asking once. */
  ask(turn: Turn): void {
    this.#asking.add(turn);
    this.#schedule();
  }

  /**
   * Something was committed that may be for this reader. It gets its turn as if it had asked; or, while still more is
   * being committed, when the last round of woken ones has been rested from, which is at most 100 ms later.
   */
  wake(turn: Turn): void {
    this.#woken.add(turn);
    const restMs = this.#deps.moreToCome?.() ? this.#restUntil - this.#deps.clock.now() : 0;
    if (restMs <= 0) this.#endRest();
    // A clock that was set back must not make it longer.
    else this.#cancelRest ??= this.#deps.clock.after(Math.min(restMs, longestRestMs), () => this.#endRest());
  }

  withdraw(turn: Turn): void {
    this.#asking.delete(turn);
    this.#woken.delete(turn);
    if (this.#woken.size === 0) this.#endRest();
  }

  #endRest(): void {
    this.#cancelRest?.();
    this.#cancelRest = undefined;
    if (this.#woken.size > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const asking = this.#asking;
    this.#asking = new Set();
    for (const turn of asking) turn.takeTurn();
    if (this.#cancelRest === undefined && this.#woken.size > 0) this.#runWoken(asking);
  }

  #runWoken(served: ReadonlySet<Turn>): void {
    const woken = this.#woken;
    this.#woken = new Set();
    for (const turn of woken) if (!served.has(turn)) turn.takeTurn();
    const restMs = woken.size < manyTurns ? 0 : Math.min(longestRestMs, restPerTurnMs * woken.size);
    this.#restUntil = this.#deps.clock.now() + restMs;
  }
}
