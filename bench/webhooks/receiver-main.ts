// The receiver's process: accepts every request, after parsing it, and notes when which event came on which path. It does as
// little else as a receiver can, since it shares the machine with what is measured. Told to hang, it answers no event.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { arrivalKey, hangArgument, reportRequest } from './receiver-messages.ts';
import type { ReceiverMessage } from './receiver-messages.ts';
import { now } from './wait.ts';

const tellEveryMs = 50;

const hangs = process.argv.includes(hangArgument);
const body = z.object({ id: z.string(), provider: z.string() });
const arrivals = new Map<string, { readonly at: number; requests: number }>();
let requests = 0;
let told = 0;

const tell = (message: ReceiverMessage): void => void process.send?.(message);

/** Whether it is to be answered. */
function take(path: string, text: string): boolean {
  const { id, provider } = body.parse(JSON.parse(text));
  // The relay's own events are not among those that were sent.
  if (provider === 'relay') return true;
  requests += 1;
  const key = arrivalKey(id, path);
  const known = arrivals.get(key);
  if (known) known.requests += 1;
  else arrivals.set(key, { at: now(), requests: 1 });
  return !hangs;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

const server = createServer((request, response) => {
  textOf(request).then(
    (text) => {
      if (take(request.url ?? '', text)) response.writeHead(204).end();
    },
    () => response.destroy(),
  );
});
server.listen(0, '127.0.0.1', () =>
  tell({ kind: 'listening', port: (server.address() as AddressInfo).port }),
);
setInterval(() => {
  if (requests === told) return;
  told = requests;
  tell({ kind: 'progress', events: arrivals.size, requests });
}, tellEveryMs);
process.on('message', (message) => {
  if (message !== reportRequest) return;
  const list = [...arrivals].map(([key, one]): [string, number, number] => [key, one.at, one.requests]);
  tell({ kind: 'report', arrivals: list });
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
