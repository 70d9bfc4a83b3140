// How much processor time a process has used, where the system tells (Linux).
import { readFile } from 'node:fs/promises';

/** Of every Linux that Node runs on. */
const ticksPerSecond = 100;

/** User and system time in seconds; undefined where it cannot be known. */
export async function cpuSeconds(pid: number | undefined): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields?.[11]) + Number(fields?.[12]);
  return Number.isFinite(ticks) ? ticks / ticksPerSecond : undefined;
}
