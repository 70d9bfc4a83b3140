// Running one check of the house within a deadline: a check that hangs or throws has failed.
import type { Clock } from '../runtime/clock.ts';
import type { HttpDeps, ReadinessCheck } from './port.ts';

/** Probes commonly give up after a few seconds themselves. */
export const checkDeadlineMs = 2_000;

export interface CheckLine {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Never rejects. */
export async function lineOf(
  { clock, log }: Pick<HttpDeps, 'clock' | 'log'>,
  readiness: ReadinessCheck,
): Promise<CheckLine> {
  const { name } = readiness;
  const late = { ok: false, detail: `no answer within ${checkDeadlineMs} ms` };
  try {
    return { name, ...(await within(clock, checkDeadlineMs, readiness.check(), late)) };
  } catch (error) {
    log.debug({ check: name, err: error }, 'readiness check failed');
    return { name, ok: false, detail: 'the check failed; the log says why' };
  }
}

/** What the work gives, or `otherwise` once the time is over. Rejects as the work does. */
export async function within<T>(
  clock: Clock,
  deadlineMs: number,
  work: Promise<T>,
  otherwise: T,
): Promise<T> {
  let cancel = () => {};
  const late = new Promise<T>((resolve) => {
    cancel = clock.after(deadlineMs, () => resolve(otherwise));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
