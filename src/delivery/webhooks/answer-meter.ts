// How much a receiver may send for one request, of whatever kind. The parser passes interim answers, the framing of chunks
// and lines without end on to nobody who would count them; so they are counted where they arrive, on the socket.
import type { Socket } from 'node:net';
import { errors } from 'undici';

/** Of one connection, which serves one request at a time. */
export class AnswerMeter {
  readonly #maxBytes: number;
  #socket: Socket | undefined;
  #readBefore = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The next request goes out: what has been read up to now was for others. */
  restart(): void {
    this.#readBefore = this.#socket?.bytesRead ?? 0;
  }

  /** From now on this is the connection's socket. It is destroyed, with an error, as soon as there is too much. */
  watch(socket: Socket): void {
    this.#socket = socket;
    this.restart();
    socket.on('readable', () => {
      if (socket.bytesRead - this.#readBefore > this.#maxBytes)
        socket.destroy(new errors.ResponseExceededMaxSizeError());
    });
  }
}
