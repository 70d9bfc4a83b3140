// Many bots with topics of their own, and the service account that wants all of them: as both sides know them.
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { RelayClient } from '../../src/client/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import type { RelayProcess } from './relay-process.ts';
import { addBroadcaster } from './stage.ts';
import type { BenchTopic, BenchTopics } from './stage.ts';
import { waitFor } from './wait.ts';

/** Requests to the relay at a time while the stage is set. */
const atOnce = 16;
const confirmedWithinMs = 120_000;
const listPageMs = 200;

export interface BenchBot extends BenchTopics {
  readonly id: string;
  readonly userId: string;
  readonly accessToken: string;
}

export interface ServiceCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface BenchBots {
  readonly relay: RelayClient;
  readonly service: ServiceCredentials;
  readonly bots: readonly BenchBot[];
}

export interface BotsWanted {
  readonly bots: number;
  readonly topicsPerBot: number;
  readonly type: string;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
}

/** Each bot with its own channels, one topic each. Resolves when all of them are confirmed. */
export async function addBots(sim: Simulator, process: RelayProcess, wanted: BotsWanted): Promise<BenchBots> {
  const admin = createAdminClient({ url: process.url, adminKey: process.adminKey });
  const account = await admin.serviceAccounts.create('bench');
  const service = { clientId: account.client_id, clientSecret: account.client_secret };
  const relay = createRelayClient({ url: process.url, ...service });
  const imported = await inTurns(
    Array.from({ length: wanted.bots }, (_, index) => index),
    async (index) => {
      const user = sim.addUser({ login: `bot${index}` });
      const { accessToken, refreshToken } = sim.grant({ userId: user.id, scopes: wanted.scopes });
      const tokens = { access_token: accessToken, refresh_token: refreshToken };
      const bot = await admin.importBot({ name: user.login, ...tokens });
      return { id: bot.id, userId: user.id, accessToken };
    },
  );
  const wishes = imported.flatMap((bot, index) =>
    Array.from({ length: wanted.topicsPerBot }, (_, topic) => ({
      bot,
      broadcaster: addBroadcaster(sim, index * wanted.topicsPerBot + topic),
    })),
  );
  const topicIds = new Map<string, string>();
  await inTurns(wishes, async ({ bot, broadcaster }) => {
    const interest = await relay.interests.create({
      bot_account_id: bot.id,
      event_type: wanted.type,
      broadcaster_user_id: broadcaster.id,
      transport: 'websocket',
    });
    topicIds.set(`${bot.userId} ${broadcaster.id}`, interest.topic_id);
  });
  await waitFor(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, listPageMs));
      const states = (await relay.interests.list()).map(({ state }) => state);
      return states.length === wishes.length && states.every((state) => state === 'active')
        ? true
        : undefined;
    },
    { what: 'every topic to be confirmed', withinMs: confirmedWithinMs, signal: wanted.signal },
  );
  const live = sim.subscriptions().filter(({ status, zombie }) => status === 'enabled' && !zombie);
  return {
    relay,
    service,
    bots: imported.map((bot) => {
      const own = live.filter(({ userId }) => userId === bot.userId);
      const topics = own.flatMap(({ id, condition }): BenchTopic[] => {
        const topicId = topicIds.get(`${bot.userId} ${condition['broadcaster_user_id'] ?? ''}`);
        return topicId === undefined ? [] : [{ topicId, subscriptionId: id }];
      });
      const [first] = own;
      if (!first || topics.length !== wanted.topicsPerBot)
        throw new Error(`expected ${wanted.topicsPerBot} subscriptions of a bot, got ${topics.length}`);
      return { ...bot, topics, sessionId: first.sessionId };
    }),
  };
}

/** A few at a time, in order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce)
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(work))));
  return results;
}
