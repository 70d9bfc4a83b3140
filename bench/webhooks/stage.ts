// Who is there before the relay is measured: a bot, 64 broadcasters with one topic each, and one endpoint for all of them.
import type { RelayClient } from '../../src/client/index.ts';
import type { Simulator } from '../../test/simulator/index.ts';
import type { RelayProcess } from '../kit/relay-process.ts';
import { addBroadcaster, signUp, topicsOn } from '../kit/stage.ts';
import type { BenchTopics } from '../kit/stage.ts';

/** As many lanes as one endpoint can have requests under way: the most that order allows at once. */
export const broadcasters = 64;
export const concurrency = 64;

export interface BenchStage extends BenchTopics {
  readonly relay: RelayClient;
  /** What the endpoint's requests are signed with. */
  readonly secret: string;
}

export async function setStage(
  sim: Simulator,
  process: RelayProcess,
  webhookUrl: string,
): Promise<BenchStage> {
  const { relay, watch } = await signUp(sim, process);
  const secrets: string[] = [];
  const watchOne = async (index: number) => {
    const broadcaster = addBroadcaster(sim, index);
    const interest = await watch(broadcaster, webhookUrl);
    if (interest.webhook_secret) secrets.push(interest.webhook_secret);
    return [broadcaster.id, interest.topic_id] as const;
  };
  const topicIds = await Promise.all(Array.from({ length: broadcasters }, (_, index) => watchOne(index)));
  await setConcurrency(relay);
  const [secret] = secrets;
  if (secret === undefined || secrets.length > 1)
    throw new Error(`expected one secret, got ${secrets.length}`);
  return { relay, secret, ...topicsOn(sim, new Map(topicIds)) };
}

async function setConcurrency(relay: RelayClient): Promise<void> {
  const endpoints = await relay.endpoints.list();
  const [endpoint] = endpoints;
  if (!endpoint || endpoints.length > 1) throw new Error(`expected one endpoint, got ${endpoints.length}`);
  await relay.endpoints.update(endpoint.id, { concurrency });
}
