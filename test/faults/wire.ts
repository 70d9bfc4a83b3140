// A TCP proxy that can be told to misbehave as networks do: to fall silent without a word, to be slow, to refuse, to reset.
// Bytes are never changed or reordered. Owns its sockets.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Wire } from './contract.ts';

/** What waits for one direction of one connection; a null is the end. */
interface Parcel {
  readonly data: Buffer | null;
  readonly dueAt: number;
}

/** Held back in a silence; beyond it the sender is not read any more, as a full window would do. */
const maxHeldBytes = 4 * 1024 * 1024;

export class ProxyWire implements Wire, AsyncDisposable {
  readonly #server = createServer({ allowHalfOpen: false }, (client) => this.#join(client));
  readonly #pairs = new Set<Pair>();
  readonly #targetPort: () => number;
  #refusing = false;
  #silent = false;
  #delayMs = 0;
  #disturbed = 0;

  private constructor(targetPort: () => number) {
    this.#targetPort = targetPort;
  }

  static async open(targetPort: () => number): Promise<ProxyWire> {
    const wire = new ProxyWire(targetPort);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get open(): number {
    return this.#pairs.size;
  }

  get disturbed(): number {
    return this.#disturbed;
  }

  silence(): void {
    this.#silent = true;
  }

  slow(ms: number): void {
    this.#delayMs = ms;
  }

  refuse(): void {
    this.#refusing = true;
  }

  reset(): number {
    const count = this.#pairs.size;
    for (const pair of this.#pairs) pair.reset();
    this.#disturbed += count;
    return count;
  }

  flow(): void {
    this.#refusing = false;
    this.#silent = false;
    this.#delayMs = 0;
    for (const pair of this.#pairs) pair.pump();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket): void {
    if (this.#refusing) {
      this.#disturbed += 1;
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const pair: Pair = new Pair(client, connect(this.#targetPort(), '127.0.0.1'), {
      isSilent: () => this.#silent,
      delayMs: () => this.#delayMs,
      disturb: () => void (this.#disturbed += 1),
      gone: () => void this.#pairs.delete(pair),
    });
    this.#pairs.add(pair);
  }
}

interface Rules {
  isSilent(): boolean;
  delayMs(): number;
  disturb(): void;
  gone(): void;
}

class Pair {
  readonly #sockets: readonly [Socket, Socket];
  readonly #rules: Rules;
  /** Towards the socket of the same place. */
  readonly #held: readonly [Parcel[], Parcel[]] = [[], []];
  readonly #bytes: [number, number] = [0, 0];
  #timer: NodeJS.Timeout | undefined;

  constructor(client: Socket, server: Socket, rules: Rules) {
    this.#sockets = [client, server];
    this.#rules = rules;
    for (const from of [0, 1] as const) {
      const to = from === 0 ? 1 : 0;
      const socket = this.#sockets[from];
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('data', (data) => this.#take(to, data));
      socket.on('close', () => {
        this.#take(to, null);
        if (this.#sockets.every((each) => each.destroyed)) this.#over();
      });
    }
  }

  reset(): void {
    for (const socket of this.#sockets) if (!socket.destroyed) socket.resetAndDestroy();
    this.#over();
  }

  /** Passes on what is due, unless nothing may pass. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#rules.isSilent()) return;
    const now = performance.now();
    let next = Infinity;
    for (const to of [0, 1] as const) {
      const held = this.#held[to];
      // Nothing waits longer than the wire is slow now.
      while (held[0] && (held[0].dueAt <= now || this.#rules.delayMs() === 0)) {
        const { data } = held.shift() as Parcel;
        this.#pass(to, data);
      }
      if (held[0]) next = Math.min(next, held[0].dueAt);
      if (this.#bytes[to] < maxHeldBytes) this.#sockets[to === 0 ? 1 : 0].resume();
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.pump(), Math.max(1, next - now));
  }

  #take(to: 0 | 1, data: Buffer | null): void {
    const delayMs = this.#rules.delayMs();
    const held = this.#held[to];
    if (delayMs === 0 && !this.#rules.isSilent() && held.length === 0) return this.#pass(to, data);
    this.#rules.disturb();
    held.push({ data, dueAt: performance.now() + delayMs });
    this.#bytes[to] += data?.length ?? 0;
    if (this.#bytes[to] > maxHeldBytes) this.#sockets[to === 0 ? 1 : 0].pause();
    if (!this.#timer) this.pump();
  }

  #pass(to: 0 | 1, data: Buffer | null): void {
    const socket = this.#sockets[to];
    this.#bytes[to] = Math.max(0, this.#bytes[to] - (data?.length ?? 0));
    if (data === null) socket.destroySoon();
    else if (!socket.destroyed) socket.write(data);
  }

  #over(): void {
    clearTimeout(this.#timer);
    this.#rules.gone();
  }
}
