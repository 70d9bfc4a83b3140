// The load: what happens on the topics' channels, at a steady pace, whether or not Twitch could tell anybody. Each
// happening carries its number in its payload. Owns the pace and the record; knows nothing of the relay.
import type { Simulator } from '../simulator/index.ts';
import type { Happening, Topic } from './contract.ts';

const tickMs = 20;
/** After a stall of this process not everything is made up for at once. */
const maxPerTick = 60;
/** Every so many one is compared word by word. */
const sampleEvery = 16;

export const numberMember = 'faults_n';

/** What those who receive ask about what was sent. */
export type Known = Pick<Happenings, 'topicOf' | 'isFaithful'>;

export class Happenings {
  /** Since the last `take`. */
  #recent: Happening[] = [];
  readonly #topicOf: number[] = [];
  /** The event as Twitch sent it, of those in the sample. */
  readonly #texts = new Map<number, string>();
  readonly #sim: Simulator;
  readonly #topics: readonly Topic[];
  readonly #perSecond: number;
  readonly #wheel: readonly Topic[];
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #made = 0;
  #cleared = 0;
  #tickedAt = 0;
  #longestStallMs = 0;

  constructor(
    sim: Simulator,
    topics: readonly Topic[],
    options: { perSecond: number; random: () => number },
  ) {
    this.#sim = sim;
    this.#topics = topics;
    this.#perSecond = options.perSecond;
    // Chats are busier than anything else.
    const weighted = topics.flatMap((topic) =>
      Array.from({ length: topic.type.startsWith('channel.chat.') ? 6 : 1 }, () => topic),
    );
    this.#wheel = shuffled(weighted, options.random);
  }

  start(): void {
    if (this.#timer) return;
    this.#startedAt = performance.now();
    this.#made = 0;
    this.#tickedAt = this.#startedAt;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  happen(topic: Topic): Happening {
    const n = this.#topicOf.length;
    const at = Date.now();
    this.#topicOf.push(topic.index);
    const records = this.#sim.send(
      topic.type,
      { broadcaster_user_id: topic.broadcasterId },
      { [numberMember]: n },
    );
    const first = records[0];
    if (first && n % sampleEvery === 0) {
      const { payload } = JSON.parse(first.text) as { payload: { event: unknown } };
      this.#texts.set(n, JSON.stringify(payload.event));
    }
    const happening = { n, topic: topic.index, at, messageIds: records.map(({ messageId }) => messageId) };
    this.#recent.push(happening);
    return happening;
  }

  /** One more on every topic. */
  everywhere(): void {
    for (const topic of this.#topics) this.happen(topic);
  }

  /** Those since the last call, and forgets them. */
  take(): Happening[] {
    const taken = this.#recent;
    this.#recent = [];
    return taken;
  }

  /** How long this process could not do anything, at its worst since the last call: deadlines then mean little. */
  takeStallMs(): number {
    const longest = this.#longestStallMs;
    this.#longestStallMs = 0;
    return longest;
  }

  get recent(): readonly Happening[] {
    return this.#recent;
  }

  topicOf(n: number): number | undefined {
    return this.#topicOf[n];
  }

  /** Whether what was received is what was sent; undefined when it is not in the sample. */
  isFaithful(n: number, received: () => string): boolean | undefined {
    const sent = this.#texts.get(n);
    return sent === undefined ? undefined : sent === received();
  }

  /** The simulator keeps every frame's text; a long run has no use for them once they are judged. */
  forgetTexts(): void {
    const { sent } = this.#sim;
    for (; this.#cleared < sent.length; this.#cleared++) {
      const record = sent[this.#cleared];
      if (record) Object.assign(record, { text: '' });
    }
  }

  #tick(): void {
    const now = performance.now();
    this.#longestStallMs = Math.max(this.#longestStallMs, Math.round(now - this.#tickedAt) - tickMs);
    this.#tickedAt = now;
    const due = ((now - this.#startedAt) / 1_000) * this.#perSecond;
    const count = Math.min(maxPerTick, Math.floor(due - this.#made));
    for (let i = 0; i < count; i++) {
      const topic = this.#wheel[this.#made++ % this.#wheel.length];
      if (topic) this.happen(topic);
    }
    if (due - this.#made > maxPerTick) this.#made = Math.floor(due);
  }
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  const mixed: T[] = [];
  while (left.length > 0) mixed.push(...left.splice(Math.floor(random() * left.length), 1));
  return mixed;
}
