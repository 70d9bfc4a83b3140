// Who is there before anything is measured: a bot, a service account that may use it, channels, and the topics as both sides
// know them.
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { AdminClient, CreatedInterest, RelayClient } from '../../src/client/index.ts';
import type { CreateInterestBody } from '../../src/protocol/index.ts';
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import type { RelayProcess } from './relay-process.ts';

const type = 'channel.follow';
const confirmedWithinMs = 60_000;

/** A topic as both sides know it. */
export interface BenchTopic {
  readonly topicId: string;
  readonly subscriptionId: string;
}

export interface BenchTopics {
  readonly topics: readonly BenchTopic[];
  /** The platform's session that all of them are on. */
  readonly sessionId: string;
}

export interface BenchService {
  readonly relay: RelayClient;
  /** Resolves when it is confirmed. Without a URL for sockets, of which there are none. */
  readonly watch: (broadcaster: SimUser, webhookUrl?: string) => Promise<CreatedInterest>;
}

/** A bot, and a service account that may use it. */
export async function signUp(sim: Simulator, process: RelayProcess): Promise<BenchService> {
  const admin = createAdminClient({ url: process.url, adminKey: process.adminKey });
  const bot = await importBot(sim, admin, 'benchbot');
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
          ...bot.wish(broadcaster),
          ...(webhookUrl === undefined ? {} : { transport: 'webhook', webhook_url: webhookUrl }),
        },
        { withinMs: confirmedWithinMs },
      ),
  };
}

export interface BenchBot {
  /** At the platform. */
  readonly userId: string;
  /** To hear of what happens on that channel, over a WebSocket. */
  readonly wish: (broadcaster: SimUser) => CreateInterestBody;
}

export async function importBot(sim: Simulator, admin: AdminClient, login: string): Promise<BenchBot> {
  const { userId, accessToken, refreshToken } = addBotUser(sim, login);
  const bot = await admin.importBot({ name: login, access_token: accessToken, refresh_token: refreshToken });
  return {
    userId,
    wish: (broadcaster) => ({
      bot_account_id: bot.id,
      event_type: type,
      broadcaster_user_id: broadcaster.id,
      transport: 'websocket',
    }),
  };
}

/** Somebody who may watch followers, with tokens. */
export function addBotUser(sim: Simulator, login: string) {
  const { id } = sim.addUser({ login });
  return { userId: id, ...sim.grant({ userId: id, scopes: ['moderator:read:followers'] }) };
}

/** Has authorised the app, so that it costs nothing to watch the channel. */
export function addBroadcaster(sim: Simulator, index: number): SimUser {
  const user = sim.addUser({ login: `channel${index}` });
  sim.grant({ userId: user.id, scopes: [] });
  return user;
}

/** The live subscriptions of these broadcasters; what their topics are is the other half of each entry. */
export const topicsOn = (sim: Simulator, topicIds: ReadonlyMap<string, string>): BenchTopics =>
  topicsOf(sim, undefined, topicIds);

/** Only those of one bot, if it is named. */
export function topicsOf(
  sim: Simulator,
  userId: string | undefined,
  topicIds: ReadonlyMap<string, string>,
): BenchTopics {
  const live = sim
    .subscriptions()
    .filter(
      (each) => each.status === 'enabled' && !each.zombie && (userId === undefined || each.userId === userId),
    );
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
