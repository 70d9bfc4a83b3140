// One TCP connection out of several vetted addresses: started one after the other, the first that stands wins.
// Owns every socket until then, and leaves none behind but the winner. Never resolves a name.
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../../runtime/clock.ts';
import type { VettedAddress } from '../ports.ts';

/** How long an address may keep silent before the next one is tried beside it (RFC 8305, connection attempt delay). */
export const attemptDelayMs = 250;

/** A name with hundreds of addresses is not a reason for hundreds of sockets. */
export const maxAttempts = 16;

/** Errors that say that there is no way from here, not what the receiver said; the other kind is the better news. */
const noWayThere: ReadonlySet<unknown> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
]);

export interface SocketRaceDeps {
  readonly open: (address: VettedAddress) => Socket;
  readonly clock: Clock;
  /** Aborting ends the race: every socket is destroyed, and it rejects with the reason. */
  readonly signal: AbortSignal;
}

/** Resolves with a connected socket; rejects with the most telling error when every address failed. */
export function firstSocket(addresses: readonly VettedAddress[], deps: SocketRaceDeps): Promise<Socket> {
  return new Promise((resolve, reject) => {
    new SocketRace(addresses.slice(0, maxAttempts), deps, { resolve, reject }).start();
  });
}

interface Finish {
  readonly resolve: (socket: Socket) => void;
  readonly reject: (error: unknown) => void;
}

class SocketRace {
  readonly #waiting: VettedAddress[];
  readonly #deps: SocketRaceDeps;
  readonly #finish: Finish;
  readonly #running = new Set<Socket>();
  readonly #errors: unknown[] = [];
  #cancelNext: Cancel = () => {};
  #over = false;

  constructor(addresses: readonly VettedAddress[], deps: SocketRaceDeps, finish: Finish) {
    this.#waiting = [...addresses];
    this.#deps = deps;
    this.#finish = finish;
  }

  start(): void {
    const { signal } = this.#deps;
    if (signal.aborted) return this.#lose(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#next();
  }

  readonly #onAbort = () => this.#lose(this.#deps.signal.reason);

  #next(): void {
    if (this.#over) return;
    this.#cancelNext();
    const address = this.#waiting.shift();
    if (address) this.#try(address);
    else if (this.#running.size === 0) this.#lose(mostTelling(this.#errors));
  }

  #try(address: VettedAddress): void {
    if (this.#waiting.length > 0)
      this.#cancelNext = this.#deps.clock.after(attemptDelayMs, () => this.#next());
    let socket: Socket;
    try {
      socket = this.#deps.open(address);
    } catch (error) {
      this.#errors.push(error);
      return this.#next();
    }
    this.#running.add(socket);
    // Stays on for the socket's life: an error between the connect and whoever takes over must not end the process.
    socket.on('error', () => {});
    socket.once('connect', () => this.#win(socket));
    socket.once('error', (error) => this.#failed(socket, error));
  }

  #failed(socket: Socket, error: unknown): void {
    if (!this.#running.delete(socket)) return;
    socket.destroy();
    this.#errors.push(error);
    this.#next();
  }

  #win(socket: Socket): void {
    if (this.#over) return;
    this.#running.delete(socket);
    this.#end();
    this.#finish.resolve(socket);
  }

  #lose(error: unknown): void {
    if (this.#over) return;
    this.#end();
    this.#finish.reject(error);
  }

  #end(): void {
    this.#over = true;
    this.#cancelNext();
    this.#deps.signal.removeEventListener('abort', this.#onAbort);
    for (const socket of this.#running) socket.destroy();
    this.#running.clear();
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

const mostTelling = (errors: readonly unknown[]): unknown =>
  errors.find((error) => !noWayThere.has(codeOf(error))) ??
  errors[0] ??
  Object.assign(new Error('there is no address to connect to'), { code: 'ENOTFOUND' });
