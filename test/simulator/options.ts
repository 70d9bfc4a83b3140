// Owns the knobs of the simulator and Twitch's own values as their defaults. It must never read the environment.

export interface SimulatorOptions {
  /** 0 picks a free port. */
  port?: number;
  /** Same seed, same ids. Random when omitted, so that two runs never share a message id. */
  seed?: number;
  clientId?: string;
  clientSecret?: string;
  /** Wins over what the client asked for, and may be a fraction, so that a test meets a keepalive quickly. */
  keepaliveSeconds?: number;
  helixLatencyMs?: number;
  log?: (line: string) => void;
  /** Close code 4003 after this long without a subscription. */
  firstSubscriptionDeadlineMs?: number;
  pingIntervalMs?: number;
  /** How long the old socket lives on after session_reconnect, then 4004. */
  reconnectGraceMs?: number;
  /** How long Twitch goes on believing in a session that died without a close frame. */
  zombieMs?: number;
  rateLimitPerMinute?: number;
  maxSubscriptionsPerSession?: number;
  maxTransports?: number;
  maxTotalCost?: number;
  maxSameCondition?: number;
  maxJoinedChannels?: number;
  chatJoinsPerWindow?: number;
  chatJoinWindowMs?: number;
  /** `session`: 409 only for a twin on the same session. `user`: also for a twin on another, perhaps dead, session. */
  conflictScope?: 'session' | 'user';
  accessTokenSeconds?: number;
  rotateRefreshTokens?: boolean;
  /** How often a client may ask about a device code. */
  deviceIntervalSeconds?: number;
  deviceCodeSeconds?: number;
  /** When given, oauth2/authorize accepts these redirect URIs and no others, compared exactly. */
  redirectUris?: readonly string[];
  /** Where clients are sent by session_reconnect (`ws://host:port`), when they come through a proxy. */
  advertisedSocketUrl?: string;
}

export type Settings = Required<
  Omit<SimulatorOptions, 'seed' | 'keepaliveSeconds' | 'redirectUris' | 'advertisedSocketUrl'>
> &
  Pick<SimulatorOptions, 'keepaliveSeconds' | 'redirectUris' | 'advertisedSocketUrl'>;

export const DEFAULTS = {
  port: 0,
  clientId: 'simulatedclientid0000000000000',
  clientSecret: 'simulatedclientsecret000000000',
  helixLatencyMs: 0,
  log: () => undefined,
  // The numbers below are Twitch's: https://dev.twitch.tv/docs/eventsub/handling-websocket-events/ and …/manage-subscriptions/
  firstSubscriptionDeadlineMs: 10_000,
  pingIntervalMs: 10_000,
  reconnectGraceMs: 30_000,
  zombieMs: 0,
  rateLimitPerMinute: 800,
  maxSubscriptionsPerSession: 300,
  maxTransports: 3,
  maxTotalCost: 10,
  maxSameCondition: 3,
  maxJoinedChannels: 100,
  chatJoinsPerWindow: 20,
  chatJoinWindowMs: 10_000,
  conflictScope: 'session',
  accessTokenSeconds: 14_400,
  rotateRefreshTokens: false,
  // https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#device-code-grant-flow
  deviceIntervalSeconds: 5,
  deviceCodeSeconds: 1_800,
} as const satisfies SimulatorOptions;

/** Twitch clamps what the client asks for and announces 10 when it asks for nothing. */
export function announcedKeepaliveSeconds(settings: Settings, asked: string | null): number {
  if (settings.keepaliveSeconds !== undefined) return settings.keepaliveSeconds;
  const seconds = Number(asked ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(600, Math.max(10, Math.trunc(seconds))) : 10;
}
