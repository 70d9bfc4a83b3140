// One relay with a filled log, and who reads it: a service that wants every second topic and is far behind, and one that wants
// all of them and is at the end.
import pg from 'pg';
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { RelayClient } from '../../src/client/index.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import { addBots } from '../kit/bots.ts';
import type { ServiceCredentials } from '../kit/bots.ts';
import type { BenchDeps, Closing } from '../kit/clean-up.ts';
import { createPostgres } from '../kit/database.ts';
import { createHome, startRelay } from '../kit/relay-process.ts';
import type { RelayProcess } from '../kit/relay-process.ts';
import type { BenchTopics } from '../kit/stage.ts';
import { waitFor } from '../kit/wait.ts';
import { fillLog } from './fill.ts';
import type { Filled } from './fill.ts';

const topics = 10;
const follow = { type: 'channel.follow', scopes: ['moderator:read:followers'] } as const;
const loggedWithinMs = 10_000;

export interface FilledRelay {
  readonly rows: number;
  readonly filled: Filled;
  readonly relay: RelayProcess;
  readonly sim: Simulator;
  readonly database: pg.Client;
  readonly databaseName: string;
  /** Of the platform's side. */
  readonly bot: BenchTopics;
  /** What the one that is behind wants: half of them. */
  readonly wantedTopics: readonly string[];
  readonly behind: ServiceCredentials;
  readonly live: ServiceCredentials;
}

export interface StageOptions {
  readonly databaseUrl: string;
  readonly program: string;
  readonly rows: number;
  readonly profileDir: string | undefined;
}

/** What it opens, it adds to `closing`. */
export async function setStage(
  { databaseUrl, program, rows, profileDir }: StageOptions,
  { say, signal }: BenchDeps,
  closing: Closing,
): Promise<FilledRelay> {
  say(`Filling a log with ${rows.toLocaleString('en')} rows…`);
  const { url, name } = await createPostgres(databaseUrl, closing);
  const sim = await startSimulator();
  closing.push(() => sim.close());
  const home = await createHome(closing);
  const options = { sim, program, databaseUrl: url, home, signal };
  const first = await startRelay(options, closing);
  const before = await addBots(sim, first, { ...follow, bots: 1, topicsPerBot: topics, signal });
  const own = before.bots[0];
  if (!own) throw new Error('there is no bot');
  const { behind, wantedTopics } = await addReader(first, before.relay);
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  closing.push(() => database.end());
  // One of each topic, written by the relay itself: what the fill copies.
  for (const { subscriptionId } of own.topics) sim.sendBurst(subscriptionId, 1);
  await waitFor(async () => ((await notifications(database)) >= topics ? true : undefined), {
    what: 'the first events to be in the log',
    withinMs: loggedWithinMs,
    signal,
  });
  await first.stop();
  const filled = await fillLog(database, rows, { say, signal });
  const relay = await startRelay({ ...options, profileDir }, closing);
  const bot = await confirmedAgain(sim, { relay, signal, service: before.service });
  return {
    rows,
    filled,
    relay,
    sim,
    database,
    databaseName: name,
    bot,
    wantedTopics,
    behind,
    live: before.service,
  };
}

/** A service of its own, with every second topic. */
async function addReader(process: RelayProcess, all: RelayClient) {
  const { serviceAccounts } = createAdminClient({ url: process.url, adminKey: process.adminKey });
  const account = await serviceAccounts.create('behind');
  const behind = { clientId: account.client_id, clientSecret: account.client_secret };
  const reader = createRelayClient({ url: process.url, ...behind });
  const wantedTopics: string[] = [];
  for (const [index, interest] of (await all.interests.list()).entries()) {
    if (index % 2 !== 0) continue;
    const { topic_id } = await reader.interests.create({
      bot_account_id: interest.bot_account_id,
      event_type: follow.type,
      broadcaster_user_id: interest.condition['broadcaster_user_id'] ?? '',
      transport: 'websocket',
    });
    wantedTopics.push(topic_id);
  }
  return { behind, wantedTopics };
}

async function notifications(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM event WHERE topic_id IS NOT NULL',
  );
  return rows[0]?.count ?? 0;
}

/** After the second start the subscriptions are others, on another session. */
async function confirmedAgain(
  sim: Simulator,
  { relay, signal, service }: { relay: RelayProcess; signal: AbortSignal; service: ServiceCredentials },
): Promise<BenchTopics> {
  const client = createRelayClient({ url: relay.url, ...service });
  const byBroadcaster = new Map(
    (await client.interests.list()).map(({ topic_id, condition }) => [
      condition['broadcaster_user_id'],
      topic_id,
    ]),
  );
  return waitFor(
    () => {
      const live = sim.subscriptions().filter(({ status, zombie }) => status === 'enabled' && !zombie);
      const sessionId = live[0]?.sessionId;
      if (live.length !== topics || sessionId === undefined) return undefined;
      return {
        sessionId,
        topics: live.map(({ id, condition }) => ({
          subscriptionId: id,
          topicId: byBroadcaster.get(condition['broadcaster_user_id']) ?? '',
        })),
      };
    },
    { what: 'the topics to be confirmed again', withinMs: loggedWithinMs * 3, signal },
  );
}
