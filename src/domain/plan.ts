// Desired against actual: what has to be done upstream for one bot account. Pure. A list that failed is *unknown*,
// never *empty*: with it nothing is created or removed that we do not know of ourselves.
import { budgetLimits } from './budget.ts';

/** What the budget forecasts with is what the plan keeps to. */
export const { subscriptionsPerSocket, sockets: socketsPerBot } = budgetLimits;

export interface PlanTopic {
  readonly id: string;
  /** At least one interest of an enabled service. */
  readonly wanted: boolean;
  /** No interest at all, not even of a disabled service: the row may go. */
  readonly disposable: boolean;
  /** Rejected or revoked: not to be tried until somebody restates the wish or the grant. */
  readonly blocked: boolean;
  /** Not to be tried before this instant. */
  readonly retryAt: number | null;
  /** The upstream subscription last known for it, from this process or an earlier one. */
  readonly subscriptionId: string | null;
}

export interface PlanSession {
  readonly slot: number;
  readonly live: boolean;
  /** Every id that this session has had; a hand-over may or may not change it. */
  readonly ids: ReadonlySet<string>;
}

/** What is known to be delivering on one of our live sessions. */
export interface Confirmation {
  readonly subscriptionId: string;
  readonly slot: number;
  readonly at: number;
}

export interface ActualSubscription {
  readonly id: string;
  /** The topic that it would be, by its type, version and condition. */
  readonly topicId: string;
  readonly enabled: boolean;
  readonly status: string;
  readonly sessionId: string | null;
}

export interface PlanInput {
  readonly now: number;
  readonly topics: readonly PlanTopic[];
  readonly sessions: readonly PlanSession[];
  readonly confirmed: ReadonlyMap<string, Confirmation>;
  readonly listing: readonly ActualSubscription[] | 'unknown';
  /** A confirmation younger than this is not doubted by a list that lacks it. */
  readonly listLagMs: number;
  /** Nobody was told to wait longer: a retry beyond it was put off by a clock that has gone back since. */
  readonly longestRetryMs?: number;
}

export interface Adoption {
  readonly topicId: string;
  readonly subscriptionId: string;
  readonly slot: number;
  /** True only while the slot is on this session. */
  readonly sessionId: string;
}

export interface Plan {
  /** Confirmed and still wanted. */
  readonly keep: readonly string[];
  /** Found alive on our own session: counted as confirmed, nothing to call. */
  readonly adopt: readonly Adoption[];
  /** Believed confirmed, but the platform says otherwise: `status` is its word, null if it is not listed at all. */
  readonly lost: readonly { topicId: string; status: string | null }[];
  readonly create: readonly { topicId: string; slot: number }[];
  /** Ours, and nobody wants it (any more), or it died with an earlier session. */
  readonly remove: readonly { subscriptionId: string; topicId: string | null }[];
  /** Unwanted, with nothing upstream to remove: the row can go. */
  readonly forget: readonly string[];
  /** How many sockets the wishes need. */
  readonly sockets: number;
}

export function planUpstream(input: PlanInput): Plan {
  const slotOf = new Map<string, number>();
  for (const session of input.sessions)
    if (session.live) for (const id of session.ids) slotOf.set(id, session.slot);
  const listed = byTopic(input.listing, slotOf);
  const plan = { keep: [], adopt: [], lost: [], create: [], remove: [], forget: [] } as Draft;
  const missing: string[] = [];

  for (const topic of input.topics) {
    const found = confirmationOf(topic, input, listed, plan);
    if (!topic.wanted) discard(topic, found, listed, plan);
    else if (found) plan.keep.push(topic.id);
    else if (isDue(topic, input)) missing.push(topic.id);
  }
  removeStrays(input, listed, plan);
  place(triedLast(missing, input.topics), input, listed, plan);
  return { ...plan, sockets: socketsNeeded(input, plan) };
}

/** What failed before comes behind what was never tried, so that one hopeless wish does not hold the others up. */
function triedLast(missing: readonly string[], topics: readonly PlanTopic[]): string[] {
  const tried = new Set(topics.filter((topic) => topic.retryAt !== null).map((topic) => topic.id));
  return [...missing.filter((id) => !tried.has(id)), ...missing.filter((id) => tried.has(id))];
}

/** Whether a create may be tried now. */
export function isDue(
  topic: PlanTopic,
  { now, longestRetryMs = Infinity }: Pick<PlanInput, 'now' | 'longestRetryMs'>,
): boolean {
  if (!topic.wanted || topic.blocked) return false;
  return topic.retryAt === null || topic.retryAt <= now || topic.retryAt - now > longestRetryMs;
}

interface Draft {
  keep: string[];
  adopt: Adoption[];
  lost: { topicId: string; status: string | null }[];
  create: { topicId: string; slot: number }[];
  remove: { subscriptionId: string; topicId: string | null }[];
  forget: string[];
}

interface Listed extends ActualSubscription {
  /** Our slot that it is on, or null for a session that is not (or no longer) ours. */
  readonly slot: number | null;
}

