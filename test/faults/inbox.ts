// What one reader of the relay was given, as the oracle wants to see it, by pages: what has come until the page is turned is
// judged while the next one fills. Reads as little of each text as it can: thousands come every second.
import { decodeCursor } from '../../src/domain/cursor.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { StageConsumer, Topic } from './contract.ts';
import { numberMember, type Known } from './happenings.ts';
import type { ConsumerEvidence, DeclaredGap, Earlier, Given, Span } from './oracle.ts';
import { inSteps, type Steps } from './slices.ts';

const numberKey = Buffer.from(`"${numberMember}":`);
/** Of happenings long past only the last attempt matters, and only while they could still come again. */
const rememberedHappenings = 40_000;

export interface Delivery {
  readonly text: Buffer;
  /** Null where the protocol knows none. */
  readonly attempt: number | null;
  readonly cursor: string;
  readonly accepted: boolean;
  readonly connection: number;
  /** The cursor behind which this connection went on. */
  readonly resumed: string | undefined;
  /** The signature was wrong, or a header contradicted the event. */
  readonly isForged?: boolean;
}

export class Inbox {
  readonly consumer: StageConsumer;
  readonly gaps: DeclaredGap[] = [];
  #given: Given[] = [];
  #taken = new Set<number>();
  #during = new Map<number, Span[]>();
  readonly #earlier = new Map<number, Earlier>();
  readonly #happenings: Known;
  readonly #topics: ReadonlyMap<string, Topic>;

  constructor(consumer: StageConsumer, happenings: Known, topics: readonly Topic[]) {
    this.consumer = consumer;
    this.#happenings = happenings;
    this.#topics = new Map(topics.map((topic) => [topic.topicId, topic]));
  }

  /** Interests for a time, on this page. */
  get during(): Map<number, Span[]> {
    return this.#during;
  }

  /** On this page. */
  has(n: number): boolean {
    return this.#taken.has(n);
  }

  /** Keeps it; answers its number, or undefined for an event of the relay's own. */
  take({
    text,
    cursor,
    resumed,
    attempt,
    accepted,
    connection,
    isForged = false,
  }: Delivery): number | undefined {
    const n = numberIn(text);
    if (n === undefined) {
      this.#takeOther(text, accepted);
      return undefined;
    }
    const isFaithful = isForged ? false : this.#happenings.isFaithful(n, () => eventIn(text));
    // Each member by name: a spread makes an object that is slow to make and to read, and there are half a million of them.
    this.#given.push({
      n,
      topic: this.#happenings.topicOf(n) ?? -1,
      seq: seqOf(cursor) ?? -1,
      attempt,
      accepted,
      connection,
      resumedAt: seqOf(resumed) ?? null,
      isFaithful,
    });
    if (accepted) this.#taken.add(n);
    return n;
  }

  /** Hands over what has come until now. Nothing of it changes any more until it is remembered. */
  turnPage(): ConsumerEvidence {
    const page = {
      consumer: this.consumer,
      given: this.#given,
      gaps: [...this.gaps],
      earlier: this.#earlier,
      during: this.#during,
    };
    this.#given = [];
    this.#taken = new Set();
    this.#during = new Map();
    return page;
  }

  /** A page that has been judged, before the next one is. */
  *remember({ given }: ConsumerEvidence): Steps<void> {
    yield* inSteps(given, ({ n, attempt, connection }) => {
      this.#earlier.delete(n);
      this.#earlier.set(n, { attempt, connection });
    });
    for (const n of this.#earlier.keys()) {
      if (this.#earlier.size <= rememberedHappenings) break;
      this.#earlier.delete(n);
    }
  }

  #takeOther(text: Buffer, accepted: boolean): void {
    if (!accepted || !text.includes('"relay.gap"')) return;
    const frame = JSON.parse(text.toString('utf8')) as { event: RelayEvent } | RelayEvent;
    const event = 'id' in frame ? (frame as RelayEvent) : (frame.event as RelayEvent);
    const gap = readGap(event, this.#topics);
    if (gap) this.gaps.push(gap);
  }
}

export function numberIn(text: Buffer): number | undefined {
  const at = text.indexOf(numberKey);
  if (at < 0) return undefined;
  const digits = text.toString('latin1', at + numberKey.length, at + numberKey.length + 12);
  return Number.parseInt(digits, 10);
}

const seqOf = (cursor: string | undefined): number | undefined =>
  cursor === undefined ? undefined : decodeCursor(cursor)?.seq;

/** The platform's part of an event or of a frame around one. */
function eventIn(text: Buffer): string {
  const parsed = JSON.parse(text.toString('utf8')) as { event: Record<string, unknown> };
  const inner = parsed.event;
  return JSON.stringify('event' in inner && 'topic_id' in inner ? inner['event'] : inner);
}

interface GapBody {
  readonly cause: string;
  readonly topic_ids: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly consumer?: string;
  readonly endpoint_id?: string;
  readonly event_ids?: readonly string[];
}

export function readGap(event: RelayEvent, topics: ReadonlyMap<string, Topic>): DeclaredGap | undefined {
  if (event.type !== 'relay.gap') return undefined;
  const body = event.event as GapBody;
  return {
    id: event.id,
    cause: body.cause,
    topics: body.topic_ids.flatMap((id) => topics.get(id)?.index ?? []),
    from: Date.parse(body.from),
    to: Date.parse(body.to),
    isOwn: body.consumer !== undefined || body.endpoint_id !== undefined,
    eventIds: body.event_ids ?? [],
  };
}
