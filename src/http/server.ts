// The listener: one node server around the app. Owns the sockets of plain requests; an upgrade belongs to whoever
// listens for it on `server`.
import { randomUUID } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RelayError } from '../domain/errors.ts';
import { systemClock, type Clock } from '../runtime/clock.ts';
import { problemOf } from './problem.ts';

/** Enough for a slow client on a bad line, little enough that idle half-requests do not pile up. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** Longer than common proxies keep theirs, so that it is not we who close under a request. */
const keepAliveTimeoutMs = 65_000;
/** How long requests in progress may take to end once closing has begun. */
const closeGraceMs = 5_000;

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
  readonly app: { fetch(request: Request, ...rest: never[]): Response | Promise<Response> };
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly clock?: Clock;
}

/** Resolves once connections are taken; rejects with the system's error (EADDRINUSE, EACCES) otherwise. */
export async function listen({ app, host, port, clock = systemClock }: ListenOptions): Promise<Listener> {
  const answer = getRequestListener((request) => app.fetch(request), { errorHandler: notARequest });
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
    },
    (request, response) => void answer(request, response),
  );
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
  return {
    server,
    url: `http://${shown}:${address.port}`,
    close: () => (closing ??= closeAll(server, sockets, clock)),
  };
}

/** The app answers its own faults, so what arrives here never became a request: its target and host make no URL. */
function notARequest(): Response {
  const error = new RelayError(
    'malformed_request',
    400,
    'the request target or the Host header makes no URL',
  );
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
  return new Response(JSON.stringify(problemOf(error, randomUUID())), { status: error.status, headers });
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(closeGraceMs, () => server.closeAllConnections());
    server.close((error) => {
      cancel();
      if (error) reject(error);
      else resolve();
    });
    server.closeIdleConnections();
    // To node a connection on which nothing was ever sent is not idle but about to send a request.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  });
}
