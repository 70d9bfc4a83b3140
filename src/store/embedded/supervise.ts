// Keeps one worker running: whoever dies unasked is started again after a pause. It knows nothing of what they do.
import type { Cancel, Clock } from '../../runtime/clock.ts';

/** How long a worker that died is left alone before the next one starts. */
const restartDelayMs = 1000;

/** What is watched of a worker. */
export interface Supervised {
  /** Settles when it has ended, for whatever reason, with the fault if there was one. */
  readonly ended: Promise<unknown>;
  /** Asks it to end and waits for that. */
  stop(): Promise<void>;
}

export type Report = (message: string, error?: unknown) => void;

/** Starts one, rejecting when the first start fails, and keeps one running until the answer is called. */
export async function supervise(
  start: () => Promise<Supervised>,
  { clock, report }: { clock: Clock; report: Report },
): Promise<() => Promise<void>> {
  let stopping = false;
  let cancel: Cancel = () => {};
  let starting: Promise<void> = Promise.resolve();
  let current = await start();
  const watch = async (worker: Supervised) => {
    const fault = await worker.ended;
    if (stopping) return;
    report('The embedded database stopped; starting it again.', fault);
    again();
  };
  const restart = async () => {
    try {
      current = await start();
    } catch (error) {
      report('The embedded database does not start.', error);
      again();
      return;
    }
    void watch(current);
  };
  const again = () => {
    if (stopping) return;
    cancel = clock.after(restartDelayMs, () => {
      starting = restart();
    });
  };
  void watch(current);
  return async () => {
    stopping = true;
    cancel();
    await starting;
    await current.stop();
  };
}
