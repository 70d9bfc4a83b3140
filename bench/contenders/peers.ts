// The peers: what one would use instead, each with a bot of its own at the platform. Their libraries are in bench/package.json
// (`npm ci --prefix bench`), NATS is Debian's nats-server.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded, startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { addBotUser, topicsOf } from '../kit/stage.ts';
import { waitFor } from '../kit/wait.ts';
import { peerMessage } from '../peers/messages.ts';
import type { PeerTask } from '../peers/messages.ts';
import type { Dialect, SocketSpec } from '../swarm/messages.ts';
import { swarmOf } from './contender.ts';
import type { Contender, StartContender, Task } from './contender.ts';

const startWithinMs = 30_000;
const peersFolder = join(import.meta.dirname, '..', 'peers');
const natsProgram = '/usr/sbin/nats-server';

/** Throws what to do about it. */
export function requirePeers(): void {
  if (!existsSync(join(import.meta.dirname, '..', 'node_modules', 'socket.io')))
    throw new Error('The peers are missing: npm ci --prefix bench');
  if (!existsSync(natsProgram)) throw new Error('The peer NATS is missing: apt-get install nats-server');
}

const bySocket =
  (name: string, program: string, dialect: Dialect, path: (topic: string) => string): StartContender =>
  async (task, closing) => {
    const peer = await startPeer(task, closing, name, program);
    return withSwarm(task, closing, {
      ...peer,
      pids: [peer.pid],
      dialect,
      spec: (topic) => ({ path: path(topic) }),
    });
  };

export const startWs = bySocket('ws', 'ws-loop.ts', 'plain', (topic) => `/?topic=${topic}`);
export const startSocketIo = bySocket(
  'socket.io',
  'socketio.ts',
  'socket.io',
  (topic) => `/socket.io/?EIO=4&transport=websocket&topic=${topic}`,
);

export const startNats: StartContender = async (task, closing) => {
  const server = await startNatsServer(task, closing);
  const peer = await startPeer(task, closing, 'nats', 'nats.ts', server.port);
  return withSwarm(task, closing, {
    ...peer,
    port: server.socketPort,
    pids: [server.pid, peer.pid],
    dialect: 'nats',
    spec: (topic) => ({ path: '/', subject: `events.${topic}` }),
  });
};

interface Peer {
  readonly name: string;
  readonly userId: string;
  readonly port: number;
  readonly pid: number | undefined;
  readonly check: () => void;
}

async function startPeer(
  { sim, broadcasters, signal }: Task,
  closing: Closing,
  name: string,
  program: string,
  brokerPort?: number,
): Promise<Peer> {
  const child = startChild({ program: join(peersFolder, program), stdio: ['ignore', 2, 2, 'ipc'] });
  closing.push(() => stopChild(child));
  const check = () => {
    if (hasEnded(child)) throw new Error(`${name} ended`);
  };
  let port: number | undefined;
  child.on('message', (message) => (port = peerMessage.parse(message).port));
  const { userId, accessToken } = addBotUser(sim, `${name.replace('.', '')}bot`);
  const task: PeerTask = {
    helixUrl: `${sim.url}/helix`,
    eventSubUrl: sim.eventSubUrl,
    clientId: sim.clientId,
    userId,
    accessToken,
    broadcasterIds: broadcasters.map(({ id }) => id),
    ...(brokerPort === undefined ? {} : { brokerPort }),
  };
  child.send(task);
  const isReady = () => {
    check();
    return port;
  };
  const got = await waitFor(isReady, { what: `${name} to start`, withinMs: startWithinMs, signal });
  return { name, userId, port: got, pid: child.pid, check };
}

async function withSwarm(
  task: Task,
  closing: Closing,
  peer: Peer & {
    readonly pids: Contender['pids'];
    readonly dialect: Dialect;
    readonly spec: (topic: string) => SocketSpec;
  },
): Promise<Contender> {
  const { sim, broadcasters, consumersPerTopic } = task;
  const swarm = swarmOf(task, closing);
  const sockets = broadcasters.flatMap(({ id }) =>
    Array.from({ length: consumersPerTopic }, () => peer.spec(id)),
  );
  await swarm.connect(peer.dialect, peer.port, sockets);
  const topics = topicsOf(sim, peer.userId, new Map(broadcasters.map(({ id }) => [id, id])));
  return { name: peer.name, topics, swarm, pids: peer.pids, check: peer.check };
}

async function startNatsServer({ signal }: Task, closing: Closing) {
  const folder = await mkdtemp(join(tmpdir(), 'eventsub-relay-bench-nats-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const [port, socketPort] = [await freePort(), await freePort()];
  const config = join(folder, 'nats.conf');
  // A consumer may be far behind, as ours may: nobody is to be cut off for it.
  await writeFile(
    config,
    `listen: 127.0.0.1:${port}
max_pending: 1073741824
write_deadline: "60s"
websocket { listen: "127.0.0.1:${socketPort}", no_tls: true }
`,
  );
  const child = spawn(natsProgram, ['-c', config], { stdio: 'ignore' });
  closing.push(() => stopChild(child));
  await waitFor(() => isListening(socketPort), { what: 'nats-server', withinMs: startWithinMs, signal });
  return { port, socketPort, pid: child.pid };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isListening(port: number): Promise<true | undefined> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
