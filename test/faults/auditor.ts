// The oracle's view of the log: everything a service with an interest in every topic can read by pull. By pages, as an inbox.
import { decodeCursor } from '../../src/domain/cursor.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { Topic } from './contract.ts';
import { numberMember, type Known } from './happenings.ts';
import { readGap } from './inbox.ts';
import type { DeclaredGap, Logged } from './oracle.ts';
import type { Page } from './pull-reader.ts';

export interface AuditedPage {
  readonly log: readonly Logged[];
  readonly gaps: readonly DeclaredGap[];
  /** Of logged events, those that do not say what Twitch said. */
  readonly unfaithful: readonly number[];
}

export class Auditor {
  /** Records of any kind that were read, ever. */
  read = 0;
  #log: Logged[] = [];
  #gaps: DeclaredGap[] = [];
  #unfaithful: number[] = [];
  readonly #happenings: Known;
  readonly #topics: ReadonlyMap<string, Topic>;
  #logged = new Set<number>();

  constructor(happenings: Known, topics: readonly Topic[]) {
    this.#happenings = happenings;
    this.#topics = new Map(topics.map((topic) => [topic.topicId, topic]));
  }

  take({ events }: Page): void {
    this.read += events.length;
    for (const event of events) {
      if (event.provider === 'relay') {
        const gap = readGap(event, this.#topics);
        if (gap) this.#gaps.push(gap);
      } else this.#takeHappening(event);
    }
  }

  /** On this page. */
  get gaps(): readonly DeclaredGap[] {
    return this.#gaps;
  }

  /** On this page. */
  has(n: number): boolean {
    return this.#logged.has(n);
  }

  /** Hands over what was read until now. */
  turnPage(): AuditedPage {
    const page = { log: this.#log, gaps: this.#gaps, unfaithful: this.#unfaithful };
    this.#log = [];
    this.#gaps = [];
    this.#unfaithful = [];
    this.#logged = new Set();
    return page;
  }

  #takeHappening(event: RelayEvent): void {
    const n = Number((event.event as Record<string, unknown>)[numberMember]);
    const topic = event.topic_id === null ? undefined : this.#topics.get(event.topic_id);
    this.#log.push({
      n,
      topic: topic?.index ?? -1,
      id: event.id,
      seq: decodeCursor(event.cursor)?.seq ?? -1,
    });
    this.#logged.add(n);
    const isRight = topic?.index === this.#happenings.topicOf(n);
    if (!isRight || this.#happenings.isFaithful(n, () => JSON.stringify(event.event)) === false)
      this.#unfaithful.push(n);
  }
}
