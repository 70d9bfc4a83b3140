// Changes of accounts that reach further than a row: the store writes, the log tells the owners, readers and sessions are
// woken by the store's own hints. No rule of the relay lives here.
import { interestEvent } from '../domain/relay-event.ts';
import type { EventDraft } from '../domain/event.ts';
import type { HttpAccounts } from '../http/port-accounts.ts';
import type { Logger } from '../observability/logger.ts';
import { pause, type Clock } from '../runtime/clock.ts';
import type { AffectedInterest } from '../store/services.ts';
import type { Store } from '../store/store.ts';
import type { TwitchUpstream } from '../upstream/twitch/twitch-upstream.ts';

/** How long a removal is waited for: Twitch answers the few calls of it in less, if it answers at all. */
const removalWithinMs = 5_000;
/** A look at one row, by its key. */
const lookEveryMs = 50;

interface AccountsDeps {
  readonly store: Store;
  readonly upstream: TwitchUpstream;
  readonly declare: (draft: EventDraft) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stopping: AbortSignal;
}

export function httpAccounts(deps: AccountsDeps): HttpAccounts {
  const { store, upstream } = deps;
  return {
    patchBot: (id, patch) => store.bots.patch(id, patch),
    async removeBot(id) {
      const started = await store.bots.startRemoval(id);
      return started && { interests: started.interests, revoked: await isGone(deps, id) };
    },
    async refreshBot(id) {
      if (!(await store.bots.get(id))) return undefined;
      await upstream.refresh(id);
      return store.bots.get(id);
    },
    async patchService(clientId, { enabled, access_mode: accessMode, bot_account_ids: botAccountIds }) {
      const changed = await store.services.patch(clientId, {
        ...(enabled === undefined ? {} : { enabled }),
        ...(accessMode === undefined ? {} : { accessMode }),
        ...(botAccountIds === undefined ? {} : { botAccountIds }),
      });
      if (!changed) return undefined;
      for (const interest of changed.suspended) tell(deps, interest, deniedVerdict);
      await tellResumed(deps, changed.resumed);
      return changed.service;
    },
  };
}

/** The reconciler deletes the row last. */
async function isGone({ store, clock, stopping }: AccountsDeps, id: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < removalWithinMs; waitedMs += lookEveryMs) {
    // The removal has begun, whether the database answers now or not.
    const isThere = await store.bots.getAny(id).then(Boolean, () => true);
    if (!isThere) return true;
    if ((await pause(clock, lookEveryMs, stopping)) !== 'elapsed') break;
  }
  return false;
}

/**
 * Owners of interests that go on are told what has become of the topic: nobody told them while they were suspended. Of
 * one that waits for Twitch the reconciler tells them.
 */
export async function tellResumed(
  deps: Pick<AccountsDeps, 'store' | 'declare' | 'clock' | 'log'>,
  resumed: readonly AffectedInterest[],
): Promise<void> {
  for (const interest of resumed) {
    // The change is done: a database that goes away now must not make it look refused.
    const verdict = await verdictNow(deps.store, interest).catch((error: unknown) =>
      deps.log.warn({ interest_id: interest.id, err: error }, 'the owner of an interest could not be told'),
    );
    if (verdict) tell(deps, interest, verdict);
  }
}

type Verdict = Parameters<typeof interestEvent>[1];

async function verdictNow(
  store: Store,
  { serviceAccountId, id }: AffectedInterest,
): Promise<Verdict | undefined> {
  const found = await store.interests.get(serviceAccountId, id);
  if (!found?.allowed || found.topic.state === 'pending') return undefined;
  const { state, reason, code, retryAt } = found.topic;
  return { state, reason, code, retryAt: retryAt ?? undefined };
}

const deniedVerdict: Verdict = {
  state: 'revoked',
  reason: 'this service may not use the bot any more',
  code: 'bot_access_denied',
};

/** Not awaited: with the database away it is durable only later, and the change itself is done. */
function tell(
  { declare, clock, log }: Pick<AccountsDeps, 'declare' | 'clock' | 'log'>,
  interest: AffectedInterest,
  verdict: Verdict,
): void {
  declare(interestEvent(interest, verdict, clock.now())).catch((error: unknown) =>
    log.warn({ interest_id: interest.id, err: error }, 'the owner of an interest could not be told'),
  );
}
