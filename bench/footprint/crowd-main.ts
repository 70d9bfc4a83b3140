// The crowd's process: bare sockets with a WebSocket handshake written by hand, so that two thousand clients cost next to
// nothing. Each answers pings, which is all that an idle client does.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { crowdRequest } from './crowd-messages.ts';
import type { CrowdMessage, CrowdRequest, Dialect } from './crowd-messages.ts';

/** Handshakes under way at a time. */
const atOnce = 32;
const connectWithinMs = 30_000;
const text = 0x81;
const pong = 0x8a;
const ping = Buffer.from([0x89, 0x00]);
const headEnd = '\r\n\r\n';

const tell = (message: CrowdMessage): void => void process.send?.(message);

/** A masked frame, as a client's must be; the mask is zero, which changes nothing of the payload. */
const frame = (opcode: number, payload = ''): Buffer =>
  Buffer.concat([Buffer.from([opcode, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);

interface Talk {
  /** Sent when the first frame has come. */
  readonly greeting: Buffer | undefined;
  /** How many frames come before the socket is at rest. */
  readonly frames: number;
  isPing(chunk: Buffer): boolean;
  readonly answer: Buffer;
}

const webSocket: Talk = {
  greeting: undefined,
  frames: 1,
  // Everything else that comes is ASCII behind a frame header, which cannot hold these two bytes in a row.
  isPing: (chunk) => chunk.includes(ping),
  answer: frame(pong),
};
const talks: Readonly<Record<Dialect, Talk>> = {
  relay: webSocket,
  ws: webSocket,
  // Engine.io's own: text frames "2" and "3"; "40" joins the namespace, which is confirmed, and then the server says hello.
  'socket.io': {
    greeting: frame(text, '40'),
    frames: 2,
    isPing: (chunk) => chunk.includes(Buffer.from([text, 0x01, 0x32])),
    answer: frame(text, '3'),
  },
};

function requestText({ path, headers }: CrowdRequest['sockets'][number], port: number): string {
  const lines = {
    host: `127.0.0.1:${port}`,
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${path} HTTP/1.1`, ...head, '', ''].join('\r\n');
}

/** Resolves when it is open and greeted. */
function open({ port, dialect }: CrowdRequest, wanted: CrowdRequest['sockets'][number]): Promise<Socket> {
  const talk = talks[dialect];
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const timer = setTimeout(() => reject(new Error('a handshake took too long')), connectWithinMs);
    let head = '';
    let frames = 0;
    socket.on('data', (chunk: Buffer) => {
      if (talk.isPing(chunk)) socket.write(talk.answer);
      if (frames >= talk.frames) return;
      const before = head.includes(headEnd);
      head += chunk.toString('latin1');
      const body = head.split(headEnd)[1] ?? '';
      if (!before && !head.startsWith('HTTP/1.1 101') && head.includes('\r\n'))
        reject(new Error(head.split('\r\n')[0] ?? ''));
      if (body.length === 0) return;
      // One chunk may bring several: what matters is that the first has come, and that something came after our answer.
      frames++;
      if (frames === 1 && talk.greeting) socket.write(talk.greeting);
      if (frames < talk.frames) return;
      clearTimeout(timer);
      resolve(socket);
    });
    socket.on('error', reject);
    socket.on('close', () => tell({ kind: 'failed', message: 'a socket was closed' }));
    socket.write(requestText(wanted, port));
  });
}

async function run(message: unknown): Promise<void> {
  const request = crowdRequest.parse(message);
  const left = [...request.sockets];
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next; next = left.pop()) await open(request, next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  tell({ kind: 'connected', sockets: request.sockets.length });
}

process.on('message', (message) => {
  run(message).catch((error: unknown) => tell({ kind: 'failed', message: String(error) }));
});
// Ctrl-C reaches the whole group; this one is ended by whoever started it, or with it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
tell({ kind: 'started' });
