// Ours: the relay as its users run it, on a database of its own; one service account for each topic, its consumers with
// cumulative acknowledgements.
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import { builtRelay } from '../kit/built.ts';
import { createDatabase } from '../kit/database.ts';
import { startRelay } from '../kit/relay-process.ts';
import { importBot, topicsOf } from '../kit/stage.ts';
import type { SocketSpec } from '../swarm/messages.ts';
import { swarmOf } from './contender.ts';
import type { StartContender } from './contender.ts';

/** The most that the protocol allows: acknowledgements still come for each read. */
const maxInFlight = 4096;

const mostPerService = 500;

const sharesOf = (consumers: number): number[] =>
  Array.from({ length: Math.ceil(consumers / mostPerService) }, (_, n) =>
    Math.min(mostPerService, consumers - n * mostPerService),
  );

export const startOurs: StartContender = async (task, closing) => {
  const { sim, options, broadcasters, consumersPerTopic, signal } = task;
  const database = await createDatabase(options.databaseUrl, closing);
  const { profileDir } = options;
  const program = await builtRelay(task.say);
  const relay = await startRelay({ sim, databaseUrl: database.url, profileDir, program, signal }, closing);
  const admin = createAdminClient({ url: relay.url, adminKey: relay.adminKey });
  const bot = await importBot(sim, admin, 'benchbot');
  const sockets: SocketSpec[] = [];
  const topicIds = new Map<string, string>();
  // As many services as it takes: one may have a thousand sockets.
  const shares = sharesOf(consumersPerTopic);
  for (const [index, broadcaster] of broadcasters.flatMap((each) => shares.map(() => each)).entries()) {
    const account = await admin.serviceAccounts.create(`bench${index}`);
    const service = createRelayClient({
      url: relay.url,
      clientId: account.client_id,
      clientSecret: account.client_secret,
    });
    const interest = await service.interests.ensure(bot.wish(broadcaster), { withinMs: 60_000 });
    topicIds.set(broadcaster.id, interest.topic_id);
    const headers = { 'X-Client-Id': account.client_id, 'X-Client-Secret': account.client_secret };
    for (let n = 0; n < (shares[index % shares.length] ?? 0); n++)
      sockets.push({ path: `/ws/events?consumer=c${n}&max_in_flight=${maxInFlight}`, headers });
  }
  const swarm = swarmOf(task, closing);
  await swarm.connect('relay.v1', Number(new URL(relay.url).port), sockets);
  return {
    name: 'relay',
    topics: topicsOf(sim, bot.userId, topicIds),
    swarm,
    pids: [relay.pid],
    check() {
      if (relay.hasEnded()) throw new Error(`the relay ended:\n${relay.output()}`);
    },
  };
};
