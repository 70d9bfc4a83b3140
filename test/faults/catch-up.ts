// Waiting, with a bound, until everything that happened is in the log or a gap, and everybody has what is owed to them.
import type { Api } from './api.ts';
import type { Happening } from './contract.ts';
import type { Happenings } from './happenings.ts';
import type { Inbox } from './inbox.ts';
import { loggedByTopic, type DeclaredGap } from './oracle.ts';
import type { Population } from './population.ts';
import { inSlices, inSteps, type Steps } from './slices.ts';

export interface CatchUpDeps {
  readonly api: Api;
  readonly happenings: Happenings;
  readonly population: Population;
}

const upToDateWithinMs = 60_000;
/** Longer than any pause between two tries of a receiver that is well again. */
const noNearerMs = 12_000;
/** Endpoints whose circuit is open wait for half a minute; an owner who has mended the receiver enables it. */
const enableEveryMs = 400;
/** Nothing new in the log for so long: what was under way has arrived. */
const quietMs = 120;

/** True when everything is where it belongs; false when it got no nearer to that for long, or takes for ever. */
export async function catchUp(deps: CatchUpDeps): Promise<boolean> {
  const { auditor } = deps.population;
  const beganAt = performance.now();
  let fewest = Infinity;
  let nearerAt = beganAt;
  let enableAt = beganAt + enableEveryMs;
  for (;;) {
    const before = auditor.read;
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    const missing = await inSlices(countMissing(deps));
    // What the log got during the counting may be owed to somebody who was counted before.
    if (missing === 0 && auditor.read === before) return true;
    const now = performance.now();
    if (missing < fewest) nearerAt = now;
    fewest = Math.min(fewest, missing);
    if (now - nearerAt > noNearerMs || now - beganAt > upToDateWithinMs) return false;
    if (now > enableAt) {
      await enableEndpoints(deps).catch(() => undefined);
      enableAt = performance.now() + enableEveryMs;
    }
  }
}

/** What is asked of the stage to say what is missing on the page that fills. */
export interface Filling {
  readonly happenings: { readonly recent: readonly Happening[] };
  readonly population: {
    readonly auditor: { readonly gaps: readonly DeclaredGap[]; has(n: number): boolean };
    readonly inboxes: readonly Pick<Inbox, 'consumer' | 'gaps' | 'during' | 'has'>[];
  };
}

export function* countMissing(filling: Filling): Steps<number> {
  const { happenings, population } = filling;
  const { auditor, inboxes } = population;
  let missing = yield* countUnlogged(filling);
  const owable = yield* loggedByTopic(happenings.recent, (n) => auditor.has(n));
  for (const inbox of inboxes) {
    missing += yield* countUngiven(inbox, owable);
    missing += countUntold(inbox, auditor.gaps);
    yield;
  }
  return missing;
}

const covers = (gap: DeclaredGap, { topic, at }: Happening) =>
  !gap.isOwn && gap.topics.includes(topic) && gap.from <= at && at <= gap.to;

/** Happenings that are neither in the log nor in a gap. */
function* countUnlogged({ happenings, population: { auditor } }: Filling): Steps<number> {
  let count = 0;
  yield* inSteps(happenings.recent, (each) => {
    if (!auditor.has(each.n) && !auditor.gaps.some((gap) => covers(gap, each))) count += 1;
  });
  return count;
}

type FillingInbox = Filling['population']['inboxes'][number];

/** Roughly: what is excused by a gap of the consumer's own is left to the oracle. */
function* countUngiven(
  inbox: FillingInbox,
  owable: ReadonlyMap<number, readonly Happening[]>,
): Steps<number> {
  const { topics } = inbox.consumer;
  let count = 0;
  for (const topic of new Set([...topics, ...inbox.during.keys()])) {
    const spans = inbox.during.get(topic) ?? [];
    yield* inSteps(owable.get(topic) ?? [], ({ n, at }) => {
      const isOwed = topics.has(topic) || spans.some(({ from }) => from <= at);
      if (isOwed && !inbox.has(n)) count += 1;
    });
  }
  return count;
}

function countUntold({ consumer: { topics }, gaps }: FillingInbox, declared: readonly DeclaredGap[]): number {
  const told = new Set(gaps.map(({ id }) => id));
  return declared.filter(
    (gap) => !gap.isOwn && !told.has(gap.id) && gap.topics.some((topic) => topics.has(topic)),
  ).length;
}

async function enableEndpoints({ api, population }: CatchUpDeps): Promise<void> {
  const seen = new Set<string>();
  for (const { service } of population.endpoints) {
    if (seen.has(service.clientId)) continue;
    seen.add(service.clientId);
    const views = await api.as<{ id: string; state: string }[]>(service, 'GET', '/v1/endpoints');
    for (const { id, state } of views) {
      if (state !== 'healthy') await api.as(service, 'POST', `/v1/endpoints/${id}/enable`);
    }
  }
}
