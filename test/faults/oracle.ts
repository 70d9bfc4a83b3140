// The judgement over one fault: what happened at Twitch, what the log holds, what each consumer was given. Pure: it is told
// everything and touches nothing. Its unit test shows for each count that it can be wrong and that it can be right. Goes in
// steps: those who are judged live in the same process and must not stand still meanwhile.
import type { Happening, StageConsumer, Verdict } from './contract.ts';
import { inSteps, type Steps } from './slices.ts';

/** A happening as the log has it. */
export interface Logged {
  readonly n: number;
  readonly topic: number;
  /** The relay's id of the event. */
  readonly id: string;
  /** Place in the log. */
  readonly seq: number;
}

/** A `relay.gap`, from the log or as a consumer got it. */
export interface DeclaredGap {
  readonly id: string;
  readonly cause: string;
  readonly topics: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Of one consumer's or endpoint's own. */
  readonly isOwn: boolean;
  readonly eventIds: readonly string[];
}

/** One time that a consumer was given a happening. */
export interface Given {
  readonly n: number;
  readonly topic: number;
  readonly seq: number;
  /** Null where the protocol knows none. */
  readonly attempt: number | null;
  /** A receiver's 2xx; always true elsewhere. */
  readonly accepted: boolean;
  /** Counts the consumer's connections, or its requests. */
  readonly connection: number;
  /** Behind which place of the log the consumer asked this connection to go on; null: from now on. */
  readonly resumedAt: number | null;
  /** Whether it said what Twitch said; undefined: not looked at. */
  readonly isFaithful?: boolean | undefined;
}

/** What is remembered of an earlier giving. */
export interface Earlier {
  readonly attempt: number | null;
  readonly connection: number;
}

/** By the happening's number. Only to look things up: a long run remembers more than could be copied or walked through. */
export interface Remembered {
  get(n: number): Earlier | undefined;
}

export interface ConsumerEvidence {
  readonly consumer: StageConsumer;
  /** In the order in which they came. */
  readonly given: readonly Given[];
  /** Since the consumer began, its own among them. */
  readonly gaps: readonly DeclaredGap[];
  /** What it had been given before the stretch that is judged. */
  readonly earlier: Remembered;
  /** For topics that it was interested in for a time: owed only what happened inside. */
  readonly during?: ReadonlyMap<number, readonly Span[]> | undefined;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Evidence {
  /** When the fault was there, in Twitch's clock. */
  readonly fault: Span & {
    readonly mayLose: boolean;
    /** Topics whose events may be missing; null: all. */
    readonly topics: ReadonlySet<number> | null;
  };
  /** How long a dead socket may go unnoticed. */
  readonly keepaliveMs: number;
  readonly happenings: readonly Happening[];
  /** All that the log got in the stretch that is judged, in its order. */
  readonly log: readonly Logged[];
  readonly gaps: readonly DeclaredGap[];
  readonly consumers: readonly ConsumerEvidence[];
}

/** Beside the fault and the keepalive: one second of the relay's own caution, one for a busy machine. */
export const slackMs = 2_000;
const findingsKept = 12;

export function* judge(evidence: Evidence): Steps<Verdict> {
  const tally = new Tally();
  const logged = yield* judgeLog(evidence, tally);
  judgeGaps(evidence, tally);
  const owable = yield* loggedByTopic(evidence.happenings, (n) => logged.has(n));
  for (const each of evidence.consumers) {
    yield* judgeConsumer(each, { evidence, logged, owable, tally });
    yield;
  }
  return {
    sent: evidence.happenings.length,
    logged: logged.size,
    lost: tally.of('lost'),
    undeclared: tally.of('undeclared'),
    unmarkedDuplicates: tally.of('unmarked duplicate'),
    markedDuplicates: tally.marked,
    disordered: tally.of('disordered'),
    gaps: evidence.gaps.length,
    gapMs: evidence.gaps.reduce((sum, { from, to }) => sum + (to - from), 0),
    tooWide: tally.of('too wide'),
    findings: tally.findings,
  };
}

/** What can be owed to anybody, found once for all of them: a reader wants few of the topics. */
export function* loggedByTopic(
  happenings: readonly Happening[],
  isLogged: (n: number) => boolean,
): Steps<ReadonlyMap<number, readonly Happening[]>> {
  const byTopic = new Map<number, Happening[]>();
  yield* inSteps(happenings, (happening) => {
    if (!isLogged(happening.n)) return;
    const those = byTopic.get(happening.topic);
    if (those) those.push(happening);
    else byTopic.set(happening.topic, [happening]);
  });
  return byTopic;
}

type Fault = 'lost' | 'undeclared' | 'unmarked duplicate' | 'disordered' | 'too wide';

class Tally {
  readonly findings: string[] = [];
  marked = 0;
  readonly #counts = new Map<Fault, number>();

  of(fault: Fault): number {
    return this.#counts.get(fault) ?? 0;
  }

