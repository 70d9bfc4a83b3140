// A receiver that breaks the rules, byte by byte on a real socket: halts, floods, resets, talks nonsense. Reads whole
// requests, tells what its sockets went through, and does to each what it was made for. Holds no expectations.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from './self-signed.ts';

export interface RawRequest {
  /** The head as it came, without the empty line. */
  readonly head: string;
  readonly body: string;
}

/** Called with each whole request; `n` counts the requests of all connections from 1. */
export type Behaviour = (socket: Socket, request: RawRequest, n: number) => void;

export interface NastyOptions {
  readonly tls?: boolean;
  /** Called as soon as a connection stands. */
  readonly onConnection?: (socket: Socket) => void;
}

export class NastyReceiver implements AsyncDisposable {
  readonly requests: RawRequest[] = [];
  /** Connections that were ever opened, and those of them that are over. */
  connections = 0;
  closed = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #behave: Behaviour;
  readonly #tls: boolean;

  private constructor(behave: Behaviour, { tls = false, onConnection }: NastyOptions) {
    this.#behave = behave;
    this.#tls = tls;
    const take = (socket: Socket) => {
      this.#read(socket);
      onConnection?.(socket);
    };
    this.#server = tls ? createTlsServer({ ...selfSigned }, take) : createServer(take);
    this.#server.on('connection', (socket: Socket) => this.#count(socket));
  }

  static async start(behave: Behaviour, options: NastyOptions = {}): Promise<NastyReceiver> {
    const receiver = new NastyReceiver(behave, options);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/hook', host = '127.0.0.1'): string {
    return `${this.#tls ? 'https' : 'http'}://${host}:${this.port}${path}`;
  }

  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #count(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed += 1;
      this.#sockets.delete(socket);
    });
  }

  #read(socket: Socket): void {
    let pending = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (let whole = wholeRequest(pending); whole; whole = wholeRequest(pending)) {
        pending = pending.subarray(whole.bytes);
        this.requests.push(whole);
        this.#behave(socket, whole, this.requests.length);
      }
    });
  }
}

function wholeRequest(bytes: Buffer): (RawRequest & { bytes: number }) | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString('latin1');
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  const all = end + 4 + length;
  if (bytes.length < all) return undefined;
  return { head, body: bytes.subarray(end + 4, all).toString('utf8'), bytes: all };
}

/** Writes as fast as the other side reads, until there is nothing left or nobody to read it. */
export function flood(socket: Socket, totalBytes: number): void {
  const chunk = Buffer.alloc(16_384, 'x');
  let left = totalBytes;
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      left -= chunk.length;
      if (!socket.write(chunk)) return void socket.once('drain', more);
    }
    socket.end();
  };
  more();
}
