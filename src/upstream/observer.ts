// What upstream tells whoever counts and logs. Every call is cheap and never throws; nothing here decides anything.

export interface UpstreamObserver {
  sessionReady(event: { botId: string; slot: number }): void;
  sessionLost(event: {
    botId: string;
    slot: number;
    cause: string;
    code?: number | undefined;
    httpStatus?: number | undefined;
    retryInMs: number;
  }): void;
  handedOver(event: { botId: string; slot: number; gapMs: number }): void;
  malformedFrame(event: { botId: string; problem: string }): void;
  unknownFrame(event: { botId: string; messageType: string }): void;
  gapDeclared(event: { botId: string; cause: string; topics: number; fromMs: number; toMs: number }): void;
  topicState(event: {
    botId: string;
    topicId: string;
    type: string;
    state: string;
    code: string | null;
    reason: string | null;
  }): void;
  subscriptionRemoved(event: { botId: string; subscriptionId: string }): void;
  listFailed(event: { botId: string; status: number; reason: string }): void;
  reauthRequired(event: { botId: string; reason: string }): void;
  passFailed(event: { botId: string; error: unknown }): void;
  authorizationStarted(event: { id: string; kind: string; scopes: readonly string[] }): void;
  /** `code`: why it was denied or failed; never what the browser or Twitch sent. */
  authorizationEnded(event: {
    id: string;
    kind: string;
    state: 'completed' | 'denied' | 'failed' | 'expired';
    code: string | null;
    botId: string | null;
  }): void;
  /** A step of taking a bot out is done, or could not be done and is tried again. */
  botRemoval(event: { botId: string; step: RemovalStep; done: boolean }): void;
}

/** In this order. */
export type RemovalStep = 'owners_told' | 'subscriptions_removed' | 'grant_revoked' | 'forgotten';

const ignore = () => undefined;

export const silentObserver: UpstreamObserver = {
  sessionReady: ignore,
  sessionLost: ignore,
  handedOver: ignore,
  malformedFrame: ignore,
  unknownFrame: ignore,
  gapDeclared: ignore,
  topicState: ignore,
  subscriptionRemoved: ignore,
  listFailed: ignore,
  reauthRequired: ignore,
  passFailed: ignore,
  authorizationStarted: ignore,
  authorizationEnded: ignore,
  botRemoval: ignore,
};
