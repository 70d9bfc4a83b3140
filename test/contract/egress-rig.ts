// A receiver on 127.0.0.1 that counts what reaches it, and a client of undici behind the guarded connector whose every
// socket is counted where Node opens it. Shared by the tests of the egress guard.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { Agent, request } from 'undici';
import { parseCidrs } from '../../src/domain/cidr.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { GuardedConnectorDeps, Lookup } from '../../src/delivery/webhooks/egress/index.ts';
import { createEgressGuard, guardedConnector } from '../../src/delivery/webhooks/egress/index.ts';

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** Connections and requests so far, and who is still connected. */
  readonly seen: { connections: number; requests: number };
  readonly live: ReadonlySet<Socket>;
}

export async function startReceiver(
  answer: RequestListener = (_, response) => response.writeHead(204).end(),
): Promise<Receiver> {
  const seen = { connections: 0, requests: 0 };
  const live = new Set<Socket>();
  const server = createServer((incoming, response) => {
    seen.requests++;
    answer(incoming, response);
  });
  server.on('connection', (socket) => {
    seen.connections++;
    live.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => live.delete(socket));
  });
  const port = await listening(server);
  return { port, seen, live, [Symbol.asyncDispose]: () => closed(server) };
}

const listening = (server: Server) =>
  new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

const closed = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** Every client socket that this process opens until it is disposed of: none can be opened past it. */
export function watchSockets(): Disposable & { readonly opened: Socket[] } {
  const opened: Socket[] = [];
  const onOpen = (message: unknown) => {
    opened.push((message as { socket: Socket }).socket);
  };
  subscribe('net.client.socket', onOpen);
  return { opened, [Symbol.dispose]: () => unsubscribe('net.client.socket', onOpen) };
}

export type Names = Readonly<Record<string, readonly (readonly string[])[]>>;

/** A resolver from a table: each name with its answers in turn, the last one for ever. */
export function scriptedLookup(names: Names): Lookup & { readonly asked: string[] } {
  const asked: string[] = [];
  const lookup: Lookup = async (hostname) => {
    const answers = names[hostname];
    if (!answers) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
    const turn = asked.filter((name) => name === hostname).length;
    asked.push(hostname);
    return (answers[turn] ?? answers.at(-1) ?? []).map((address) => ({ address }));
  };
  return Object.assign(lookup, { asked });
}

export interface ClientOptions {
  readonly names?: Names;
  readonly lookup?: Lookup;
  readonly allow?: string;
  readonly clock?: Clock;
  /** Connects to this port of 127.0.0.1, whatever address was vetted; `dialled` tells which. */
  readonly instead?: number;
  readonly connector?: Partial<GuardedConnectorDeps>;
}

export interface Client extends AsyncDisposable {
  readonly guard: ReturnType<typeof createEgressGuard>;
  readonly dialled: string[];
  /** Resolves with the status; rejects with whatever undici reports. */
  post(url: string): Promise<number>;
}

export function startClient(options: ClientOptions): Client {
  const list = parseCidrs(options.allow ?? '');
  if (!list.ok) throw new Error(list.bad);
  const clock = options.clock ?? systemClock;
  const lookup = options.lookup ?? scriptedLookup(options.names ?? {});
  const guard = createEgressGuard({ allowedCidrs: list.cidrs, lookup, clock });
  const dialled: string[] = [];
  const { instead } = options;
  const redirected: Partial<GuardedConnectorDeps> =
    instead === undefined
      ? {}
      : {
          openSocket: ({ address }) => {
            dialled.push(address);
            return connect(instead, '127.0.0.1');
          },
        };
  const agent = new Agent({
    connect: guardedConnector({ guard, clock, connectTimeoutMs: 5_000, ...redirected, ...options.connector }),
  });
  return {
    guard,
    dialled,
    async post(url) {
      const { statusCode, body } = await request(url, { dispatcher: agent, method: 'POST', body: '{}' });
      await body.dump();
      return statusCode;
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