function byTopic(listing: PlanInput['listing'], slotOf: ReadonlyMap<string, number>): Map<string, Listed[]> {
  const map = new Map<string, Listed[]>();
  if (listing === 'unknown') return map;
  for (const item of listing) {
    const slot = item.sessionId === null ? null : (slotOf.get(item.sessionId) ?? null);
    const list = map.get(item.topicId);
    if (list) list.push({ ...item, slot });
    else map.set(item.topicId, [{ ...item, slot }]);
  }
  return map;
}

function confirmationOf(
  topic: PlanTopic,
  input: PlanInput,
  listed: ReadonlyMap<string, Listed[]>,
  plan: Draft,
): Confirmation | undefined {
  const known = input.confirmed.get(topic.id);
  const items = listed.get(topic.id) ?? [];
  const alive = items.find((each) => each.enabled && each.slot !== null);
  if (known) {
    if (input.listing === 'unknown') return known;
    const item = items.find((each) => each.id === known.subscriptionId);
    if (item?.enabled || (!item && input.now - known.at < input.listLagMs)) return known;
    // A twin that lives is adopted below: then the end of this one says nothing about the wish.
    plan.lost.push({ topicId: topic.id, status: alive ? null : (item?.status ?? null) });
  }
  if (!alive || alive.slot === null || alive.sessionId === null) return undefined;
  const { id: subscriptionId, sessionId, slot } = alive;
  if (topic.wanted) plan.adopt.push({ topicId: topic.id, subscriptionId, slot, sessionId });
  return { subscriptionId: alive.id, slot: alive.slot, at: input.now };
}

function discard(
  topic: PlanTopic,
  found: Confirmation | undefined,
  listed: ReadonlyMap<string, Listed[]>,
  plan: Draft,
) {
  const recorded = found?.subscriptionId ?? topic.subscriptionId;
  if (recorded !== null) plan.remove.push({ subscriptionId: recorded, topicId: topic.id });
  else if (topic.disposable) plan.forget.push(topic.id);
  for (const item of listed.get(topic.id) ?? []) {
    if (item.id !== recorded && item.slot !== null)
      plan.remove.push({ subscriptionId: item.id, topicId: null });
  }
}

/** On our sessions but of no topic or twice, or recorded as ours and left behind on a dead session. */
function removeStrays(input: PlanInput, listed: ReadonlyMap<string, Listed[]>, plan: Draft) {
  const topics = new Map(input.topics.map((topic) => [topic.id, topic]));
  const lost = new Set(plan.lost.map((each) => each.topicId));
  for (const [topicId, items] of listed) {
    const topic = topics.get(topicId);
    if (topic && !topic.wanted) continue;
    const delivering =
      plan.adopt.find((each) => each.topicId === topicId)?.subscriptionId ??
      (lost.has(topicId) ? undefined : input.confirmed.get(topicId)?.subscriptionId);
    for (const item of items) {
      if (item.id === delivering) continue;
      const stale = item.slot === null && item.enabled && topic?.subscriptionId === item.id;
      if (item.slot !== null || stale) plan.remove.push({ subscriptionId: item.id, topicId: null });
    }
  }
}

/** Each missing topic on the emptiest live socket that has room. */
function place(
  missing: readonly string[],
  input: PlanInput,
  listed: ReadonlyMap<string, Listed[]>,
  plan: Draft,
) {
  const room = new Map<number, number>();
  for (const session of input.sessions) if (session.live) room.set(session.slot, subscriptionsPerSocket);
  const take = (slot: number) => room.set(slot, (room.get(slot) ?? 0) - 1);
  for (const slot of occupied(input, listed, plan).values()) take(slot);
  for (const topicId of missing) {
    const best = [...room].filter(([, free]) => free > 0).toSorted(([a, x], [b, y]) => y - x || a - b)[0];
    if (!best) return;
    plan.create.push({ topicId, slot: best[0] });
    take(best[0]);
  }
}

/** Which slot each living subscription takes a place on: strays count, since they are removed only after the creates. */
function occupied(input: PlanInput, listed: ReadonlyMap<string, Listed[]>, plan: Draft): Map<string, number> {
  const lost = new Set(plan.lost.map((each) => each.topicId));
  const slots = new Map<string, number>();
  for (const [topicId, { subscriptionId, slot }] of input.confirmed)
    if (!lost.has(topicId)) slots.set(subscriptionId, slot);
  for (const items of listed.values())
    for (const { id, enabled, slot } of items) if (enabled && slot !== null) slots.set(id, slot);
  return slots;
}

function socketsNeeded(input: PlanInput, plan: Draft): number {
  const wishes = input.topics.filter((topic) => topic.wanted && !topic.blocked);
  const active = plan.keep.length + input.topics.filter((topic) => isDue(topic, input)).length;
  if (active === 0) return 0;
  return Math.min(socketsPerBot, Math.ceil(wishes.length / subscriptionsPerSocket));
}
