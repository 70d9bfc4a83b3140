// What a webhook endpoint is, apart from its rows and its requests: settings, health, position. Types and defaults. Pure.

export const retryProfiles = ['durable', 'realtime'] as const;
export type RetryProfile = (typeof retryProfiles)[number];

/** `broadcaster`: one request at a time for each broadcaster's events, in their order; `none`: as fast as it goes. */
export const laneOrders = ['broadcaster', 'none'] as const;
export type LaneOrder = (typeof laneOrders)[number];

export interface EndpointSettings {
  readonly retryProfile: RetryProfile;
  readonly order: LaneOrder;
  /** An event older than this is not delivered any more; null: no limit. */
  readonly maxAgeSeconds: number | null;
  /** Requests under way at once, at most. */
  readonly concurrency: number;
}

export const maxConcurrency = 64;

export const defaultEndpointSettings: EndpointSettings = {
  retryProfile: 'durable',
  order: 'broadcaster',
  maxAgeSeconds: null,
  concurrency: 8,
};

/** `open`: only probes are sent, as with an opened circuit breaker; `disabled`: nothing is, until somebody enables it. */
export const endpointStates = ['healthy', 'open', 'disabled'] as const;
export type EndpointState = (typeof endpointStates)[number];

/** What is remembered of an endpoint's health across restarts. Instants are milliseconds since the epoch. */
export interface EndpointHealth {
  readonly state: EndpointState;
  /** Why it is not healthy: stable for programs, and a sentence. Null while healthy. */
  readonly code: string | null;
  readonly reason: string | null;
  /** Since when it is in this state. */
  readonly since: number;
  readonly failuresInRow: number;
  /** The first failure since the last success; null when the last attempt was one. */
  readonly failingSince: number | null;
  /** While open: when the next probe is due. */
  readonly probeAt: number | null;
  /** How many there were, while it is open; then how many there had been. */
  readonly probes: number;
}

export const healthySince = (since: number): EndpointHealth => ({
  state: 'healthy',
  code: null,
  reason: null,
  since,
  failuresInRow: 0,
  failingSince: null,
  probeAt: null,
  probes: 0,
});
