// Writes the positions of all consumers, together and not for every event: what moved within a quarter of a second is one
// statement. Never lets an older position overtake a newer one, and never forgets one because the database was away.
import type { Cancel, Clock } from '../../runtime/clock.ts';
import type { ConsumerPosition, ConsumerRows, GatewayObserver } from './ports.ts';

const saveEveryMs = 250;
/** After a failed save. A position that is late costs repeated deliveries, nothing else. */
const retryMs = 1_000;

export const consumerKey = (serviceAccountId: string, name: string): string => `${serviceAccountId}/${name}`;

/** A position that is asked for when it is written, so that a mark costs nothing. */
type Source = () => ConsumerPosition;

export class Positions {
  readonly #rows: Pick<ConsumerRows, 'save'>;
  readonly #clock: Clock;
  readonly #observer: GatewayObserver;
  #dirty = new Map<string, Source>();
  #saving: Promise<unknown> = Promise.resolve();
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(rows: Pick<ConsumerRows, 'save'>, clock: Clock, observer: GatewayObserver) {
    this.#rows = rows;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** The consumer moved; it is written soon. */
  mark(key: string, source: Source): void {
    this.#dirty.set(key, source);
    this.#schedule(saveEveryMs);
  }

  /** Writes this one, and whatever else waits, now. Resolves when it is written or has failed; it is kept if it failed. */
  async saveNow(key: string, position: ConsumerPosition): Promise<void> {
    this.#dirty.set(key, () => position);
    await this.flush();
  }

  /** Writes everything that waits. One statement at a time, in order. Never rejects. */
  flush(): Promise<void> {
    const run = this.#saving.then(() => this.#save());
    this.#saving = run;
    return run;
  }

  /** The last write; then no timer is left. What cannot be written is lost, and costs raised attempts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.flush();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  async #save(): Promise<void> {
    const batch = this.#dirty;
    if (batch.size === 0) return;
    this.#dirty = new Map();
    try {
      await this.#rows.save([...batch.values()].map((source) => source()));
    } catch (error) {
      this.#observer.failed?.('save', error);
      for (const [key, source] of batch) if (!this.#dirty.has(key)) this.#dirty.set(key, source);
      this.#schedule(retryMs);
    }
  }
}
