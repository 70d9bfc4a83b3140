// Removes what is older than its class is kept, in small statements with pauses in between, so that appends and readers
// hardly notice. It decides when; the log does the removing and moves the floor with it. It writes no events.
import type { RetentionClass } from '../domain/event.ts';
import { retentionClasses } from '../domain/event.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/clock.ts';
import type { PrunableLog } from './port.ts';

export interface RetentionDeps {
  readonly log: PrunableLog;
  readonly clock: Clock;
  /** How long each class is kept. Milliseconds. */
  readonly keepMs: Readonly<Record<RetentionClass, number>>;
  readonly options?: RetentionOptions;
  /** Told of a failed round; the next one comes at its time. */
  readonly onError?: (error: unknown) => void;
}

export interface RetentionOptions {
  /** Between two rounds. */
  readonly intervalMs?: number;
  /** Between two statements of a round. */
  readonly pauseMs?: number;
  /** Rows per statement: about 5 ms of work. */
  readonly batchRows?: number;
}

export const retentionDefaults = { intervalMs: 60_000, pauseMs: 50, batchRows: 500 } as const;

export class Retention {
  readonly #deps: RetentionDeps;
  readonly #intervalMs: number;
  readonly #pauseMs: number;
  readonly #batchRows: number;
  /** Counted for metrics. */
  readonly counts = { removed: { chat: 0, standard: 0 }, statements: 0, failures: 0 };

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
    this.#intervalMs = deps.options?.intervalMs ?? retentionDefaults.intervalMs;
    this.#pauseMs = deps.options?.pauseMs ?? retentionDefaults.pauseMs;
    this.#batchRows = deps.options?.batchRows ?? retentionDefaults.batchRows;
  }

  /** Rounds until the signal aborts, the first at once. Never rejects: a database that is away is met again next round. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.round(signal);
      } catch (error) {
        this.counts.failures++;
        this.#deps.onError?.(error);
      }
      await pause(this.#deps.clock, this.#intervalMs, signal);
    }
  }

  /** Removes everything that is too old by now, class by class. Rejects when the database refuses or is away. */
  async round(signal?: AbortSignal): Promise<void> {
    const { log, clock, keepMs } = this.#deps;
    for (const retentionClass of retentionClasses) {
      const before = clock.now() - keepMs[retentionClass];
      for (let removed = this.#batchRows; removed >= this.#batchRows;) {
        if (signal?.aborted) return;
        removed = await log.prune(retentionClass, before, this.#batchRows);
        this.counts.statements++;
        this.counts.removed[retentionClass] += removed;
        if (removed > 0) await pause(clock, this.#pauseMs, signal);
      }
    }
    // Another process may have removed what this one found gone.
    await log.refreshFloors();
  }
}
