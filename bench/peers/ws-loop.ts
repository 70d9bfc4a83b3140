// The peer that one writes in an afternoon: a `ws` server, a set of sockets for each topic, and a loop. In memory, no log.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { follow, ready, taken } from './upstream.ts';

const task = await taken();
const audiences = new Map<string, Set<WebSocket>>(task.broadcasterIds.map((id) => [id, new Set()]));
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket, request) => {
  const audience = audiences.get(new URL(request.url ?? '', 'http://peer').searchParams.get('topic') ?? '');
  audience?.add(socket);
  socket.on('close', () => audience?.delete(socket));
});
await once(server, 'listening');
await follow(task, (topic, event) => {
  const text = JSON.stringify(event);
  for (const socket of audiences.get(topic) ?? []) socket.send(text);
});
ready((server.address() as AddressInfo).port);
