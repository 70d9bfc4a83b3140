// The bench's end of the crowd of idle sockets.
import { join } from 'node:path';
import { hasEnded, startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { waitFor } from '../kit/wait.ts';
import { crowdMessage } from './crowd-messages.ts';
import type { CrowdMessage, CrowdRequest } from './crowd-messages.ts';

const startWithinMs = 20_000;
const connectedWithinMs = 120_000;

export interface Crowd {
  /** Throws when one of them is not there any more. */
  check(): void;
  leave(): Promise<void>;
}

/** Resolves when all are open. Adds its end to `closing`. */
export async function gather(request: CrowdRequest, signal: AbortSignal, closing: Closing): Promise<Crowd> {
  const child = startChild({
    program: join(import.meta.dirname, 'crowd-main.ts'),
    // Its stdout is not ours to write on.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  const heard: CrowdMessage[] = [];
  child.on('message', (message) => heard.push(crowdMessage.parse(message)));
  const check = (): void => {
    for (const message of heard) if (message.kind === 'failed') throw new Error(message.message);
    if (hasEnded(child)) throw new Error('the crowd ended');
  };
  const until = (kind: CrowdMessage['kind'], withinMs: number) =>
    waitFor(
      () => {
        check();
        return heard.find((message) => message.kind === kind);
      },
      { what: `the crowd to be ${kind}`, withinMs, signal },
    );
  await until('started', startWithinMs);
  child.send(request);
  await until('connected', connectedWithinMs);
  return { check, leave: () => stopChild(child) };
}
