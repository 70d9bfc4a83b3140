// socket.io, a room for each topic, over WebSocket from the start and without compression.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { follow, ready, taken } from './upstream.ts';

const task = await taken();
const http = createServer();
const server = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: 60_000,
});
server.on('connection', (socket) => {
  const { topic } = socket.handshake.query;
  if (typeof topic === 'string') void socket.join(topic);
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
await follow(task, (topic, event) => void server.to(topic).emit('event', event));
ready((http.address() as AddressInfo).port);
