// The receiver's process: accepts every request, after parsing it, and notes when which event came. It does as little else
// as a receiver can, since it shares the machine with what is measured.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { reportRequest } from './receiver-messages.ts';
import type { ReceiverMessage } from './receiver-messages.ts';
import { now } from './wait.ts';

const tellEveryMs = 50;

const body = z.object({ id: z.string(), provider: z.string() });
const arrivals = new Map<string, { readonly at: number; requests: number }>();
let requests = 0;
let told = 0;

const tell = (message: ReceiverMessage): void => void process.send?.(message);

function take(text: string): void {
  const { id, provider } = body.parse(JSON.parse(text));
  // The relay's own events are not among those that were sent.
  if (provider === 'relay') return;
  requests += 1;
  const known = arrivals.get(id);
  if (known) known.requests += 1;
  else arrivals.set(id, { at: now(), requests: 1 });
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

const server = createServer((request, response) => {
  textOf(request).then(
    (text) => {
      take(text);
      response.writeHead(204).end();
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
  const list = [...arrivals].map(([id, one]): [string, number, number] => [id, one.at, one.requests]);
  tell({ kind: 'report', arrivals: list });
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
