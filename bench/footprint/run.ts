// The bench from start to end: fresh processes, which are left alone, read, crowded one after another, left alone and read again.
// What memory they have is no matter of who else runs, so they wait together.
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdminClient } from '../../src/client/index.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import { builtRelay } from '../kit/built.ts';
import { bundled } from '../kit/bundle.ts';
import { startChild, stopChild } from '../kit/child.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { createPostgres } from '../kit/database.ts';
import { localPostgres } from '../kit/flags.ts';
import { residentKb } from '../kit/memory.ts';
import { createHome, startRelay } from '../kit/relay-process.ts';
import type { RelayProcess } from '../kit/relay-process.ts';
import { gather } from './crowd.ts';
import type { Crowd } from './crowd.ts';
import type { CrowdRequest, Dialect } from './crowd-messages.ts';
import type { FootprintOptions } from './flags.ts';
import { relayServer } from './result.ts';
import type { Boot, Idle, Measured, Rest } from './result.ts';

/** A service account may have a thousand connections. */
const consumersPerService = 500;
const peers = [
  { server: 'ws', dialect: 'ws', program: 'idle-ws.ts', path: '/' },
  {
    server: 'socket.io',
    dialect: 'socket.io',
    program: 'idle-socket-io.ts',
    path: '/socket.io/?EIO=4&transport=websocket',
  },
] as const;

interface Bench {
  readonly sim: Simulator;
  readonly program: string;
  readonly databaseUrl: string;
  readonly options: FootprintOptions;
  readonly signal: AbortSignal;
  readonly closing: Closing;
}

export async function measure(
  options: FootprintOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<Measured> {
  const program = await builtRelay(say);
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const databaseUrl = options.databaseUrl ?? localPostgres;
  const bench: Bench = { sim, program, databaseUrl, options, signal, closing };
  const known: { readonly peer: (typeof peers)[number]; readonly file: string }[] = [];
  for (const peer of peers) {
    const file = await bundled(join(import.meta.dirname, '..', 'peers', peer.program), closing).catch(
      () => undefined,
    );
    if (file === undefined) say(`${peer.server} is not installed: npm ci --prefix bench`);
    else known.push({ peer, file });
  }
  const boots: Boot[] = [];
  const rests: Rest[] = [];
  const idles: Idle[] = [];
  let name = '';
  for (let round = 1; round <= options.rounds; round++) {
    say(`Round ${round} of ${options.rounds}: starting…`);
    const { url, name: server } = await createPostgres(databaseUrl, closing);
    name = server;
    const postgres = await bootTwice(bench, 'PostgreSQL', url, boots);
    const embedded = await bootTwice(bench, 'embedded', undefined, boots);
    const crowds = [await relayToCrowd(postgres, options.consumers)];
    for (const { peer, file } of known) crowds.push(await peerToCrowd(bench, peer, file));
    say(`Round ${round} of ${options.rounds}: ${options['settle-seconds']} s at rest…`);
    await sleep(options['settle-seconds'] * 1_000, undefined, { signal });
    rests.push({ database: 'PostgreSQL', kb: await memoryOf(postgres.pid) });
    rests.push({ database: 'embedded', kb: await memoryOf(embedded.pid) });
    await embedded.stop();
    idles.push(...(await crowdAll(bench, crowds, say)));
    await Promise.all(crowds.map(({ stop }) => stop()));
  }
  const { consumers, 'settle-seconds': settleSeconds } = options;
  return { boots, rests, idles, consumers, settleSeconds, database: name };
}

/** With nothing there, and with what that has left; the second one is left running. */
async function bootTwice(
  bench: Bench,
  database: Boot['database'],
  databaseUrl: string | undefined,
  boots: Boot[],
): Promise<RelayProcess> {
  const { sim, program, signal, closing, options } = bench;
  const home = await createHome(closing);
  const start = async (kind: Boot['kind'], profileDir?: string) => {
    const relay = await startRelay({ sim, program, databaseUrl, home, signal, profileDir }, closing);
    boots.push({ database, kind, ms: relay.readyAt - relay.spawnedAt });
    return relay;
  };
  const first = await start('first');
  await first.stop();
  return start('later', options.profileDir);
}

/** A server that is at rest, and who is to come. */
interface Crowded {
  readonly server: string;
  readonly pid: number | undefined;
  readonly request: CrowdRequest;
  readonly stop: () => Promise<void>;
}

async function relayToCrowd(relay: RelayProcess, count: number): Promise<Crowded> {
  return {
    server: relayServer,
    pid: relay.pid,
    request: {
      port: Number(new URL(relay.url).port),
      dialect: 'relay',
      sockets: await consumersOf(relay, count),
    },
    stop: relay.stop,
  };
}

async function peerToCrowd(
  bench: Bench,
  { server, dialect, path }: { server: string; dialect: Dialect; path: string },
  program: string,
): Promise<Crowded> {
  const child = startChild({ program, stdio: ['ignore', 2, 2, 'ipc'] });
  bench.closing.push(() => stopChild(child));
  const [{ port }] = (await once(child, 'message', { signal: bench.signal })) as [{ port: number }];
  const sockets = Array.from({ length: bench.options.consumers }, () => ({ path, headers: {} }));
  return { server, pid: child.pid, request: { port, dialect, sockets }, stop: () => stopChild(child) };
}

async function crowdAll(
  { options, signal, closing }: Bench,
  servers: readonly Crowded[],
  say: (line: string) => void,
): Promise<Idle[]> {
  const resting = await Promise.all(servers.map(({ pid }) => memoryOf(pid)));
  const crowds: Crowd[] = [];
  for (const { server, request } of servers) {
    say(`  ${options.consumers} idle consumers of ${server}…`);
    crowds.push(await gather(request, signal, closing));
  }
  await sleep(options['settle-seconds'] * 1_000, undefined, { signal });
  const idles: Idle[] = [];
  for (const [index, { server, pid }] of servers.entries())
    idles.push({ server, restKb: resting[index] ?? Number.NaN, crowdedKb: await memoryOf(pid) });
  for (const crowd of crowds) {
    crowd.check();
    await crowd.leave();
  }
  return idles;
}

/** One for each consumer's socket, in as many service accounts as it takes. */
async function consumersOf({ url, adminKey }: RelayProcess, count: number): Promise<CrowdRequest['sockets']> {
  const { serviceAccounts } = createAdminClient({ url, adminKey });
  const sockets: CrowdRequest['sockets'] = [];
  for (let service = 0; sockets.length < count; service++) {
    const { client_id, client_secret } = await serviceAccounts.create(`bench${service}`);
    for (let index = 0; index < consumersPerService && sockets.length < count; index++) {
      sockets.push({
        path: `/ws/events?consumer=idle${index}`,
        headers: {
          'sec-websocket-protocol': 'relay.v1',
          'x-client-id': client_id,
          'x-client-secret': client_secret,
        },
      });
    }
  }
  return sockets;
}

async function memoryOf(pid: number | undefined): Promise<number> {
  const kb = await residentKb(pid);
  if (kb === undefined) throw new Error('this system does not tell how much memory a process has');
  return kb;
}
