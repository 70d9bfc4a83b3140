// Keeps the fan-out's picture of who wants what, and the upstream sessions, in step with the rows. A wish takes effect
// here first and upstream afterwards: nothing that Twitch sends for it may find nobody who wants it.
import type { Audience } from '../fanout/audience.ts';
import type { InterestRow } from '../fanout/port.ts';
import { pause, type Clock } from '../runtime/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Store, StoreChange } from '../store/store.ts';
import type { TwitchUpstream } from '../upstream/twitch/twitch-upstream.ts';

export async function loadInterests(store: Store, serviceIds?: readonly string[]): Promise<InterestRow[]> {
  if (!serviceIds) return store.interests.filters();
  const rows = await Promise.all(serviceIds.map((id) => store.interests.filters(id)));
  return rows.flat();
}

interface Followed {
  readonly store: Store;
  readonly audience: Audience;
  readonly upstream: TwitchUpstream;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A change that was not heard of (another process's write) takes effect after this at the latest. */
const rereadEveryMs = 30_000;
/** After a failed read: nothing is delivered until one succeeds, so that no reader passes what it does not know of. */
const retryMs = 1_000;

async function rereadRegularly(
  audience: Audience,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  // Pauses are counted rather than instants compared: a clock that is set back must not put this off.
  let restedMs = 0;
  while ((await pause(clock, retryMs, signal)) === 'elapsed') {
    restedMs += retryMs;
    if (audience.isKnown && restedMs < rereadEveryMs) continue;
    restedMs = 0;
    await audience.reload().catch((err: unknown) => log.warn({ err }, 'interests could not be read'));
  }
}

/** Returns the stop. */
export function followStore({ store, audience, upstream, clock, log }: Followed): () => Promise<void> {
  const reload = async (change: StoreChange) => {
    if (change.kind === 'interests') await audience.reload(change.serviceAccountIds);
    else if (change.kind === 'service') await audience.reload([change.serviceAccountId]);
  };
  const wake = async (change: StoreChange) => {
    if (change.kind === 'bot') upstream.wake(change.botAccountId, 'bot');
    else if (change.kind === 'interests')
      for (const botId of change.botAccountIds) upstream.wake(botId, 'interests');
    else if (change.kind === 'service' && affectsWishes(change.what)) {
      for (const bot of await store.bots.list()) upstream.wake(bot.id, 'interests');
    }
  };
  const running = new Set<Promise<void>>();
  const unsubscribe = store.onChange((change) => {
    const work = reload(change)
      // With the picture unknown everything counts as wanted, so upstream may go on.
      .catch((err: unknown) => log.warn({ err }, 'interests could not be read'))
      .then(() => wake(change))
      .catch((err: unknown) =>
        log.warn({ err }, 'a change could not be passed on; the next regular pass finds it'),
      )
      .finally(() => running.delete(work));
    running.add(work);
  });
  const stop = new AbortController();
  const regular = rereadRegularly(audience, clock, log, stop.signal);
  return async () => {
    unsubscribe();
    stop.abort();
    await regular;
    await Promise.all(running);
  };
}

const affectsWishes = (what: string): boolean =>
  what === 'enabled' || what === 'disabled' || what === 'access' || what === 'removed';
