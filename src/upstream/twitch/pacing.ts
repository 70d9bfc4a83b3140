// Twitch lets a user join 20 chat channels in 10 s; above that it answers as if a scope were missing. Pure but for the
// times it remembers. Source: https://dev.twitch.tv/docs/chat/#rate-limits

export interface Pacer {
  /** How long to wait before the next join; 0 if it may go now. */
  waitMs(now: number): number;
  joined(now: number): void;
}

export function createPacer(limit: { perWindow: number; windowMs: number }): Pacer {
  let joins: number[] = [];
  return {
    waitMs(now) {
      joins = joins.filter((at) => now - at < limit.windowMs && at <= now);
      const oldest = joins[joins.length - limit.perWindow];
      return oldest === undefined ? 0 : limit.windowMs - (now - oldest);
    },
    joined(now) {
      joins.push(now);
    },
  };
}

/** The type whose creation joins a channel. */
export const isJoin = (type: string): boolean => type === 'channel.chat.message';
