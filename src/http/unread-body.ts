// Bodies that were answered without being read to their end. Owns what becomes of the rest: it is read and thrown away, so
// that the connection is good for the next request; a client that goes on sending loses it.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../runtime/clock.ts';

/** What is on its way already when a client is refused arrives within this. */
const drainMs = 500;
const maxDrainBytes = 1024 * 1024;

/**
 * For every request of the server. The adapter's own way is turned off for it: it may cut the connection half a second
 * later, in the middle of whatever is asked next.
 */
export function drainUnreadBodies(server: Server, clock: Clock): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      const isOver = request.readableEnded || request.destroyed || request.socket.destroyed;
      if (!isOver) drain(request, clock);
    });
  });
}

function drain(request: IncomingMessage, clock: Clock): void {
  const { socket } = request;
  let bytes = 0;
  const cutOff = () => {
    // One that has arrived as a whole leaves nothing in the way of the next request.
    if (!request.complete) socket.destroySoon();
  };
  const cancel = clock.after(drainMs, cutOff);
  // A request that is answered is told nothing any more when its connection ends.
  const done = () => {
    cancel();
    socket.off('close', done);
  };
  socket.once('close', done);
  request.once('end', done);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxDrainBytes) cutOff();
  });
  // Whoever began to read and stopped would stop it once more.
  request.on('pause', () => request.resume());
  request.resume();
}
