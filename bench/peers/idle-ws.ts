// A plain ws server, as its documentation has it: keeps every socket and pings it now and then, and does nothing else.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const pingEveryMs = 25_000;

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('error', () => undefined);
  socket.send('{"type":"hello"}');
});
const pings = setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, pingEveryMs);
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  clearInterval(pings);
  process.exit(0);
});
