// After a fault: waits until the relay is whole and everybody is up to date, then has the oracle judge what happened since
// the last time. The waiting is bounded; who is not up to date by then has lost something.
import { until } from '../support/until.ts';
import type { Api } from './api.ts';
import type { FaultKind, Happening, Played, Topic, Verdict } from './contract.ts';
import type { Happenings } from './happenings.ts';
import type { Inbox } from './inbox.ts';
import { judge, type DeclaredGap } from './oracle.ts';
import type { PassingInterest } from './passing-interest.ts';
import type { Population } from './population.ts';

export interface SettleDeps {
  readonly api: Api;
  readonly happenings: Happenings;
  readonly population: Population;
  readonly topics: readonly Topic[];
  readonly keepaliveMs: number;
  readonly passing: PassingInterest;
  healthy(timeoutMs?: number): Promise<void>;
  /** When Twitch got the youngest of the subscriptions that topics have now. */
  heardSince(): number;
}

/** A start from nothing costs up to seven seconds of a processor, and others may want it too. */
const healthyWithinMs = 60_000;
const upToDateWithinMs = 60_000;
/** Longer than any pause between two tries of a receiver that is well again. */
const noNearerMs = 12_000;
/** Endpoints whose circuit is open wait for half a minute; an owner who has mended the receiver enables it. */
const enableEveryMs = 400;
/** A stall of this length can look like a silence of Twitch. */
const worthTellingMs = 500;
/** Nothing new in the log for so long: what was under way has arrived. */
const quietMs = 120;

export interface Settled {
  readonly verdict: Verdict;
  readonly recoveredMs: number | null;
  readonly error: string | null;
}

export async function settle(deps: SettleDeps, kind: FaultKind, played: Played): Promise<Settled> {
  const { happenings, population } = deps;
  let error: string | null = null;
  try {
    await deps.healthy(healthyWithinMs);
    await deps.passing.changed();
    // The way is open again for each of them.
    happenings.everywhere();
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
  }
  happenings.pause();
  const isUpToDate = await catchUp(deps);
  const recoveredMs = error === null && isUpToDate ? Math.max(0, Date.now() - played.to) : null;
  const verdict = judgeNow(deps, kind, played);
  population.auditor.turnPage();
  for (const inbox of population.inboxes) inbox.turnPage();
  happenings.forgetTexts();
  return { verdict, recoveredMs, error };
}

/** True when everything is where it belongs; false when it got no nearer to that for long, or takes for ever. */
async function catchUp(deps: SettleDeps): Promise<boolean> {
  const beganAt = performance.now();
  let fewest = Infinity;
  let nearerAt = beganAt;
  let enableAt = beganAt + enableEveryMs;
  for (;;) {
    const isStill = await isQuiet(deps);
    const now = performance.now();
    const missing = deps.population.inboxes.reduce(
      (sum, each) => sum + missingFor(deps, each),
      unlogged(deps),
    );
    if (isStill && missing === 0) return true;
    if (missing < fewest) nearerAt = now;
    fewest = Math.min(fewest, missing);
    if (now - nearerAt > noNearerMs || now - beganAt > upToDateWithinMs) return false;
    if (now > enableAt) {
      await enableEndpoints(deps).catch(() => undefined);
      enableAt = performance.now() + enableEveryMs;
    }
  }
}

async function isQuiet({ population: { auditor } }: SettleDeps): Promise<boolean> {
  const before = auditor.read;
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  return auditor.read === before;
}

const covers = (gap: DeclaredGap, { topic, at }: Happening) =>
  !gap.isOwn && gap.topics.includes(topic) && gap.from <= at && at <= gap.to;

/** Happenings that are neither in the log nor in a gap. */
function unlogged({ happenings, population: { auditor } }: SettleDeps): number {
  return happenings.recent.filter(
    (each) => !auditor.has(each.n) && !auditor.gaps.some((gap) => covers(gap, each)),
  ).length;
}

/** Judged roughly: what is excused by a gap of the consumer's own is left to the oracle. */
function missingFor({ happenings, population: { auditor } }: SettleDeps, inbox: Inbox): number {
  const { topics } = inbox.consumer;
  const passing = [...inbox.during].flatMap(([topic, spans]) => spans.map((span) => ({ topic, ...span })));
  const isOwed = ({ topic, at }: Happening) =>
    topics.has(topic) || passing.some((each) => each.topic === topic && each.from <= at);
  const told = new Set(inbox.gaps.map(({ id }) => id));
  const untold = auditor.gaps.filter(
    (gap) => !gap.isOwn && !told.has(gap.id) && gap.topics.some((topic) => topics.has(topic)),
  );
  const ungiven = happenings.recent.filter(
    (each) => !inbox.taken.has(each.n) && isOwed(each) && auditor.has(each.n),
  );
  return untold.length + ungiven.length;
}

async function enableEndpoints({ api, population }: SettleDeps): Promise<void> {
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

function judgeNow(deps: SettleDeps, kind: FaultKind, played: Played): Verdict {
  const { happenings, population, topics } = deps;
  const { auditor } = population;
  const bots = played.bots && new Set(played.bots.map(({ id }) => id));
  const concerned = bots && new Set(topics.filter(({ bot }) => bots.has(bot.id)).map(({ index }) => index));
  // Lifted is not heard again: until Twitch has a subscription nobody can be told anything.
  const to = Math.max(played.to, deps.heardSince());
  const verdict = judge({
    fault: { from: played.from, to, mayLose: kind.mayLose, topics: concerned ?? null },
    keepaliveMs: deps.keepaliveMs,
    happenings: happenings.take(),
    log: auditor.log,
    gaps: auditor.gaps,
    consumers: population.inboxes.map((each) => each.evidence()),
  });
  const stallMs = happenings.takeStallMs();
  const findings =
    stallMs < worthTellingMs
      ? verdict.findings
      : [...verdict.findings, `this machine was busy: the programme itself stood still for ${stallMs} ms`];
  if (auditor.unfaithful.length === 0) return { ...verdict, findings };
  return {
    ...verdict,
    lost: verdict.lost + auditor.unfaithful.length,
    findings: [
      `logged with another text or topic: ${auditor.unfaithful.slice(0, 5).join(', ')}`,
      ...findings,
    ],
  };
}

/** For who wants to wait for all sockets. */
export const everySocketOpen = ({ sockets }: Population) =>
  until(() => sockets.every(({ isOpen }) => isOpen), { what: 'every socket to be open', timeoutMs: 15_000 });
