// After a fault: waits until the relay is whole and everybody is up to date, then has the oracle judge what happened since
// the last time. The waiting is bounded; who is not up to date by then has lost something.
import { until } from '../support/until.ts';
import type { AuditedPage } from './auditor.ts';
import { catchUp, type CatchUpDeps } from './catch-up.ts';
import type { FaultKind, Played, Topic, Verdict } from './contract.ts';
import { watchLoop } from './loop-delay.ts';
import { judge, type Evidence } from './oracle.ts';
import type { PassingInterest } from './passing-interest.ts';
import type { Population } from './population.ts';
import { inSlices, type Steps } from './slices.ts';

export interface SettleDeps extends CatchUpDeps {
  readonly topics: readonly Topic[];
  readonly keepaliveMs: number;
  readonly passing: PassingInterest;
  healthy(timeoutMs?: number): Promise<void>;
  /** When Twitch got the youngest of the subscriptions that topics have now. */
  heardSince(): number;
}

/** A start from nothing costs up to seven seconds of a processor, and others may want it too. */
const healthyWithinMs = 60_000;
/** A stall of this length can look like a silence of Twitch. */
const worthTellingMs = 500;

export interface Settled {
  readonly verdict: Verdict;
  readonly recoveredMs: number | null;
  readonly error: string | null;
  /** For how long at most everybody else in this process had to wait for the judgement. */
  readonly loopDelayMs: number;
}

export async function settle(deps: SettleDeps, kind: FaultKind, played: Played): Promise<Settled> {
  const { happenings } = deps;
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
  const { value, loopDelayMs } = await watchLoop(async () => {
    const isUpToDate = await catchUp(deps);
    const recoveredMs = error === null && isUpToDate ? Math.max(0, Date.now() - played.to) : null;
    const verdict = await inSlices(judgePage(turnPage(deps, kind, played), deps.population));
    happenings.forgetTexts();
    return { verdict, recoveredMs };
  });
  return { ...value, error, loopDelayMs };
}

interface Page {
  readonly evidence: Evidence;
  readonly audited: AuditedPage;
  readonly stallMs: number;
}

/** In one go: what comes from now on, for whomever, is of the next page. */
function turnPage(deps: SettleDeps, kind: FaultKind, played: Played): Page {
  const { happenings, population, topics } = deps;
  const bots = played.bots && new Set(played.bots.map(({ id }) => id));
  const concerned = bots && new Set(topics.filter(({ bot }) => bots.has(bot.id)).map(({ index }) => index));
  // Lifted is not heard again: until Twitch has a subscription nobody can be told anything.
  const to = Math.max(played.to, deps.heardSince());
  const audited = population.auditor.turnPage();
  const evidence = {
    fault: { from: played.from, to, mayLose: kind.mayLose, topics: concerned ?? null },
    keepaliveMs: deps.keepaliveMs,
    happenings: happenings.take(),
    log: audited.log,
    gaps: audited.gaps,
    consumers: population.inboxes.map((each) => each.turnPage()),
  };
  return { evidence, audited, stallMs: happenings.takeStallMs() };
}

function* judgePage({ evidence, audited, stallMs }: Page, { inboxes }: Population): Steps<Verdict> {
  const verdict = yield* judge(evidence);
  for (const [i, inbox] of inboxes.entries()) {
    const page = evidence.consumers[i];
    if (page) yield* inbox.remember(page);
    yield;
  }
  const findings =
    stallMs < worthTellingMs
      ? verdict.findings
      : [...verdict.findings, `this machine was busy: the programme itself stood still for ${stallMs} ms`];
  const { unfaithful } = audited;
  if (unfaithful.length === 0) return { ...verdict, findings };
  return {
    ...verdict,
    lost: verdict.lost + unfaithful.length,
    findings: [`logged with another text or topic: ${unfaithful.slice(0, 5).join(', ')}`, ...findings],
  };
}

/** For who wants to wait for all sockets. */
export const everySocketOpen = ({ sockets }: Population) =>
  until(() => sockets.every(({ isOpen }) => isOpen), { what: 'every socket to be open', timeoutMs: 15_000 });
