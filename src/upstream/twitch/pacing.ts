// Twitch lets a user join 20 chat channels in 10 s; above that it answers as if a scope were missing. Pure but for the
// times it remembers. Source: https://dev.twitch.tv/docs/chat/#rate-limits

export interface Pacer {
  /** Takes the next free place; how long to wait for it, 0 if the join may go now. */
  reserve(now: number): number;
  /** One that somebody else has let through. */
  joined(at: number): void;
  /** Gives a place back that was reserved for then. */
  free(at: number): void;
}

export function createPacer(limit: { perWindow: number; windowMs: number }): Pacer {
  /** Rising; of those that wait for their place the time at which they may go. */
  let joins: number[] = [];
  const joined = (at: number) => {
    joins = [...joins, at].toSorted((a, b) => a - b);
  };
  return {
    joined,
    free(at) {
      const index = joins.indexOf(at);
      if (index !== -1) joins = joins.toSpliced(index, 1);
    },
    reserve(now) {
      // Nobody waits for longer than a few windows: what lies further ahead is from before the clock went back.
      joins = joins.filter((at) => now - at < limit.windowMs && at - now <= 3 * limit.windowMs);
      const oldest = joins[joins.length - limit.perWindow];
      const at = Math.max(now, oldest === undefined ? now : oldest + limit.windowMs);
      joined(at);
      return at - now;
    },
  };
}

/** The type whose creation joins a channel. */
export const isJoin = (type: string): boolean => type === 'channel.chat.message';
