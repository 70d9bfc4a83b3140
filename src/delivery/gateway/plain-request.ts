// A server with an upgrade listener gets every request that offers to upgrade to anything, HTTP/2 over clear text most of
// all (some HTTP clients always offer it). Declining is legal: such a request is handed back to be answered as it is.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

const hopHeaders = new Set(['upgrade', 'connection', 'http2-settings']);

/** Whether the request wants a WebSocket and nothing else. */
export const wantsWebSocket = (req: IncomingMessage): boolean =>
  (req.headers.upgrade ?? '').trim().toLowerCase() === 'websocket';

/** Puts the request line and headers back in front of the stream, without the offer, and lets the server read it anew. */
export function handBack(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${req.method ?? 'GET'} ${req.url ?? '/'} HTTP/${req.httpVersion}`];
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at] ?? '';
    if (!hopHeaders.has(name.toLowerCase())) lines.push(`${name}: ${req.rawHeaders[at + 1] ?? ''}`);
  }
  lines.push('connection: close', '', '');
  socket.unshift(Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), head]));
  server.emit('connection', socket);
}
