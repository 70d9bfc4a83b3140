// Who is there before anything is measured: a bot, 64 broadcasters with one topic each, and one endpoint for all of them.
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { CreatedInterest, RelayClient } from '../../src/client/index.ts';
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import type { RelayProcess } from './relay-process.ts';

/** As many lanes as one endpoint can have requests under way: the most that order allows at once. */
export const broadcasters = 64;
export const concurrency = 64;
const type = 'channel.follow';
const confirmedWithinMs = 60_000;

/** A topic as both sides know it. */
export interface BenchTopic {
  readonly topicId: string;
  readonly subscriptionId: string;
}

export interface BenchStage {
  readonly relay: RelayClient;
  readonly topics: readonly BenchTopic[];
  /** The platform's session that all of them are on. */
  readonly sessionId: string;
}

export async function setStage(
  sim: Simulator,
  process: RelayProcess,
  webhookUrl: string,
): Promise<BenchStage> {
  const { relay, watch } = await signUp(sim, process);
  const watchOne = async (index: number) => {
    const broadcaster = addBroadcaster(sim, index);
    const interest = await watch(broadcaster, webhookUrl);
    return [broadcaster.id, interest.topic_id] as const;
  };
  const topicIds = await Promise.all(Array.from({ length: broadcasters }, (_, index) => watchOne(index)));
  await setConcurrency(relay);
  return { relay, ...topicsOn(sim, new Map(topicIds)) };
}

export interface BenchService {
  readonly relay: RelayClient;
  /** Resolves when it is confirmed. Without a URL for sockets, of which there are none. */
  readonly watch: (broadcaster: SimUser, webhookUrl?: string) => Promise<CreatedInterest>;
}

/** A bot, and a service account that may use it. */
export async function signUp(sim: Simulator, process: RelayProcess): Promise<BenchService> {
  const admin = createAdminClient({ url: process.url, adminKey: process.adminKey });
  const user = sim.addUser({ login: 'benchbot' });
  const token = sim.grant({ userId: user.id, scopes: ['moderator:read:followers'] });
  const bot = await admin.importBot({
    name: 'benchbot',
    access_token: token.accessToken,
    refresh_token: token.refreshToken,
  });
  const service = await admin.serviceAccounts.create('bench');
  const relay = createRelayClient({
    url: process.url,
    clientId: service.client_id,
    clientSecret: service.client_secret,
  });
  return {
    relay,
    watch: (broadcaster, webhookUrl) =>
      relay.interests.ensure(
        {
          bot_account_id: bot.id,
          event_type: type,
          broadcaster_user_id: broadcaster.id,
          ...(webhookUrl === undefined
            ? { transport: 'websocket' }
            : { transport: 'webhook', webhook_url: webhookUrl }),
        },
        { withinMs: confirmedWithinMs },
      ),
  };
}

/** Has authorised the app, so that it costs nothing to watch the channel. */
export function addBroadcaster(sim: Simulator, index: number): SimUser {
  const user = sim.addUser({ login: `channel${index}` });
  sim.grant({ userId: user.id, scopes: [] });
  return user;
}

async function setConcurrency(relay: RelayClient): Promise<void> {
  const endpoints = await relay.endpoints.list();
  const [endpoint] = endpoints;
  if (!endpoint || endpoints.length > 1) throw new Error(`expected one endpoint, got ${endpoints.length}`);
  await relay.endpoints.update(endpoint.id, { concurrency });
}

/** The live subscriptions of these broadcasters; what their topics are is the other half of each entry. */
export function topicsOn(sim: Simulator, topicIds: ReadonlyMap<string, string>): Omit<BenchStage, 'relay'> {
  const live = sim.subscriptions().filter(({ status, zombie }) => status === 'enabled' && !zombie);
  const topics = live.flatMap(({ id, condition }) => {
    const topicId = topicIds.get(condition['broadcaster_user_id'] ?? '');
    return topicId === undefined ? [] : [{ topicId, subscriptionId: id }];
  });
  const sessions = new Set(live.map(({ sessionId }) => sessionId));
  const [sessionId] = sessions;
  if (topics.length !== topicIds.size || sessionId === undefined || sessions.size > 1)
    throw new Error(`expected ${topicIds.size} subscriptions on one session, got ${topics.length}`);
  return { topics, sessionId };
}
