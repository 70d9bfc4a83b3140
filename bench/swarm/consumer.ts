// One consumer on a bare TCP socket: the upgrade, and a count of what was delivered to it.
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { speak } from './dialects.ts';
import type { Spoken } from './dialects.ts';
import type { Dialect, SocketSpec } from './messages.ts';
import { clientFrame } from './websocket-scanner.ts';

/** Read into by all sockets, one at a time: nothing is allocated for what arrives. */
const shared = Buffer.allocUnsafe(512 * 1024);
/** https://www.rfc-editor.org/rfc/rfc6455#section-1.3 */
const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const quote = 0x22;
const idKey = '"id":"';

export interface ConsumerOptions {
  readonly dialect: Dialect;
  readonly port: number;
  readonly spec: SocketSpec;
  /** An event; its text begins at `from` in bytes that are only good during the call. */
  readonly delivered: (bytes: Buffer, from: number) => void;
  /** A read that brought events was worked off. */
  readonly worked: () => void;
  readonly failed: (why: string) => void;
}

export class Consumer {
  deliveries = 0;
  bytes = 0;
  /** Resolves when events can come. */
  readonly ready: Promise<void>;
  readonly #options: ConsumerOptions;
  readonly #socket: Socket;
  readonly #spoken: Spoken;
  readonly #key = randomBytes(16).toString('base64');
  #isUpgraded = false;
  #head = '';

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { dialect, port, spec, delivered, failed } = options;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      onread: { buffer: shared, callback: (size) => this.#read(size) },
    });
    this.ready = new Promise((resolve) => {
      this.#ready = resolve;
    });
    this.#spoken = speak[dialect]({
      spec,
      failed,
      ready: () => this.#ready(),
      send: (opcode, payload) => void this.#socket.write(clientFrame(opcode, payload)),
      delivered: (bytes, from) => {
        this.deliveries++;
        delivered(bytes, from);
      },
    });
    this.#socket.setNoDelay(true);
    this.#socket.on('connect', () => this.#upgrade());
    this.#socket.on('error', (error) => failed(error.message));
    this.#socket.on('close', () => failed('a socket was closed'));
  }

  #ready: () => void = () => undefined;

  #upgrade(): void {
    const { dialect, port, spec } = this.#options;
    const headers = {
      Host: `127.0.0.1:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': this.#key,
      ...(dialect === 'relay.v1' ? { 'Sec-WebSocket-Protocol': dialect } : {}),
      ...spec.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`GET ${spec.path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  #read(size: number): boolean {
    this.bytes += size;
    const before = this.deliveries;
    if (this.#isUpgraded) this.#spoken.feed(shared, size);
    else this.#answer(shared.toString('latin1', 0, size));
    if (this.deliveries > before) this.#options.worked();
    return true;
  }

  #answer(part: string): void {
    this.#head += part;
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const accept = createHash('sha1').update(`${this.#key}${acceptSuffix}`).digest('base64');
    if (!this.#head.startsWith('HTTP/1.1 101') || !this.#head.includes(accept)) {
      this.#options.failed(`the upgrade was answered with ${this.#head.slice(0, 300)}`);
      return;
    }
    this.#isUpgraded = true;
    const rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
    this.#head = '';
    this.#spoken.greet();
    this.#spoken.feed(rest, rest.length);
  }
}

/** The id of the event whose text begins there, of whatever dialect. */
export function eventIdAt(bytes: Buffer, from: number): string {
  const start = bytes.indexOf(idKey, from, 'latin1') + idKey.length;
  return bytes.toString('latin1', start, bytes.indexOf(quote, start));
}
