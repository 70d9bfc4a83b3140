// What the relay's log holds, read through its public API page by page. The demo's only knowledge of it.
import type { RelayClient } from '../../src/client/index.ts';

const pageSize = 1_000;

export class LogAudit {
  readonly #relay: RelayClient;
  #next: string;
  #events = 0;
  #gaps = 0;
  #reading: Promise<void> | undefined;

  /** Counts from behind the cursor on. */
  constructor(relay: RelayClient, after: string) {
    this.#relay = relay;
    this.#next = after;
  }

  get counts(): { readonly events: number; readonly gaps: number } {
    return { events: this.#events, gaps: this.#gaps };
  }

  /** Reads to the end of the log. Calls at the same time share one reading. */
  async read(): Promise<void> {
    this.#reading ??= this.#pages().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #pages(): Promise<void> {
    for (;;) {
      const { events, next } = await this.#relay.pull({ after: this.#next, limit: pageSize });
      for (const { provider, type } of events) {
        if (provider !== 'relay') this.#events += 1;
        else if (type === 'relay.gap') this.#gaps += 1;
      }
      this.#next = next;
      if (events.length === 0) return;
    }
  }
}
