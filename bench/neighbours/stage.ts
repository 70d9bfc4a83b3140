// Who is there: a service with a hundred endpoints that are well, all on one channel, and one that hangs, which can be
// switched on, with all its requests under way, and off, without a trace.
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import { basePath } from '../webhooks/receiver-messages.ts';
import type { ReceiverProcess } from '../webhooks/receiver-process.ts';
import type { RelayProcess } from '../kit/relay-process.ts';
import { addBroadcaster, signUp, topicsOn } from '../kit/stage.ts';
import type { BenchTopic } from '../kit/stage.ts';
import { concurrency } from '../webhooks/stage.ts';
import { waitFor } from '../kit/wait.ts';

const healthy = 100;
/** Of the healthy endpoints at their receiver. */
export const paths = Array.from({ length: healthy }, (_, index) => `${basePath}/${index}`);
const fullWithinMs = 10_000;

export interface Hung {
  /** Requests that it has got since it was switched on. */
  readonly requests: () => number;
  readonly switchOff: () => Promise<void>;
}

export interface Neighbourhood {
  /** What all of them watch. */
  readonly topic: BenchTopic;
  /** Resolves when as many requests hang as one endpoint may have. */
  readonly switchOn: () => Promise<Hung>;
}

export async function setStage(
  sim: Simulator,
  process: RelayProcess,
  { receiver, hanging, signal }: { receiver: ReceiverProcess; hanging: ReceiverProcess; signal: AbortSignal },
): Promise<Neighbourhood> {
  const { relay, watch } = await signUp(sim, process);
  const [shared, flood] = [addBroadcaster(sim, 0), addBroadcaster(sim, 1)];
  await Promise.all(paths.map((path) => watch(shared, new URL(path, receiver.url).href)));
  // Both are watched all along, so that switching changes nothing upstream.
  const topicIds = new Map([
    [shared.id, (await watch(shared)).topic_id],
    [flood.id, (await watch(flood)).topic_id],
  ]);
  const { topics } = topicsOn(sim, topicIds);
  const topicOf = ({ id }: SimUser): BenchTopic => {
    const found = topics.find(({ topicId }) => topicId === topicIds.get(id));
    if (!found) throw new Error('a subscription is missing');
    return found;
  };
  const filler = topicOf(flood);
  return {
    topic: topicOf(shared),
    switchOn: async () => {
      const before = hanging.requests();
      const requests = () => hanging.requests() - before;
      const made = [await watch(shared, hanging.url), await watch(flood, hanging.url)];
      for (const id of new Set(made.flatMap(({ endpoint_id }) => endpoint_id ?? [])))
        await relay.endpoints.update(id, { order: 'none', concurrency });
      sim.sendBurst(filler.subscriptionId, concurrency, { keepText: false });
      await waitFor(() => requests() >= concurrency || undefined, {
        what: 'the hung receiver to be full',
        withinMs: fullWithinMs,
        signal,
      });
      const switchOff = async () => {
        for (const { id } of made) await relay.interests.remove(id);
      };
      return { requests, switchOff };
    },
  };
}
