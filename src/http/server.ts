// The listener: one node server around the app. Owns the sockets of plain requests, how long each may take and how many
// there may be; an upgrade belongs to whoever listens for it on `server`.
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RelayError } from '../domain/errors.ts';
import { systemClock, type Clock } from '../runtime/clock.ts';
import type { Connection } from './env.ts';
import { drainUnreadBodies } from './unread-body.ts';
import { endWithProblem, parserRefusal, rawProblem } from './raw-answer.ts';

export interface ListenTimings {
  /** From the connection, or the first byte of a further request, to the end of the headers. */
  readonly headersMs: number;
  /** To the end of the body. */
  readonly requestMs: number;
  /** A connection between two requests. */
  readonly keepAliveMs: number;
  /** Nothing goes in or out while a request is answered: a client that does not read, or is gone. */
  readonly silenceMs: number;
  /** How often node looks for requests that are late. */
  readonly checkEveryMs: number;
  /** How long requests in progress may take to end once closing has begun. */
  readonly closeGraceMs: number;
}

export const listenTimings: ListenTimings = {
  // Enough for a slow client on a bad line, little enough that idle half-requests do not pile up.
  headersMs: 10_000,
  requestMs: 30_000,
  // Longer than common proxies keep theirs, so that it is not we who close under a request.
  keepAliveMs: 65_000,
  // Longer than the longest wait that may be asked for, and a read that hangs behind it.
  silenceMs: 60_000,
  // node's own half a minute would make forty seconds of ten.
  checkEveryMs: 1_000,
  closeGraceMs: 5_000,
};

/** Request line and headers together, bytes. node's own default, written down. */
const maxHeaderBytes = 16 * 1024;
/** Beside the sockets of consumers: enough that /health is answered when those are full. Beyond it the system refuses. */
const sparePlainConnections = 1_000;
const defaultSockets = 10_000;

export interface Listener {
  readonly server: Server;
  /** `http://host:port`, with the port that was really taken. */
  readonly url: string;
  /**
   * Takes no more requests and resolves when the last socket is gone; requests in progress get a few seconds. Upgraded
   * sockets are their owner's to close first: the server waits for them.
   */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly app: {
    fetch(request: Request, connection: Connection): Response | Promise<Response>;
  };
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly clock?: Clock;
  /** How many upgraded ones there may be; a thousand more connections are taken for plain requests. */
  readonly maxSockets?: number;
  readonly timings?: Partial<ListenTimings>;
}

/** Resolves once connections are taken; rejects with the system's error (EADDRINUSE, EACCES) otherwise. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { app, host, port, clock = systemClock, maxSockets = defaultSockets } = options;
  const timings = { ...listenTimings, ...options.timings };
  const server = createServer({
    headersTimeout: timings.headersMs,
    requestTimeout: timings.requestMs,
    keepAliveTimeout: timings.keepAliveMs,
    connectionsCheckingInterval: timings.checkEveryMs,
    maxHeaderSize: maxHeaderBytes,
    // node would refuse it without a document.
    requireHostHeader: false,
  });
  server.timeout = timings.silenceMs;
  server.maxConnections = maxSockets + sparePlainConnections;
  // node would leave out those beyond the number without a word; the door counts them and refuses.
  server.maxHeadersCount = 0;
  const answer = getRequestListener(
    (request, env) => app.fetch(request, 'incoming' in env ? connectionOf(env.incoming) : {}),
    { errorHandler: notARequest, autoCleanupIncoming: false },
  );
  server.on('request', (request, response) => void answer(request, response));
  refuseWhatIsNoRequest(server, clock);
  drainUnreadBodies(server, clock);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  let closing: Promise<void> | undefined;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // A connection whose last answer leaves after closing began would otherwise idle on until its keep-alive ends.
  server.on('request', (_request, response: ServerResponse) => {
    response.once('close', () => {
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
  });
  const address = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  const close = () => closeAll({ server, sockets, clock, graceMs: timings.closeGraceMs });
  return { server, url: `http://${shown}:${address.port}`, close: () => (closing ??= close()) };
}

const connectionOf = ({
  socket,
  url = '',
  rawHeaders,
}: Pick<IncomingMessage, 'socket' | 'url' | 'rawHeaders'>) => ({
  peer: socket.remoteAddress,
  targetLength: url.length,
  headerCount: rawHeaders.length / 2,
});

/** The app answers its own faults, so what arrives here never became a request: its target and host make no URL. */
function notARequest(): Response {
  const message = 'the request target or the Host header makes no URL';
  const error = new RelayError('malformed_request', 400, message);
  const { headers, body } = rawProblem(error);
  return new Response(body, { status: error.status, headers });
}

/** node answers these itself, with a bare status line or by hanging up. */
function refuseWhatIsNoRequest(server: Server, clock: Clock): void {
  const answering = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answering.set(request.socket, response);
  });
  server.on('clientError', (error: Error & { code?: unknown; rawPacket?: unknown }, socket: Socket) => {
    const response = answering.get(socket);
    const isMidAnswer = response !== undefined && response.headersSent && !response.writableFinished;
    if (isMidAnswer || error.code === 'ECONNRESET') socket.destroy();
    else endWithProblem(socket, parserRefusal(error.code), { clock, isHead: isHead(error.rawPacket) });
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    // node has taken its own listener off such a socket: a reset without one would be the end of the process.
    socket.on('error', () => socket.destroy());
    const error = new RelayError('method_not_allowed', 405, 'this is no proxy: CONNECT is not served');
    endWithProblem(socket, error, { clock });
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const error = new RelayError(
      'unknown_expectation',
      417,
      'Expect: nothing but 100-continue is understood',
    );
    const { headers, body } = rawProblem(error);
    response.writeHead(error.status, headers).end(body);
  });
}

/** As far as can be seen: of a head that comes in pieces only the last is there. */
const isHead = (packet: unknown): boolean =>
  Buffer.isBuffer(packet) && packet.subarray(0, 5).toString('latin1') === 'HEAD ';

interface Closing {
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly clock: Clock;
  readonly graceMs: number;
}

async function allClosed(sockets: ReadonlySet<Socket>): Promise<void> {
  await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
}

function closeAll({ server, sockets, clock, graceMs }: Closing): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(graceMs, () => server.closeAllConnections());
    server.close((error) => {
      cancel();
      if (error) reject(error);
      // The server is done a moment before its last sockets have said so.
      else resolve(allClosed(sockets));
    });
    server.closeIdleConnections();
    // To node a connection on which nothing was ever sent is not idle but about to send a request.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  });
}
