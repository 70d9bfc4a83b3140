// How a connection to a receiver is opened: name, guard, TCP, TLS, all within one deadline. Every socket to a receiver
// comes from here; it goes to an address that the guard has just vetted and to no other, so a name that changes its mind gains nothing.
import type { Socket } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../../../runtime/clock.ts';
import type { EgressGuard, VettedAddress } from '../ports.ts';
import type { ConnectPhase } from './errors.ts';
import { ConnectTimeoutError, EgressRefusedError } from './errors.ts';
import { withoutBrackets } from './host-name.ts';
import { firstSocket } from './socket-race.ts';

export interface GuardedConnectorDeps {
  readonly guard: Pick<EgressGuard, 'resolve'>;
  readonly clock: Clock;
  /** For the whole of it: name server, TCP and TLS. */
  readonly connectTimeoutMs: number;
  /** Aborting cuts off every connection that is still being opened; they fail with its reason. */
  readonly signal?: AbortSignal;
  /** Certificate authorities in the place of the system's. */
  readonly tls?: Pick<ConnectionOptions, 'ca'>;
  /** How a socket to a literal address is opened; `net.connect` if absent. */
  readonly openSocket?: (address: VettedAddress, port: number, onBytes?: OnBytes) => Socket;
}

/** For each piece that arrives, from the first one on. The bytes are its own for the length of the call alone. */
export type OnBytes = (bytes: Buffer) => void;

export type ConnectOptions = buildConnector.Options & {
  /** Instead of the socket's `data` and `readable`. */
  readonly onBytes?: OnBytes;
};

export type Connector = (options: ConnectOptions, callback: buildConnector.Callback) => void;

/**
 * For `new Agent({ connect: guardedConnector(…) })`. Fails with `EgressRefusedError` (no socket was opened),
 * `ConnectTimeoutError`, or the error of Node with its `code`: the resolver's, the socket's, TLS's. A failed connect
 * leaves no socket and no timer behind, and what the resolver says later is ignored.
 */
export function guardedConnector(deps: GuardedConnectorDeps): Connector {
  return (options, answer) => {
    connect(options, deps).then(
      // Broken between the connect and now: its `close` may be over, and whoever asked would wait for it for ever.
      (socket) => (socket.destroyed ? answer(lostSocket(), null) : answer(null, socket)),
      (error: unknown) => answer(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

/** After so much silence it asks whether the other side is still there. */
const keepAliveDelayMs = 60_000;

const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

async function connect(options: ConnectOptions, deps: GuardedConnectorDeps): Promise<Socket> {
  let phase: ConnectPhase = 'resolve';
  const { clock, connectTimeoutMs } = deps;
  const ended = new AbortController();
  const cancel = clock.after(connectTimeoutMs, () =>
    ended.abort(new ConnectTimeoutError(phase, connectTimeoutMs)),
  );
  const onStop = () => ended.abort(deps.signal?.reason);
  deps.signal?.addEventListener('abort', onStop, { once: true });
  if (deps.signal?.aborted) onStop();
  try {
    const addresses = await vettedAddresses(options.hostname, deps.guard, ended.signal);
    phase = 'tcp';
    const socket = await openTcp(addresses, options, deps, ended.signal);
    // Between the connect and here nobody listens to the signal.
    if (ended.signal.aborted) {
      socket.destroy();
      throw ended.signal.reason;
    }
    if (options.protocol !== 'https:') return socket;
    phase = 'tls';
    const secured = await secure(socket, options, deps.tls, ended.signal);
    if (options.onBytes) secured.on('data', options.onBytes);
    return secured;
  } finally {
    cancel();
    deps.signal?.removeEventListener('abort', onStop);
  }
}

async function vettedAddresses(hostname: string, guard: GuardedConnectorDeps['guard'], signal: AbortSignal) {
  const resolved = await unlessAborted(guard.resolve(hostname), signal);
  if (!resolved.ok) throw new EgressRefusedError(resolved.refusal, resolved.message);
  return resolved.addresses;
}

function openTcp(
  addresses: readonly VettedAddress[],
  options: ConnectOptions,
  { clock, openSocket = openPlain }: GuardedConnectorDeps,
  signal: AbortSignal,
): Promise<Socket> {
  const onBytes = options.protocol === 'http:' ? options.onBytes : undefined;
  const port = options.port === '' ? (defaultPorts[options.protocol] ?? 0) : Number(options.port);
  return firstSocket(addresses, { open: (address) => openSocket(address, port, onBytes), clock, signal });
}

/** Read into by every socket in turn: a block of its own for each answer is more work than the answer. */
const readBlock = Buffer.alloc(64 * 1024);

const readingInto = (onBytes: OnBytes) => ({
  buffer: readBlock,
  callback: (length: number) => {
    onBytes(readBlock.subarray(0, length));
    return true;
  },
});

/** A literal address, so that Node asks no name server of its own. */
const openPlain = ({ address, family }: VettedAddress, port: number, onBytes?: OnBytes): Socket =>
  connectTcp({
    ...(onBytes ? { onread: readingInto(onBytes) } : {}),
    host: address,
    family,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMs,
  });

/** The certificate must be the name's, not the address's: the socket goes to the one, the handshake is for the other. */
function secure(
  socket: Socket,
  { hostname, servername }: buildConnector.Options,
  tls: GuardedConnectorDeps['tls'],
  signal: AbortSignal,
): Promise<Socket> {
  const name = withoutBrackets(servername || hostname).replace(/\.$/, '');
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      ...tls,
      socket,
      host: name,
      // An address is no server name (RFC 6066); the certificate is then held to `host`.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ALPNProtocols: ['http/1.1'],
    });
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      secured.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    secured.on('error', fail);
    secured.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(secured);
    });
  });
}

/** The promise's own end, or the signal's reason, whichever is first; a later end is ignored, also a rejection. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

const lostSocket = () => Object.assign(new Error('the connection was lost at once'), { code: 'ECONNRESET' });
