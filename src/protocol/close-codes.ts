// Every code with which the relay closes a consumer's socket, and what a client should do about it.
// The one table: the gateway closes with it, the client obeys it, the documents are held against it.

/** What a client does after a close: come back (at once or backed off), or stop until somebody has mended the cause. */
export type CloseAdvice = 'reconnect' | 'back_off' | 'renew_credentials' | 'stop';

export const closeCodes = {
  going_away: { code: 1001, advice: 'reconnect', meaning: 'the relay is going away' },
  restart: { code: 1012, advice: 'reconnect', meaning: 'planned restart' },
  internal_error: { code: 1011, advice: 'back_off', meaning: 'internal error' },
  overload: { code: 1013, advice: 'back_off', meaning: 'overload, or a plain socket that does not drain' },
  malformed_frame: { code: 4400, advice: 'stop', meaning: 'malformed frame' },
  unauthorized: { code: 4401, advice: 'renew_credentials', meaning: 'credentials wrong, expired or rotated' },
  forbidden: { code: 4403, advice: 'stop', meaning: 'account disabled, or origin refused' },
  no_progress: {
    code: 4408,
    advice: 'reconnect',
    meaning: 'no pong, or no acknowledgement while events are outstanding',
  },
  replaced: { code: 4409, advice: 'stop', meaning: 'replaced by a newer connection of this consumer' },
  cursor_expired: { code: 4410, advice: 'stop', meaning: 'cursor expired, or of another log' },
  too_many_connections: { code: 4429, advice: 'back_off', meaning: 'too many connections' },
} as const satisfies Record<string, { code: number; advice: CloseAdvice; meaning: string }>;

export type CloseReason = keyof typeof closeCodes;

/** What to do after a close with this code; a code that is not ours is a network matter: reconnect. */
export function adviceFor(code: number): CloseAdvice {
  for (const entry of Object.values(closeCodes)) if (entry.code === code) return entry.advice;
  return 'reconnect';
}
