// A consumer's process: reads relay.v1 and acknowledges, and does as little else as a consumer can, since it shares the machine
// with what is measured. It takes of each frame what stands in front: the cursor, and the id of the event.
import { WebSocket } from 'ws';
import { now } from '../kit/wait.ts';
import { consumerRequest } from './consumer-messages.ts';
import type { ConsumerAnswer, ConsumerRequest } from './consumer-messages.ts';

/** Often enough that the relay never waits for one: it sends 256 ahead. */
const ackEvery = 64;
const stalledMs = 30_000;
const eventHead = /^\{"type":"event","cursor":"([^"]+)","attempt":\d+,"event":\{"id":"([^"]+)"/u;
/** The cursor and the id are within it. */
const headLength = 256;

type Place = Extract<ConsumerRequest, { url: string }>;

const tell = (answer: ConsumerAnswer): void => void process.send?.(answer);
const fail = (error: unknown): void => tell({ kind: 'failed', message: String(error) });
let arrivals: [string, number][] = [];
let followed: WebSocket | undefined;

/** `event` is called for each one, in order. */
function connect(
  { url, clientId, clientSecret }: Place,
  event: (cursor: string, id: string) => void,
): WebSocket {
  const headers = { 'x-client-id': clientId, 'x-client-secret': clientSecret };
  const socket = new WebSocket(url, ['relay.v1'], { headers, perMessageDeflate: false });
  let unacknowledged = 0;
  socket.on('message', (data: Buffer) => {
    const head = eventHead.exec(data.toString('latin1', 0, headLength));
    const [, cursor, id] = head ?? [];
    if (cursor === undefined || id === undefined) return;
    event(cursor, id);
    if (++unacknowledged < ackEvery || socket.readyState !== WebSocket.OPEN) return;
    unacknowledged = 0;
    socket.send(JSON.stringify({ type: 'ack', cursor }));
  });
  socket.on('error', fail);
  return socket;
}

function read(request: Extract<ConsumerRequest, { kind: 'read' }>): void {
  const askedAt = now();
  let firstAt = 0;
  let events = 0;
  const stalled = setTimeout(() => fail(new Error(`only ${events} events came`)), stalledMs);
  const socket = connect(request, (cursor) => {
    if (events >= request.events) return;
    if (events++ === 0) firstAt = now();
    if (events < request.events) return;
    tell({ kind: 'read', events, askedAt, firstAt, lastAt: now(), lastCursor: cursor });
    clearTimeout(stalled);
    socket.close();
  });
}

function follow(request: Extract<ConsumerRequest, { kind: 'follow' }>): void {
  followed?.close();
  arrivals = [];
  followed = connect(request, (_cursor, id) => void arrivals.push([id, now()]));
  // The first frame is the greeting: from then on it is live.
  followed.once('message', () => tell({ kind: 'following' }));
}

process.on('message', (message) => {
  const request = consumerRequest.parse(message);
  if (request.kind === 'read') read(request);
  else if (request.kind === 'follow') follow(request);
  else {
    followed?.close();
    tell({ kind: 'report', arrivals });
  }
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
tell({ kind: 'started' });
