// The receiver's process: accepts every request that came whole and is an event, and notes when which event came on which
// path. It does as little else as a receiver can, since it shares the machine with what is measured. Told to hang, it
// answers no event.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { decodeSecret, signedPrefix, webhookHeaders } from '../../src/protocol/webhook-signature.ts';
import { arrivalKey, hangArgument, receiverRequest } from './receiver-messages.ts';
import type { ReceiverMessage } from './receiver-messages.ts';
import { headerOf, pathOf, RequestReader } from './request-reader.ts';
import type { ReadRequest } from './request-reader.ts';
import { now } from '../kit/wait.ts';

const tellEveryMs = 20;
/** A signature costs as much as everything else here: of so many requests one is looked at. */
const verifyOneIn = 16;
/** The relay's own events say so among their first members. */
const providerWithinBytes = 256;
const fromRelay = Buffer.from('"provider":"relay"');

const accepted = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
const badRequest = Buffer.from('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
const [openBrace, closeBrace] = [0x7b, 0x7d];

const hangs = process.argv.includes(hangArgument);
const arrivals = new Map<string, { readonly at: number; requests: number }>();
let key: Uint8Array | undefined;
let requests = 0;
let told = 0;
let refused = 0;
let verified = 0;
let forged = 0;

const tell = (message: ReceiverMessage): void => void process.send?.(message);

function answerTo({ head, body }: ReadRequest): Buffer | undefined {
  const id = headerOf(head, webhookHeaders.id);
  if (id === undefined || !isWhole(body, id)) {
    refused += 1;
    return badRequest;
  }
  // The relay's own events are not among those that were sent.
  if (isRelays(body)) return accepted;
  requests += 1;
  const name = arrivalKey(id, pathOf(head));
  const known = arrivals.get(name);
  if (known) known.requests += 1;
  else arrivals.set(name, { at: now(), requests: 1 });
  if (key && requests % verifyOneIn === 0) verify(key, id, head, body);
  return hangs ? undefined : accepted;
}

/** An object, to its last brace, and about the event that its header names. */
const isWhole = (body: Buffer, id: string): boolean =>
  body[0] === openBrace && body.at(-1) === closeBrace && body.includes(id);

function isRelays(body: Buffer): boolean {
  const at = body.indexOf(fromRelay);
  return at >= 0 && at < providerWithinBytes;
}

function verify(secret: Uint8Array, id: string, head: Buffer, body: Buffer): void {
  const timestamp = Number(headerOf(head, webhookHeaders.timestamp));
  const hmac = createHmac('sha256', secret).update(signedPrefix(id, timestamp)).update(body);
  verified += 1;
  if (headerOf(head, webhookHeaders.signature) !== `v1,${hmac.digest('base64')}`) forged += 1;
}

function serve(socket: Socket): void {
  const reader = new RequestReader();
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const request of reader.read(chunk)) {
        const answer = answerTo(request);
        if (answer) socket.write(answer);
      }
    } catch {
      refused += 1;
      socket.destroy();
    }
  });
}

const server = createServer({ noDelay: true }, serve);
server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () =>
  tell({ kind: 'listening', port: (server.address() as AddressInfo).port }),
);
setInterval(() => {
  if (requests === told) return;
  told = requests;
  tell({ kind: 'progress', events: arrivals.size, requests });
}, tellEveryMs);
process.on('message', (message) => {
  const request = receiverRequest.parse(message);
  if (request.kind === 'secret') {
    key = decodeSecret(request.secret);
    return;
  }
  const list = [...arrivals].map(([name, one]): [string, number, number] => [name, one.at, one.requests]);
  tell({ kind: 'report', arrivals: list, refused, verified, forged });
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
