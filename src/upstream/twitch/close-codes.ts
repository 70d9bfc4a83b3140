// What each close code of Twitch's EventSub socket means for us. A table; session-state asks it, nobody switches on codes.
// Source: https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message

export interface CloseRule {
  readonly meaning: string;
  /** A reconnect URL that was answered with this code is worth no second try. */
  readonly urlIsDead: boolean;
}

const rules: Readonly<Record<number, CloseRule>> = {
  1000: { meaning: 'closed normally', urlIsDead: false },
  4000: { meaning: 'internal server error', urlIsDead: false },
  4001: { meaning: 'the relay sent inbound traffic', urlIsDead: false },
  4002: { meaning: 'the relay failed a ping-pong', urlIsDead: false },
  4003: { meaning: 'no subscription within 10 s', urlIsDead: false },
  4004: { meaning: 'reconnect grace over', urlIsDead: true },
  4005: { meaning: 'network timeout', urlIsDead: false },
  4006: { meaning: 'network error', urlIsDead: false },
  4007: { meaning: 'reconnect URL invalid', urlIsDead: true },
};

const unknown: CloseRule = { meaning: 'connection lost', urlIsDead: false };

export const closeRule = (code: number): CloseRule => rules[code] ?? unknown;
