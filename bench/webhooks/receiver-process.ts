// The bench's end of its receiver: starts the process, follows what it has got, and asks for the whole list at the end.
import { join } from 'node:path';
import { hasEnded, startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { basePath, hangArgument, receiverMessage } from './receiver-messages.ts';
import type { ReceiverMessage, ReceiverRequest } from './receiver-messages.ts';
import { waitFor } from '../kit/wait.ts';

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
  /** From now on some signatures are looked at; one that is wrong is an error of the report. */
  trust(secret: string): void;
  /** By `arrivalKey`. Rejects when a request was cut short or signed wrongly. */
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
  let isTrusting = false;
  const ask = (request: ReceiverRequest): void => {
    isTrusting ||= request.kind === 'secret';
    child.send(request);
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
    trust: (secret) => ask({ kind: 'secret', secret }),
    async report() {
      ask({ kind: 'report' });
      const { arrivals, refused, verified, forged } = await waitFor(() => alive(last.report), {
        what: "the receiver's report",
        withinMs: reportWithinMs,
        signal,
      });
      if (refused > 0) throw new Error(`${refused} requests were cut short or no events`);
      if (forged > 0) throw new Error(`${forged} of ${verified} signatures were wrong`);
      if (isTrusting && verified === 0) throw new Error('not one signature was looked at');
      return new Map(arrivals.map(([key, at, requests]) => [key, { at, requests }]));
    },
  };
}
