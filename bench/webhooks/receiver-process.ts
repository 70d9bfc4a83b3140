// The bench's end of its receiver: starts the process, follows what it has got, and asks for the whole list at the end.
import { join } from 'node:path';
import { hasEnded, startChild, stopChild } from './child.ts';
import type { Closing } from './clean-up.ts';
import { basePath, hangArgument, receiverMessage, reportRequest } from './receiver-messages.ts';
import type { ReceiverMessage } from './receiver-messages.ts';
import { waitFor } from './wait.ts';

const startWithinMs = 20_000;
const reportWithinMs = 20_000;

/** Of one event. */
export interface Arrival {
  readonly at: number;
  readonly requests: number;
}

export interface ReceiverProcess {
  readonly url: string;
  readonly pid: number | undefined;
  /** Distinct arrivals so far, up to a twentieth of a second late. */
  readonly events: () => number;
  readonly requests: () => number;
  /** By `arrivalKey`. */
  report(): Promise<ReadonlyMap<string, Arrival>>;
}

/** What it opens, it adds to `closing`. */
export async function startReceiver(
  signal: AbortSignal,
  closing: Closing,
  { hangs = false } = {},
): Promise<ReceiverProcess> {
  const child = startChild({
    program: join(import.meta.dirname, 'receiver-main.ts'),
    args: hangs ? [hangArgument] : [],
    // Its stdout is not ours to write on.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  const last: { [Kind in ReceiverMessage['kind']]?: Extract<ReceiverMessage, { kind: Kind }> } = {};
  child.on('message', (message) => {
    const parsed = receiverMessage.parse(message);
    Object.assign(last, { [parsed.kind]: parsed });
  });
  const alive = <T>(value: T | undefined): T | undefined => {
    if (hasEnded(child)) throw new Error('the receiver ended');
    return value;
  };
  const port = await waitFor(() => alive(last.listening?.port), {
    what: 'the receiver to start',
    withinMs: startWithinMs,
    signal,
  });
  return {
    url: `http://127.0.0.1:${port}${basePath}`,
    pid: child.pid,
    events: () => alive(last.progress?.events) ?? 0,
    requests: () => alive(last.progress?.requests) ?? 0,
    async report() {
      child.send(reportRequest);
      const arrivals = await waitFor(() => alive(last.report?.arrivals), {
        what: "the receiver's report",
        withinMs: reportWithinMs,
        signal,
      });
      return new Map(arrivals.map(([key, at, requests]) => [key, { at, requests }]));
    },
  };
}
