// A plain socket.io server with its defaults: keeps every socket, whose heartbeat is its own, and does nothing else.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server, { transports: ['websocket'] });
io.on('connection', (socket) => void socket.emit('hello'));
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
