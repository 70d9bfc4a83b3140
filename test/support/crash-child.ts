// A relay in a process of its own that ends itself with SIGKILL when it comes to a point for the n-th time. Its parent says
// over IPC which point, and when to begin counting; the point's name is told before the process dies.
import { loadConfig } from '../../src/config/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import type { CrashPoint } from '../../src/runtime/crash-points.ts';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';

/** From the parent: count from now on, and die. */
export interface Arm {
  readonly point: CrashPoint;
  readonly hits: number;
}

/** To the parent. */
export type FromChild = { readonly url: string } | { readonly died: CrashPoint } | { readonly armed: true };

let armed: Arm | undefined;
let seen = 0;

const tell = (message: FromChild): void => void process.send?.(message);

function crash(point: CrashPoint): void {
  if (point !== armed?.point || ++seen < armed.hits) return;
  // Written to the channel within the call; the kernel keeps it for the parent.
  tell({ died: point });
  process.kill(process.pid, 'SIGKILL');
}

process.on('message', (message: Arm) => {
  armed = message;
  seen = 0;
  tell({ armed: true });
});
// Without its parent it has no purpose.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const loaded = loadConfig(process.env);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const { url } = await startDaemon(loaded.config, {
  crash,
  timings: { ...defaultTimings, backOff: { firstMs: 20, maxMs: 200 }, coverageMs: 100 },
});
tell({ url });