  count(fault: Fault, what: string): void {
    const count = this.of(fault) + 1;
    this.#counts.set(fault, count);
    // A few of each: the first kind must not crowd out the others.
    if (count <= 3 && this.findings.length < findingsKept) this.findings.push(`${fault}: ${what}`);
  }
}

const isIn = (at: number, { from, to }: Span) => from <= at && at <= to;

/** Every happening once in the log, or inside a gap of its topic. */
function* judgeLog({ happenings, log, gaps }: Evidence, tally: Tally): Steps<Map<number, Logged>> {
  const logged = new Map<number, Logged>();
  yield* inSteps(log, (entry) => {
    if (logged.has(entry.n))
      tally.count('unmarked duplicate', `${entry.n} is in the log twice (${entry.id})`);
    else logged.set(entry.n, entry);
  });
  const upstream = gaps.filter((gap) => !gap.isOwn);
  yield* inSteps(happenings, ({ n, topic, at, messageIds }) => {
    if (logged.has(n)) return;
    if (upstream.some((gap) => gap.topics.includes(topic) && isIn(at, gap))) return;
    const sent = messageIds.length === 0 ? 'nobody was subscribed' : `sent as ${messageIds.join(', ')}`;
    tally.count('undeclared', `${n} of topic ${topic} at ${time(at)}: ${sent}; not logged`);
  });
  return logged;
}

/** No gap without cause, and none beyond the fault. */
function judgeGaps({ fault, keepaliveMs, gaps }: Evidence, tally: Tally): void {
  const margin = keepaliveMs + slackMs;
  for (const gap of gaps) {
    const what = `${gap.cause} ${time(gap.from)} to ${time(gap.to)}, topics ${gap.topics.join(' ')}`;
    if (!fault.mayLose) tally.count('too wide', `${what}: nothing could be missed`);
    else if (gap.isOwn) continue;
    else if (gap.from < fault.from - margin || gap.to > fault.to + margin)
      tally.count('too wide', `${what}: the fault was ${time(fault.from)} to ${time(fault.to)}`);
    else if (fault.topics && gap.topics.some((topic) => !fault.topics?.has(topic)))
      tally.count('too wide', `${what}: not all of them were concerned`);
  }
}

interface Judging {
  readonly evidence: Evidence;
  readonly logged: ReadonlyMap<number, Logged>;
  /** Those of the happenings that are logged. */
  readonly owable: ReadonlyMap<number, readonly Happening[]>;
  readonly tally: Tally;
}

function* judgeConsumer(each: ConsumerEvidence, judging: Judging): Steps<void> {
  const taken = yield* judgeGiven(each, judging.tally);
  yield* judgeOwed(each, taken, judging);
  judgeTold(each, judging);
}

/** Order and repetitions. Answers what was taken. */
function* judgeGiven({ consumer, given, earlier }: ConsumerEvidence, tally: Tally): Steps<Set<number>> {
  const taken = new Set<number>();
  const latest = new Map<number, Earlier>();
  const last = new Map<number, Given>();
  yield* inSteps(given, (one) => {
    const before = earlier.get(one.n);
    const known = latest.get(one.n) ?? before;
    if (known) judgeAgain(consumer, one, known, tally);
    latest.set(one.n, one);
    if (one.isFaithful === false) tally.count('lost', `${consumer.name} got ${one.n} with another text`);
    if (!one.accepted || taken.has(one.n)) return;
    taken.add(one.n);
    // Given before this stretch as well: its order was judged there.
    if (before) return;
    const later = last.get(one.topic);
    if (later && one.seq < later.seq) {
      const what = `${consumer.name} got ${giving(one)} of topic ${one.topic} behind ${giving(later)}`;
      tally.count('disordered', what);
    } else last.set(one.topic, one);
  });
  return taken;
}

const giving = ({ n, seq, attempt, connection, resumedAt }: Given): string =>
  `${n} (seq ${seq}, attempt ${attempt ?? 'unknown'}, connection ${connection}, resumed at ${resumedAt ?? 'its place'})`;

function judgeAgain(consumer: StageConsumer, one: Given, known: Earlier, tally: Tally): void {
  const isMarked =
    one.attempt === null
      ? one.connection !== known.connection && one.resumedAt !== null && one.resumedAt < one.seq
      : one.attempt > (known.attempt ?? 0);
  if (isMarked) tally.marked += 1;
  else
    tally.count(
      'unmarked duplicate',
      `${consumer.name} got ${one.n} again: attempt ${one.attempt} after ${known.attempt}, connection ${one.connection} after ${known.connection}`,
    );
}

/** Everything in the log that it was owed, unless a gap of its own says otherwise. */
function* judgeOwed(
  { consumer, gaps, during }: ConsumerEvidence,
  taken: ReadonlySet<number>,
  { logged, owable, tally }: Judging,
): Steps<void> {
  const own = gaps.filter(({ isOwn }) => isOwn);
  const isExcused = ({ n, topic, at }: Happening) =>
    own.some(
      (gap) =>
        gap.eventIds.some((id) => id === logged.get(n)?.id) ||
        (gap.eventIds.length === 0 &&
          (gap.topics.length === 0 || gap.topics.includes(topic)) &&
          isIn(at, gap)),
    );
  for (const topic of new Set([...consumer.topics, ...(during?.keys() ?? [])])) {
    const spans = during?.get(topic);
    yield* inSteps(owable.get(topic) ?? [], (happening) => {
      const { n, at } = happening;
      const isOwed = spans?.some((span) => isIn(at, span)) ?? true;
      if (isOwed && !taken.has(n) && !isExcused(happening))
        tally.count('lost', `${consumer.name} did not get ${n} of topic ${topic} (${time(at)})`);
    });
  }
}

/** Every gap of its topics. */
function judgeTold({ consumer, gaps }: ConsumerEvidence, { evidence, tally }: Judging): void {
  const told = new Set(gaps.map(({ id }) => id));
  for (const gap of evidence.gaps) {
    if (gap.isOwn || told.has(gap.id)) continue;
    if (gap.topics.some((topic) => consumer.topics.has(topic)))
      tally.count('lost', `${consumer.name} was not told of the gap ${gap.cause} ${time(gap.from)}`);
  }
}

const time = (ms: number) => new Date(ms).toISOString().slice(11, 23);
