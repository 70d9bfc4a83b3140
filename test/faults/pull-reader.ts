// Reads the log by GET /v1/events and never gives up. One of them reads everything and is the oracle's view of the log; the
// others are consumers like any other.
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { Credentials } from '../support/consumer.ts';

const pageSize = 1_000;
const waitS = 1;
const backOffMs = 60;
const requestMs = 5_000;

export interface Page {
  readonly events: readonly RelayEvent[];
  readonly after: string;
  /** Counts the requests. */
  readonly request: number;
}

export class PullReader implements AsyncDisposable {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #take: (page: Page) => void;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #after: string;
  #requests = 0;

  constructor(url: string, credentials: Credentials, from: string, take: (page: Page) => void) {
    this.#url = url;
    this.#headers = { 'X-Client-Id': credentials.clientId, 'X-Client-Secret': credentials.clientSecret };
    this.#after = from;
    this.#take = take;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const ok = await this.#ask().catch(() => false);
      if (!ok) await pause(backOffMs, this.#stop.signal);
    }
  }

  async #ask(): Promise<boolean> {
    const after = this.#after;
    this.#requests += 1;
    const target = `${this.#url}/v1/events?limit=${pageSize}&wait=${waitS}&after=${encodeURIComponent(after)}`;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(requestMs)]);
    const response = await fetch(target, { headers: this.#headers, signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      return false;
    }
    const page = (await response.json()) as { events: RelayEvent[]; next: string };
    this.#take({ events: page.events, after, request: this.#requests });
    this.#after = page.next;
    return true;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
