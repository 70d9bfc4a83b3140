// Who reads next. Readers that have something to do get one bounded piece of work each per turn of the event loop,
// in the order in which they asked; I/O comes in between, so that no reader monopolises the process.

export interface Turn {
  /** One piece of work. Asks again if there is more. Must not throw. */
  takeTurn(): void;
}

export class Turns {
  #ready = new Set<Turn>();
  #scheduled = false;

  /** Asking twice before the turn comes is asking once. */
  ask(turn: Turn): void {
    this.#ready.add(turn);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  withdraw(turn: Turn): void {
    this.#ready.delete(turn);
  }

  #run(): void {
    this.#scheduled = false;
    const ready = this.#ready;
    this.#ready = new Set();
    for (const turn of ready) turn.takeTurn();
  }
}
