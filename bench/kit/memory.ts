// How much memory of a process is in RAM, where the system tells (Linux).
import { readFile } from 'node:fs/promises';

/** Kilobytes; undefined where it cannot be known. */
export async function residentKb(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  const kb = Number(/^VmRSS:\s+(\d+) kB/mu.exec(status ?? '')?.[1]);
  return Number.isFinite(kb) ? kb : undefined;
}
