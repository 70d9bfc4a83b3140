// Which of the notifications that a stand-by holds are in the log already, under the ids that the active relay's own
// subscriptions gave them. Pure. In doubt a notification is kept: a repetition can be told by its reader, a loss by nobody.

/** One notification of a topic, as either relay saw it. */
export interface Sighting {
  readonly id: string;
  /** The platform's stamp, milliseconds since the epoch. */
  readonly sentAt: number;
  /** What happened, in one spelling: equal for the two notifications of one happening (`payloadOf`). */
  readonly payload: string;
}

export interface OverlapInput {
  /** What the predecessor has logged of the topic. */
  readonly logged: readonly Sighting[];
  /** What the stand-by holds of it, in the order of arrival. */
  readonly held: readonly Sighting[];
  /** Whether the stand-by may have missed what was sent then: such a record has no twin that one could wait for. */
  readonly missed: (sentAt: number) => boolean;
  /** Everything sent up to here is in the log, by the predecessor's own record; -Infinity when it says nothing. */
  readonly coveredUntil: number;
}

export interface Overlap {
  /** Ids of held notifications that are in the log. */
  readonly repeated: ReadonlySet<string>;
  /** Logged records whose twins have not come yet: they may be under way. */
  readonly open: readonly Sighting[];
}

/** Stamps of two notifications of one happening differ by less. */
export const stampToleranceMs = 3_000;

export function overlap({ logged, held, missed, coveredUntil }: OverlapInput): Overlap {
  const repeated = new Set<string>();
  const known = new Set(logged.map(({ id }) => id));
  const same = held.filter(({ id }) => known.has(id));
  const sameIds = new Set(same.map(({ id }) => id));
  const records = logged.filter(({ id, sentAt }) => !sameIds.has(id) && !missed(sentAt));
  const rest = held.filter(({ id }) => !sameIds.has(id));
  const taken = new Set<Sighting>();
  const candidates = byPayload(records);
  for (const [payload, ofPayload] of byPayload(rest)) {
    for (const [one, record] of twins(ofPayload, candidates.get(payload) ?? [])) {
      repeated.add(one.id);
      taken.add(record);
    }
  }
  for (const id of sameIds) repeated.add(id);
  for (const { id, sentAt } of rest) if (sentAt < coveredUntil - stampToleranceMs) repeated.add(id);
  return { repeated, open: records.filter((record) => !taken.has(record)) };
}

function byPayload(sightings: readonly Sighting[]): Map<string, Sighting[]> {
  const groups = new Map<string, Sighting[]>();
  for (const each of sightings) {
    const group = groups.get(each.payload);
    if (group) group.push(each);
    else groups.set(each.payload, [each]);
  }
  return groups;
}

/** Pairs that are certain: each is the other's nearest by far. */
function* twins(held: readonly Sighting[], records: readonly Sighting[]): Generator<[Sighting, Sighting]> {
  for (const one of held) {
    const record = clearlyNearest(one, records);
    if (record && clearlyNearest(record, held) === one) yield [one, record];
  }
}

/** The one within the tolerance that is more than twice as near as any other; undefined when two could be meant. */
function clearlyNearest(to: Sighting, among: readonly Sighting[]): Sighting | undefined {
  let nearest: Sighting | undefined;
  let best = Number.POSITIVE_INFINITY;
  let second = Number.POSITIVE_INFINITY;
  for (const each of among) {
    const distance = Math.abs(each.sentAt - to.sentAt);
    if (distance < best) [nearest, second, best] = [each, best, distance];
    else if (distance < second) second = distance;
  }
  return best <= stampToleranceMs && best * 2 < second ? nearest : undefined;
}

/**
 * Everything of a notification's body but the subscription that it came by, with the members in a fixed order. The body
 * itself when it cannot be read: then it equals nothing but itself.
 */
export function payloadOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(`{${body}}`);
    return JSON.stringify(sorted(parsed, true));
  } catch {
    return body;
  }
}

function sorted(value: unknown, isTop = false): unknown {
  if (Array.isArray(value)) return value.map((each) => sorted(each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !isTop || key !== 'subscription')
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  // As a list of pairs: an object would put keys that look like numbers first, and take one key for its prototype.
  return entries.map(([key, member]) => [key, sorted(member)]);
}
