// How many requests a service account may have under way: one service cannot take another's. Within a service, who waited
// longest is asked first.

/** Four endpoints at their most, or thirty-two with the default; sockets and memory of one service stay bounded. */
const requestsPerService = 256;

export class ServiceBudget {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(requests: number = requestsPerService) {
    this.#free = requests;
  }

  /** Whether one more request may be sent now; if not, `wake` is called once when that may have changed. */
  hasRoom(wake: () => void): boolean {
    if (this.#free > 0) return true;
    this.#waiting.add(wake);
    return false;
  }

  /** `release` is owed for it. */
  take(): void {
    this.#free--;
  }

  release(): void {
    this.#free++;
    if (this.#waiting.size === 0) return;
    // All of them: who is first may have nothing to send any more.
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Is not woken any more. */
  withdraw(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
