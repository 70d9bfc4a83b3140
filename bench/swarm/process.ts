// The bench's end of a swarm: starts the process, connects its consumers, and asks what they got.
import { join } from 'node:path';
import { hasEnded, startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { waitFor } from '../kit/wait.ts';
import { swarmMessage } from './messages.ts';
import type { Dialect, SocketSpec, SwarmMessage, SwarmRequest } from './messages.ts';

const connectWithinMs = 120_000;
const answerWithinMs = 60_000;

export interface Received {
  readonly deliveries: readonly number[];
  /** When the last one was read: milliseconds since the epoch. */
  readonly lastAt: number;
  readonly bytes: number;
  /** By event id, if they were kept. */
  readonly times: Readonly<Record<string, readonly number[]>>;
}

export interface Swarm {
  readonly pid: number | undefined;
  /** Adds consumers; resolves when all of them can get events. */
  connect(dialect: Dialect, port: number, sockets: readonly SocketSpec[]): Promise<void>;
  /** Counts from 0. */
  begin(options?: { readonly keepTimes?: boolean }): Promise<void>;
  /** So far, up to a fiftieth of a second late. Throws once a consumer has failed. */
  deliveries(): number;
  report(): Promise<Received>;
}

type Last = { [Kind in SwarmMessage['kind']]?: Extract<SwarmMessage, { kind: Kind }> };

/** Adds itself to `closing`. */
export function startSwarm(signal: AbortSignal, closing: Closing): Swarm {
  const child = startChild({
    program: join(import.meta.dirname, 'main.ts'),
    // Its stdout is not ours to write on.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  let last: Last = {};
  closing.push(() => stopChild(child));
  child.on('message', (message) => {
    const parsed = swarmMessage.parse(message);
    Object.assign(last, { [parsed.kind]: parsed });
  });
  const sound = <T>(value: T): T => {
    if (last.failed) throw new Error(`a consumer failed: ${last.failed.why}`);
    if (hasEnded(child)) throw new Error('the swarm ended');
    return value;
  };
  const ask = async <K extends keyof Last>(request: SwarmRequest, answer: K, withinMs = answerWithinMs) => {
    const { [answer]: _before, ...rest } = last;
    last = rest as Last;
    child.send(request);
    return waitFor<NonNullable<Last[K]>>(() => sound(last[answer]) ?? undefined, {
      what: `the swarm's ${answer}`,
      withinMs,
      signal,
    });
  };
  return {
    pid: child.pid,
    async connect(dialect, port, sockets) {
      await ask({ kind: 'connect', dialect, port, sockets: [...sockets] }, 'connected', connectWithinMs);
    },
    async begin({ keepTimes = false } = {}) {
      await ask({ kind: 'begin', keepTimes }, 'begun');
      delete last.progress;
    },
    deliveries: () => sound(last.progress?.deliveries ?? 0),
    report: () => ask({ kind: 'report' }, 'report'),
  };
}
