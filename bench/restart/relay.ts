// One relay that is killed and started again, with its bots, its platform and its database.
import pg from 'pg';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import { addBots } from '../kit/bots.ts';
import type { BenchBot } from '../kit/bots.ts';
import type { Closing } from '../kit/clean-up.ts';
import { cpuSeconds } from '../kit/cpu.ts';
import { createPostgres } from '../kit/database.ts';
import { createHome, startRelay } from '../kit/relay-process.ts';
import type { RelayOptions, RelayProcess } from '../kit/relay-process.ts';
import { share } from '../kit/summary.ts';
import { now, waitFor } from '../kit/wait.ts';
import type { Restart } from './result.ts';

const follow = { type: 'channel.follow', scopes: ['moderator:read:followers'] } as const;
const confirmedWithinMs = 120_000;

export interface Wanted {
  readonly databaseUrl: string;
  readonly program: string;
  readonly bots: number;
  readonly topics: number;
  readonly latencyMs: number;
  readonly profileDir: string | undefined;
  readonly signal: AbortSignal;
}

export interface CrashingRelay {
  readonly bots: number;
  readonly database: string;
  /** Starts it, waits until everything is confirmed, and kills it. */
  restart(): Promise<Restart>;
}

/** Killed when it resolves, with everything confirmed before. What it opens, it adds to `closing`. */
export async function crashingRelay(wanted: Wanted, closing: Closing): Promise<CrashingRelay> {
  const { program, topics, latencyMs, profileDir, signal } = wanted;
  const { url: databaseUrl, name } = await createPostgres(wanted.databaseUrl, closing);
  const sim = await startSimulator({ helixLatencyMs: latencyMs });
  closing.push(() => sim.close());
  const home = await createHome(closing);
  const options: RelayOptions = { sim, databaseUrl, program, home, signal };
  const first = await startRelay(options, closing);
  const { bots } = await addBots(sim, first, { ...follow, bots: wanted.bots, topicsPerBot: topics, signal });
  await first.kill();
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  closing.push(() => database.end());
  return {
    bots: bots.length,
    database: name,
    async restart() {
      await forgetTheDead(sim, bots);
      const before = { requests: sim.requests.length, connections: sim.connections.length };
      // A profile is written at an orderly end.
      const relay = await startRelay({ ...options, profileDir }, closing);
      const started = usage(await cpuSeconds(relay.pid));
      const confirmedAt = await confirmed(
        { sim, database, relay, signal },
        bots.length * topics,
        before.requests,
      );
      const ended = usage(await cpuSeconds(relay.pid));
      const requests = sim.requests.slice(before.requests);
      const openings = sim.connections.slice(before.connections).map(({ openedAt }) => openedAt);
      const firstSeenAt = Math.min(...requests.map(({ at }) => at), ...openings);
      await (profileDir === undefined ? relay.kill() : relay.stop());
      const seconds = (ended.at - started.at) / 1_000;
      return {
        bots: bots.length,
        startUpMs: firstSeenAt - relay.spawnedAt,
        readyMs: relay.readyAt - relay.spawnedAt,
        subscribeMs: confirmedAt - firstSeenAt,
        calls: mostOfOneUser(requests),
        relayShare: share(started.relay, ended.relay, seconds),
        platformShare: share(started.platform, ended.platform, seconds),
      };
    },
  };
}

/** Lists and creates. */
function mostOfOneUser(requests: Simulator['requests']): number {
  const calls = new Map<string | null, number>();
  for (const { operation, userId } of requests)
    if (operation === 'list' || operation === 'create') calls.set(userId, (calls.get(userId) ?? 0) + 1);
  return Math.max(0, ...calls.values());
}

interface Watched {
  readonly sim: Simulator;
  readonly database: pg.Client;
  readonly relay: RelayProcess;
  readonly signal: AbortSignal;
}

/** When the relay's own rows name living subscriptions for all of them: an answer that it has not taken in is not enough. */
async function confirmed(
  { sim, database, relay, signal }: Watched,
  topics: number,
  from: number,
): Promise<number> {
  const wait = { what: 'every topic to be confirmed', withinMs: confirmedWithinMs, signal };
  const made = (): number => {
    if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
    return sim.requests
      .slice(from)
      .filter(({ operation, status }) => operation === 'create' && status === 202).length;
  };
  await waitFor(() => (made() >= topics ? true : undefined), wait);
  const living = sim
    .subscriptions()
    .flatMap(({ id, status, zombie }) => (status === 'enabled' && !zombie ? [id] : []));
  return waitFor(async () => {
    const { rows } = await database.query<{ named: number }>(
      'SELECT count(*)::int AS named FROM topic WHERE subscription_id = ANY($1::text[])',
      [living],
    );
    return rows[0]?.named === topics ? now() : undefined;
  }, wait);
}

/** The platform forgets in time what ended with its socket; here before each start, so that each finds the same. */
async function forgetTheDead(sim: Simulator, bots: readonly BenchBot[]): Promise<void> {
  const tokens = new Map(bots.map(({ userId, accessToken }) => [userId, accessToken]));
  const newest = new Set(bots.map(({ userId }) => lastSession(sim, userId)));
  const dead = sim
    .subscriptions()
    .filter(({ status, sessionId }) => status !== 'enabled' && !newest.has(sessionId));
  await Promise.all(
    dead.map(({ id, userId }) =>
      fetch(`${sim.url}/helix/eventsub/subscriptions?id=${id}`, {
        method: 'DELETE',
        headers: { 'client-id': sim.clientId, authorization: `Bearer ${tokens.get(userId) ?? ''}` },
      }),
    ),
  );
}

const lastSession = (sim: Simulator, userId: string): string | undefined =>
  sim.subscriptions().findLast((subscription) => subscription.userId === userId)?.sessionId;

function usage(relay: number | undefined) {
  const { user, system } = process.cpuUsage();
  return { at: now(), relay, platform: (user + system) / 1e6 };
}
