// The programme: what happens when. Sends events, lets the platform move and drop sessions, cuts consumers off, and keeps
// the record of what was sent. It never looks at what was delivered.
import type { Simulator } from '../../test/simulator/index.ts';
import type { Happening } from './ledger.ts';
import type { Pick } from './repertoire.ts';
import type { Topic } from './interests.ts';

/** About four events a second. */
const sendEveryMs = 250;
/** How soon after one act a busy channel may bring the next. */
const leastPauseMs = 40;

export type Incident = 'reconnect' | 'receiver_down' | 'drop' | 'cut_sdk' | 'cut_plain';

/** When each incident comes: as a share of a limited run, else at a time and then again and again. */
const programme: readonly { what: Incident; share: number; firstMs: number; everyMs: number }[] = [
  { what: 'reconnect', share: 0.2, firstMs: 6_000, everyMs: 40_000 },
  { what: 'receiver_down', share: 0.3, firstMs: 9_000, everyMs: 45_000 },
  { what: 'cut_sdk', share: 0.4, firstMs: 13_000, everyMs: 50_000 },
  { what: 'drop', share: 0.55, firstMs: 20_000, everyMs: 60_000 },
  { what: 'cut_plain', share: 0.85, firstMs: 30_000, everyMs: 50_000 },
];

export interface ShowDeps {
  readonly sim: Simulator;
  readonly topics: readonly Topic[];
  readonly random: () => number;
  /** Does it; false if it is not possible at this moment, and then it is tried again soon. */
  readonly incident: (what: Incident) => boolean;
}

export class Show {
  readonly happenings: Happening[] = [];
  /** What was done, as often as it was done. */
  readonly incidents: Incident[] = [];
  readonly #deps: ShowDeps;
  readonly #pick: Pick;

  constructor(deps: ShowDeps) {
    this.#deps = deps;
    this.#pick = (from) => from[Math.floor(deps.random() * from.length)] ?? from[0];
  }

  /** Runs for the time, or until the signal. A limited run has every incident at least once, however short it is. */
  async run(forMs: number | null, signal: AbortSignal): Promise<void> {
    const startedAt = Date.now();
    const due = programme.map(({ what, share, firstMs, everyMs }) => ({
      what,
      at: startedAt + (forMs === null ? firstMs : share * forMs),
      everyMs: forMs === null ? everyMs : Number.POSITIVE_INFINITY,
    }));
    const isOver = () =>
      forMs !== null &&
      Date.now() - startedAt >= forMs &&
      due.every(({ at }) => at === Number.POSITIVE_INFINITY);
    while (!signal.aborted && !isOver()) {
      for (const item of due) {
        if (Date.now() < item.at || !this.#deps.incident(item.what)) continue;
        this.incidents.push(item.what);
        item.at = Date.now() + item.everyMs;
        // The channel does not wait for anybody: this one falls into whatever has just been torn open.
        this.#act();
      }
      this.#act();
      const { random } = this.#deps;
      await pause(leastPauseMs + random() * 2 * (sendEveryMs - leastPauseMs), signal);
    }
  }

  #act(): void {
    const topic = this.#choose();
    if (!topic) return;
    const { event_type: type, topic_id: topicId, condition } = topic.interest;
    const at = Date.now();
    const sent = this.#deps.sim.send(type, condition, topic.act.fields(this.#pick));
    this.happenings.push({ type, topicId, at, ids: [...new Set(sent.map(({ messageId }) => messageId))] });
  }

  #choose(): Topic | undefined {
    const { topics, random } = this.#deps;
    let left = random() * topics.reduce((sum, { act }) => sum + act.weight, 0);
    return topics.find(({ act }) => (left -= act.weight) < 0) ?? topics[0];
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
