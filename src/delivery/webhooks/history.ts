// The history of tries: written late and together, off the way of the deliveries. No promise rests on it, so it is bounded
// while the database is away; what it gives up, it counts.
import { backOffMs } from '../../domain/back-off.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { AttemptRecord, WebhookObserver, WebhookRows } from './ports.ts';

const writeEveryMs = 500;
/** So many are written without waiting for the time. */
const writeAtRows = 500;
/** More than that gathers only while an earlier statement runs. */
const maxPerStatement = 2_000;
/** About a kilobyte each. */
const maxWaiting = 50_000;
const retryShape = { firstMs: 1_000, maxMs: 10_000 };

const pruneEveryMs = 10 * 60_000;
/** A statement of a few hundred milliseconds. */
const prunePerStatement = 5_000;

export interface HistoryDeps {
  readonly rows: Pick<WebhookRows, 'record' | 'pruneAttempts'>;
  readonly clock: Clock;
  readonly keepAttemptsMs: number;
  readonly observer: WebhookObserver;
  readonly crash?: Crash | undefined;
}

export class History {
  readonly #deps: HistoryDeps;
  #waiting: AttemptRecord[] = [];
  #writing: Promise<void> | undefined;
  #failures = 0;
  /** What a failed write carried may be there all the same: so many of those that wait. */
  #unsure = 0;
  #stopped = false;
  #cancelWrite: Cancel | undefined;
  #cancelPrune: Cancel | undefined;

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
  }

  /** Begins to remove what is older than it is kept. */
  start(): void {
    this.#cancelPrune = this.#deps.clock.after(pruneEveryMs, () => {
      void this.#prune().then(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  add(record: AttemptRecord): void {
    this.#deps.observer.attempted?.(record);
    this.#waiting.push(record);
    // In steps, so that a full buffer does not move for every row.
    if (this.#waiting.length > maxWaiting + writeAtRows) this.#drop(this.#waiting.length - maxWaiting);
    if (this.#waiting.length >= writeAtRows && this.#failures === 0) this.#writeSoon();
    else this.#schedule(writeEveryMs);
  }

  /** Writes what waits. Rejects when that fails; it is kept then. */
  async flush(): Promise<void> {
    for (let left = this.#waiting.length; left > 0; left -= maxPerStatement) {
      await this.#writing;
      await this.#write();
      if (this.#failures > 0) throw new Error('the history of deliveries could not be written');
    }
    await this.#writing;
  }

  /** One last write; then nothing is written any more and no timer is left. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPrune?.();
    this.#cancelWrite?.();
    await this.#writing;
    this.#failures = 0;
    while (this.#waiting.length > 0 && this.#failures === 0) await this.#write();
    if (this.#waiting.length > 0) this.#drop(this.#waiting.length);
  }

  #drop(count: number): void {
    this.#waiting = this.#waiting.slice(count);
    this.#unsure = Math.max(0, this.#unsure - count);
    this.#deps.observer.recordsDropped?.(count);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#writing) return;
    this.#cancelWrite ??= this.#deps.clock.after(delayMs, () => {
      this.#cancelWrite = undefined;
      this.#writeSoon();
    });
  }

  #writeSoon(): void {
    if (this.#stopped || this.#writing) return;
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    this.#writing = this.#write().then(() => {
      this.#writing = undefined;
      this.#next();
    });
  }

  #next(): void {
    if (this.#failures > 0) this.#schedule(backOffMs(this.#failures, retryShape, 1));
    else if (this.#waiting.length >= writeAtRows) this.#writeSoon();
    else if (this.#waiting.length > 0) this.#schedule(writeEveryMs);
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting.slice(0, maxPerStatement);
    this.#waiting = this.#waiting.slice(maxPerStatement);
    try {
      await this.#deps.rows.record(batch, this.#unsure > 0 ? 'again' : 'first');
      this.#deps.crash?.('attempt.after');
      this.#failures = 0;
      this.#unsure = Math.max(0, this.#unsure - batch.length);
    } catch (error) {
      this.#failures++;
      this.#unsure = Math.max(this.#unsure, batch.length);
      this.#deps.observer.failed?.('record', error);
      this.#waiting = [...batch, ...this.#waiting];
    }
  }

  async #prune(): Promise<void> {
    const { rows, clock, keepAttemptsMs, observer } = this.#deps;
    try {
      let removed = prunePerStatement;
      while (removed >= prunePerStatement && !this.#stopped) {
        removed = await rows.pruneAttempts(clock.now() - keepAttemptsMs, prunePerStatement);
      }
    } catch (error) {
      // The next time will do.
      observer.failed?.('record', error);
    }
  }
}
