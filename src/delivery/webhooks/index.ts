// Webhook delivery as the rest of the process sees it. Composes the parts, answers the calls, and ends everything within
// its time; the work is done in the files beside it.
import { pause } from '../../runtime/clock.ts';
import { around } from '../../runtime/crash-points.ts';
import { Positions } from '../positions.ts';
import { Turns } from '../turns.ts';
import type { WebhookContext } from './context.ts';
import { Dispatcher } from './dispatcher.ts';
import { DurableWrites } from './durable-writes.ts';
import { History } from './history.ts';
import { LaneNames } from './lane-names.ts';
import type { EndpointPosition, OwedDelivery, Settlement, WebhookDeps, WebhooksHandle } from './ports.ts';
import { sendChallenge, sendTest } from './relay-requests.ts';
import { replay } from './replay.ts';
import { validSecrets } from './live-secrets.ts';

/** A change is a read of one row; while the database is away it takes effect when it is back. */
const inForceWithinMs = 1_000;

/** What the last writes may take when the process stops; a database that is away is not waited for longer. */
const lastWritesMs = 2_000;

export { createSender } from './sender.ts';

export type Webhooks = WebhooksHandle & {
  /** Begins to deliver. Resolves when every endpoint is at work; with the database away, once it is back. */
  start(): Promise<void>;
};

export function createWebhooks(deps: WebhookDeps): Webhooks {
  const context = contextOf(deps);
  const { rows, clock, positions, history, parks, settlements } = context;
  const dispatcher = new Dispatcher(context);
  const stopping = new AbortController();
  let unsubscribe: (() => void) | undefined;
  let stopped: Promise<void> | undefined;

  const end = async (withinMs: number): Promise<void> => {
    unsubscribe?.();
    const ended = dispatcher.stop();
    await within(context, withinMs, ended);
    stopping.abort();
    dispatcher.abort();
    await within(context, lastWritesMs, ended);
    parks.stop();
    settlements.stop();
    dispatcher.abandon();
    await within(context, lastWritesMs, Promise.all([positions.stop(), history.stop(), ended]));
  };

  return {
    async start() {
      unsubscribe = deps.onChange((change) => dispatcher.changed(change));
      history.start();
      await dispatcher.start();
    },
    async test(endpointId) {
      const row = await rows.endpoint(endpointId);
      return row && sendTest(context, row, stopping.signal);
    },
    challenge: (url, secret) => sendChallenge(context, { url, secrets: [secret] }, stopping.signal),
    async challengeEndpoint(endpointId) {
      const row = await rows.endpoint(endpointId);
      if (!row) return undefined;
      const secrets = validSecrets(row.secrets, clock.now());
      return sendChallenge(context, { url: row.url, secrets }, stopping.signal);
    },
    async replay(request) {
      await positions.flush();
      // The numbers of a replay go on from those in the history.
      if (!request.dryRun) await history.flush();
      const row = await rows.endpoint(request.endpointId);
      if (!row || row.serviceAccountId !== request.serviceAccountId) return { run: null, events: 0 };
      const runner = dispatcher.runner(row.id);
      const answer = await replay(context, row, request, runner?.cursor ?? row.ackedSeq);
      dispatcher.runner(row.id)?.due();
      return answer;
    },
    inForce: () => within(context, inForceWithinMs, dispatcher.settled()),
    stats: () => dispatcher.stats(),
    stop: ({ withinMs }) => (stopped ??= end(withinMs)),
  };
}

function contextOf(deps: WebhookDeps): WebhookContext {
  const { rows, clock, keepAttemptsMs, crash, observer = {} } = deps;
  return {
    ...deps,
    observer,
    turns: new Turns({ clock }),
    laneNames: new LaneNames(),
    history: new History({ rows, clock, keepAttemptsMs, observer, crash }),
    positions: new Positions<EndpointPosition>({
      clock,
      save: around(crash, 'cursor', (all) => rows.savePositions(all)),
      failed: (error) => observer.failed?.('save', error),
    }),
    parks: new DurableWrites<OwedDelivery>({
      clock,
      write: around(crash, 'retry', (all) => rows.park(all)),
      failed: (error) => observer.failed?.('park', error),
    }),
    settlements: new DurableWrites<Settlement>({
      clock,
      write: (all) => rows.settle(all),
      failed: (error) => observer.failed?.('settle', error),
    }),
  };
}

/** Waits for the end, and no longer than that; leaves no timer. */
async function within({ clock }: WebhookContext, ms: number, ended: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([ended, pause(clock, ms, timer.signal)]);
  timer.abort();
}
