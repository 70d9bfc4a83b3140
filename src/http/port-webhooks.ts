// What the HTTP surface needs for webhook delivery: rows of endpoints and attempts, and what only the delivery itself can
// do. Types only. Instants are milliseconds since the epoch, positions are seqs of the log.
import type { EndpointHealth, EndpointSettings } from '../domain/endpoint.ts';
import type { AttemptView } from '../protocol/rest-webhooks.ts';

export interface EndpointRow {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly settings: EndpointSettings;
  readonly health: EndpointHealth;
  /** Everything up to here is delivered, or owed. */
  readonly ackedSeq: number;
  /** How many deliveries up to there are owed. */
  readonly owed: number;
  readonly previousSecretValidUntil: number | null;
  readonly createdAt: number;
}

/** What is left out stays as it is. */
export type EndpointChange = {
  readonly [Name in keyof EndpointSettings]?: EndpointSettings[Name] | undefined;
} & { readonly description?: string | undefined };

/** Undefined wherever the service has no such endpoint. */
export interface EndpointStore {
  /** In the order of ids, beginning behind `after`. */
  list(serviceAccountId: string, page: { limit: number; after?: string | undefined }): Promise<EndpointRow[]>;
  get(serviceAccountId: string, id: string): Promise<EndpointRow | undefined>;
  /** Of the endpoint for that URL, in the spelling that is stored. */
  idOf(serviceAccountId: string, url: string): Promise<string | undefined>;
  update(serviceAccountId: string, id: string, change: EndpointChange): Promise<EndpointRow | undefined>;
  /** The secret before this one goes on signing for the grace. */
  rotateSecret(
    serviceAccountId: string,
    id: string,
    graceSeconds: number,
  ): Promise<{ webhookSecret: string; previousValidUntil: number | null } | undefined>;
  /** Healthy again, whatever it was. */
  enable(serviceAccountId: string, id: string): Promise<EndpointRow | undefined>;
}

export interface AttemptRow {
  /** Digits; rising in the order in which attempts were written down. */
  readonly id: string;
  readonly endpointId: string;
  /** Null for the delivery itself, else the id of a replay. */
  readonly run: string | null;
  readonly seq: number;
  readonly eventId: string;
  readonly type: string;
  readonly attempt: number;
  readonly state: AttemptView['state'];
  readonly outcome: string;
  readonly status: number | null;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly response: string | null;
  readonly nextAt: number | null;
}

export interface AttemptStore {
  /** The service's own, the newest first, beginning behind `after`. */
  list(
    serviceAccountId: string,
    query: {
      endpointId?: string | undefined;
      state?: AttemptView['state'] | undefined;
      eventId?: string | undefined;
      run?: string | undefined;
      limit: number;
      after?: string | undefined;
    },
  ): Promise<AttemptRow[]>;
}

/** What came of one request to a receiver. `ours` and `aborted` say nothing about the receiver. */
export interface SentOutcome {
  readonly kind: string;
  readonly status: number | null;
  readonly response: string | null;
  readonly durationMs: number;
}

export interface Challenged {
  readonly echoed: boolean;
  readonly outcome: SentOutcome;
}

/** The webhook delivery as requests use it. */
export interface HttpWebhooks {
  /** Whether the URL may be called at all. A name that does not resolve now passes. */
  checkUrl(url: string): Promise<{ readonly ok: true } | { readonly ok: false; readonly message: string }>;
  /** Sends a challenge to a URL that has no endpoint yet. */
  challenge(url: string, secret: string): Promise<Challenged>;
  /** Sends a challenge to a known endpoint, also while it is disabled. Undefined: it is gone, or nothing can be signed. */
  challengeEndpoint(endpointId: string): Promise<Challenged | undefined>;
  /** Sends a test event, also while it is disabled. Undefined: it is gone, or nothing can be signed. */
  test(endpointId: string): Promise<SentOutcome | undefined>;
  /** Resolves when every change of an endpoint that was committed before is in force, after a second at the latest. */
  inForce(): Promise<void>;
  /** Throws RelayError 422 `replay_too_large`. */
  replay(request: {
    serviceAccountId: string;
    endpointId: string;
    ids?: readonly string[] | undefined;
    /** Positions in (after, through]. */
    after?: number | undefined;
    through?: number | undefined;
    /** Received at or after the one, and before the other. */
    receivedFrom?: number | undefined;
    receivedBefore?: number | undefined;
    dryRun: boolean;
  }): Promise<{ readonly run: string | null; readonly events: number }>;
}
