// The swarm, a process of its own: many consumers, each on its socket, counting every delivery.
import { now } from '../kit/wait.ts';
import { Consumer, eventIdAt } from './consumer.ts';
import { swarmRequest } from './messages.ts';
import type { SwarmMessage, SwarmRequest } from './messages.ts';

const tellEveryMs = 20;
/** Sockets being opened at a time: fewer than a listening socket queues. */
const opening = 50;

const tell = (message: SwarmMessage) => void process.send?.(message);
const failed = (why: string) => tell({ kind: 'failed', why });

let consumers: Consumer[] = [];
let total = 0;
let told = 0;
let lastAt = 0;
let times: Record<string, number[]> | undefined;

function delivered(bytes: Buffer, from: number): void {
  total++;
  if (times) (times[eventIdAt(bytes, from)] ??= []).push(now());
}

const progress = setInterval(() => {
  if (total === told) return;
  told = total;
  tell({ kind: 'progress', deliveries: total, lastAt });
}, tellEveryMs);

async function connect({ dialect, port, sockets }: Extract<SwarmRequest, { kind: 'connect' }>) {
  const specs = sockets.map((spec) => ({ headers: {}, ...spec }));
  for (let from = 0; from < specs.length; from += opening) {
    const some = specs.slice(from, from + opening).map(
      (spec) =>
        new Consumer({
          dialect,
          port,
          spec,
          failed,
          delivered,
          worked: () => (lastAt = now()),
        }),
    );
    consumers = [...consumers, ...some];
    await Promise.all(some.map(({ ready }) => ready));
  }
  tell({ kind: 'connected' });
}

function begin({ keepTimes }: Extract<SwarmRequest, { kind: 'begin' }>): void {
  for (const consumer of consumers) Object.assign(consumer, { deliveries: 0, bytes: 0 });
  total = 0;
  told = 0;
  times = keepTimes ? {} : undefined;
  tell({ kind: 'begun' });
}

const report = () =>
  tell({
    kind: 'report',
    deliveries: consumers.map(({ deliveries }) => deliveries),
    bytes: consumers.reduce((sum, { bytes }) => sum + bytes, 0),
    lastAt,
    times: times ?? {},
  });

process.on('message', (message) => {
  const request = swarmRequest.parse(message);
  if (request.kind === 'connect') connect(request).catch((error: unknown) => failed(String(error)));
  else if (request.kind === 'begin') begin(request);
  else report();
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  clearInterval(progress);
  process.exit(0);
});
