// The places at which a death of the process is worth trying out: one on each side of every hand-over from memory to what
// lasts, or to somebody else. A test is called there and ends the process; in production nobody is, and nothing is done.

/** In the order of an event's way, then of a wish's. */
export const crashPoints = [
  /** A notification has been read; nobody has looked whether it was there before. */
  'dedupe.before',
  /** Its id is remembered, in memory; it is not held yet. */
  'dedupe.after',
  /** A batch is held; its statement has not left. */
  'append.before',
  /** The statement has left and is not answered: whether it is committed nobody can say. */
  'commit.before',
  /** The answer is in hand; no reader, and nobody who waits for it, has been told. */
  'commit.after',
  /** The readers' window has it; what was held is still held, and no declaration has been confirmed. */
  'append.after',
  /** Readers are to be woken, and none has been. */
  'wake.before',
  /** All of them have been. */
  'wake.after',
  /** The gateway is about to write frames to a socket. */
  'write.before',
  /** They are with the socket; the position that was sent is in memory only. */
  'write.after',
  /** Acknowledged positions of consumers are about to be written down. */
  'ack.before',
  'ack.after',
  /** A receiver has answered, or failed to; nothing of it is written down. */
  'attempt.before',
  /** Tries are in the history. */
  'attempt.after',
  /** Failed deliveries are about to enter the retry set; the endpoint's position stands before them. */
  'retry.before',
  /** They are in it; the position still stands before them. */
  'retry.after',
  /** Positions of endpoints are about to be written down. */
  'cursor.before',
  'cursor.after',
  /** Twitch has given a new pair of tokens, and perhaps ended the old one; only memory has it. */
  'token.before',
  /** It is saved, and nobody has used it. */
  'token.after',
  /** Twitch has created a subscription (or has it already); the topic's row does not say so. */
  'subscription.before',
  /** The row says so; nobody has been told, and the gap up to here is not declared. */
  'subscription.after',
  /** Twitch has deleted a subscription; the topic's row is still there. */
  'unsubscribe.before',
  /** The row is gone, if nobody wants it. */
  'unsubscribe.after',
  /** Steps of taking a bot out, each when it is done. */
  'removal.owners_told',
  'removal.subscriptions_removed',
  'removal.grant_revoked',
  'removal.forgotten',
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** Called synchronously when a point is come to: `this.#deps.crash?.('append.before')`. It may not return. */
export type Crash = (point: CrashPoint) => void;

/** A write with a point on each side; the write itself where nobody is to be called. */
export function around<Items>(
  crash: Crash | undefined,
  what: 'ack' | 'retry' | 'cursor',
  write: (items: Items) => Promise<void>,
): (items: Items) => Promise<void> {
  if (!crash) return write;
  return async (items) => {
    crash(`${what}.before`);
    await write(items);
    crash(`${what}.after`);
  };
}
