// What had to be dropped while the database was away for too long: per bot, which topics and from when to when. Pure; it
// turns into gap events once those can be written.
import type { GapWindow } from '../domain/relay-event.ts';

interface Window {
  readonly topicIds: Set<string>;
  from: number;
  to: number;
  count: number;
}

export class DropWindows {
  readonly #windows = new Map<string, Window>();

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  /** One dropped: sent by the platform at `from`, read here at `to`. */
  add(botAccountId: string, topicId: string, { from, to }: { from: number; to: number }): void {
    const window = this.#windows.get(botAccountId);
    if (!window) {
      this.#windows.set(botAccountId, { topicIds: new Set([topicId]), from, to, count: 1 });
      return;
    }
    window.topicIds.add(topicId);
    window.from = Math.min(window.from, from);
    window.to = Math.max(window.to, to);
    window.count++;
  }

  /** When the bot's window began; undefined without one. */
  fromOf(botAccountId: string): number | undefined {
    return this.#windows.get(botAccountId)?.from;
  }

  /** When the earliest of all began; Infinity without any. */
  earliest(): number {
    return Math.min(...[...this.#windows.values()].map((window) => window.from));
  }

  /** All windows, which are forgotten here. The end is a millisecond after the last drop: ends are exclusive. */
  take(): (GapWindow & { readonly count: number })[] {
    if (this.isEmpty) return [];
    const taken = [...this.#windows].map(([botAccountId, { topicIds, from, to, count }]) => ({
      cause: 'relay_overflow' as const,
      botAccountId,
      topicIds: [...topicIds],
      from,
      to: to + 1,
      count,
    }));
    this.#windows.clear();
    return taken;
  }
}
