// TLS through the guarded connector: the socket goes to the vetted address, the handshake and the certificate are the
// name's, and a failed handshake leaves nothing open.
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTcp, createServer as createTcp } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { createEgressGuard, guardedConnector } from '../../src/delivery/webhooks/egress/index.ts';
import { parseCidrs } from '../../src/domain/cidr.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { selfSigned } from '../support/self-signed.ts';
import { until } from '../support/until.ts';
import type { Names } from './egress-rig.ts';
import { startClient, watchSockets } from './egress-rig.ts';

const allow = '127.0.0.0/8';
const trusting = { tls: { ca: selfSigned.cert } };
const names: Names = {
  'receiver.test': [['127.0.0.1']],
  'receiver.test.': [['127.0.0.1']],
  'other.test': [['127.0.0.1']],
};

async function startTls() {
  const servernames: (string | false | null)[] = [];
  const live = new Set<Socket>();
  const server = createHttps(selfSigned, (request, response) => {
    servernames.push((request.socket as TLSSocket).servername ?? null);
    response.writeHead(204).end();
  });
  server.on('connection', (socket: Socket) => {
    live.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => live.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    servernames,
    live,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

it.each(['receiver.test', 'receiver.test.', 'RECEIVER.test'])(
  '%s: the handshake is for the name, on a socket to the address',
  async (host) => {
    await using server = await startTls();
    await using client = startClient({ names, allow, connector: trusting });
    using sockets = watchSockets();
    expect(await client.post(`https://${host}:${server.port}/`)).toBe(204);
    expect(server.servernames).toEqual(['receiver.test']);
    expect(sockets.opened[0]?.remoteAddress).toBe('127.0.0.1');
  },
);

it('a handshake for an address names no server, and is held to the address', async () => {
  await using server = await startTls();
  await using client = startClient({ allow, connector: trusting });
  expect(await client.post(`https://127.0.0.1:${server.port}/`)).toBe(204);
  expect(server.servernames).toEqual([false]);
});

it.each(['[::1]', '::1'])('and so is one for %s, however it is written', async (hostname) => {
  await using server = await startTls();
  const allowed = parseCidrs('::1/128');
  const connect = guardedConnector({
    guard: createEgressGuard({ allowedCidrs: allowed.ok ? allowed.cidrs : [] }),
    clock: systemClock,
    connectTimeoutMs: 5_000,
    openSocket: (_address, port) => connectTcp(port, '127.0.0.1'),
    ...trusting,
  });
  const socket = await new Promise<Socket>((resolve, reject) =>
    connect({ hostname, protocol: 'https:', port: String(server.port) }, (...[error, made]) =>
      error ? reject(error) : resolve(made),
    ),
  );
  socket.resume().write('POST / HTTP/1.1\r\nhost: [::1]\r\nconnection: close\r\n\r\n');
  await until(() => socket.destroyed, { what: 'the end of the connection' });
  expect(server.servernames).toEqual([false]);
});

it.each(['other.test', '127.0.0.2'])('a certificate that is not for %s is refused', async (host) => {
  await using server = await startTls();
  await using client = startClient({ names, allow, instead: server.port, connector: trusting });
  using sockets = watchSockets();
  await expect(client.post(`https://${host}:${server.port}/`)).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
  expect(server.servernames).toEqual([]);
  expect(sockets.opened.map((socket) => socket.destroyed)).toEqual([true]);
  await until(() => server.live.size === 0, { what: 'the end of the connection' });
});

it('a certificate of nobody known is refused', async () => {
  await using server = await startTls();
  await using client = startClient({ names, allow });
  await expect(client.post(`https://receiver.test:${server.port}/`)).rejects.toMatchObject({
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  expect(server.servernames).toEqual([]);
  await until(() => server.live.size === 0, { what: 'the end of the connection' });
});

const breaks: Readonly<Record<string, readonly [answer: (socket: Socket) => unknown, code: RegExp]>> = {
  'hangs up': [(socket) => socket.once('data', () => socket.end()), /^ECONNRESET$/],
  resets: [(socket) => socket.once('data', () => socket.resetAndDestroy()), /^ECONNRESET$/],
  'speaks plain HTTP': [(socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'), /^ERR_SSL_/],
};

it.each(Object.entries(breaks))(
  'a receiver that %s in the handshake is an error, and nothing stays open',
  async (_, [answer, code]) => {
    const live = new Set<Socket>();
    let connections = 0;
    const server = createTcp((socket) => {
      connections++;
      live.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => live.delete(socket));
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    {
      await using client = startClient({ names, allow });
      using sockets = watchSockets();
      await expect(client.post(`https://receiver.test:${port}/`)).rejects.toMatchObject({
        code: expect.stringMatching(code) as string,
      });
      expect(sockets.opened.map((socket) => socket.destroyed)).toEqual([true]);
    }
    await until(() => live.size === 0, { what: 'the end of the connection' });
    expect(connections).toBe(1);
    await new Promise((resolve) => server.close(resolve));
  },
);
