// What the HTTP surface needs of the rest of the house; daemon.ts passes what fits. Intent only moves left through the
// store: no port here subscribes to anything upstream. Instants are milliseconds since the epoch.
import type { EventFeed } from '../delivery/port.ts';
import type { Usage } from '../domain/budget.ts';
import type { EventTypeCatalogue, EventTypeRule } from '../domain/event-type.ts';
import type { Condition, TopicSpec } from '../domain/topic.ts';
import type { Door } from '../domain/visitor.ts';
import type { AccessMode, BotView, ImportBotBody, InterestState } from '../protocol/rest.ts';
import type { Clock } from '../runtime/clock.ts';
import type { HttpAccounts, HttpAuthorizations } from './port-accounts.ts';
import type { AttemptStore, EndpointStore, HttpWebhooks } from './port-webhooks.ts';

export interface BotRow {
  readonly id: string;
  readonly provider: string;
  readonly name: string;
  readonly twitchUserId: string;
  readonly twitchLogin: string;
  readonly enabled: boolean;
  readonly state: 'ok' | 'reauth_required';
  readonly scopes: readonly string[];
  readonly tokenExpiresAt: number | null;
  /** Whether its token can be renewed without its user; left out: not known. */
  readonly refreshable: boolean;
}

export interface ServiceRow {
  readonly id: string;
  readonly name: string;
  readonly clientId: string;
  readonly enabled: boolean;
  readonly accessMode: AccessMode;
  /** Those that it may use while `restricted`. */
  readonly botAccountIds: readonly string[];
  readonly createdAt: number;
  readonly lastSeenAt: number | null;
}

export interface TopicRow {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
  readonly botAccountId: string;
  readonly state: InterestState;
  readonly reason: string | null;
  readonly code: string | null;
  readonly retryAt: number | null;
  readonly subscriptionId: string | null;
  readonly cost: number;
}

export interface InterestRow {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly transport: 'websocket' | 'webhook';
  readonly webhookUrl: string | null;
  /** Null for websocket. */
  readonly endpointId: string | null;
  /** Whether its service may use the bot at present. If not it is suspended: nothing is delivered for it. */
  readonly allowed: boolean;
  readonly createdAt: number;
  readonly topic: Pick<
    TopicRow,
    'id' | 'type' | 'version' | 'condition' | 'botAccountId' | 'state' | 'reason' | 'code' | 'retryAt'
  >;
}

export interface ConsumerRow {
  readonly name: string;
  readonly ackedSeq: number;
  readonly updatedAt: number;
}

export type StoreChange = {
  readonly kind: string;
  readonly topicId?: string;
  readonly serviceAccountId?: string;
};

/** The part of the store that requests read and write. Every call may reject when the database is away. */
export interface HttpStore {
  onChange(listener: (change: StoreChange) => void): () => void;
  readonly bots: {
    list(): Promise<BotRow[]>;
    get(id: string): Promise<BotRow | undefined>;
  };
  readonly services: {
    /** With the access that new ones get (SERVICE_BOT_DEFAULT). */
    create(name: string): Promise<{ service: ServiceRow; clientSecret: string }>;
    list(): Promise<ServiceRow[]>;
    regenerate(
      clientId: string,
      graceSeconds: number,
    ): Promise<{ clientSecret: string; previousValidUntil: number | null } | undefined>;
    remove(clientId: string): Promise<unknown>;
    authenticate(
      clientId: string,
      clientSecret: string,
    ): Promise<{ ok: true; service: ServiceRow } | { ok: false; reason: 'unknown' | 'disabled' }>;
    touch(serviceId: string): void;
  };
  readonly interests: {
    /** The answer's `webhookSecret` is set when this call made the URL's endpoint, and told nowhere else. */
    create(wish: {
      serviceAccountId: string;
      topic: TopicSpec;
      transport: 'websocket' | 'webhook';
      webhookUrl: string | null;
      /** Of the endpoint, if this makes it; without one the store makes one up. */
      webhookSecret?: string | undefined;
      createdSeq: number;
    }): Promise<{ interest: InterestRow; created: boolean; webhookSecret: string | null }>;
    list(
      serviceAccountId: string,
      page: { limit: number; after?: string | undefined },
    ): Promise<InterestRow[]>;
    get(serviceAccountId: string, id: string): Promise<InterestRow | undefined>;
    remove(serviceAccountId: string, id: string): Promise<boolean>;
    filters(serviceAccountId?: string): Promise<{ topicId: string; endpointId: string | null }[]>;
  };
  readonly topics: { forBot(botId: string): Promise<(TopicRow & { readonly wanted: boolean })[]> };
  readonly consumers: { list(serviceAccountId: string): Promise<ConsumerRow[]> };
  readonly endpoints: EndpointStore;
  readonly attempts: AttemptStore;
  readonly wsTokens: { issue(serviceAccountId: string, ttlSeconds: number): Promise<string> };
}

/** What the upstream knows of a bot that no row says. Never blocks, never throws. */
export interface BotStatus {
  readonly session: BotView['session'];
  /** Every wanted topic is confirmed on the live session, or nothing is wanted. */
  readonly healthy: boolean;
  /** One line for people. */
  readonly detail: string;
  /** As last told by the platform; null: not known, the forecast is shown instead. */
  readonly usage: { readonly subscriptions: Usage; readonly cost: Usage } | null;
}

/** What asking the platform gave. */
export interface UpstreamCheck {
  /** Null: it answered; else why not, for people. */
  readonly unreachable: string | null;
  /** Our clock minus the platform's, as its answer was dated, milliseconds; null when unknown. Good to a second. */
  readonly clockAheadMs: number | null;
  /** Bot id to what its token is worth. */
  readonly tokens: ReadonlyMap<string, 'ok' | 'reauth_required' | 'unreadable' | 'unknown'>;
}

export interface ReadinessCheck {
  readonly name: string;
  /** May reject or hang: both count as not ready. */
  check(): Promise<{ ok: boolean; detail: string }>;
}

/** Structured lines; never hand over a secret. */
export interface HttpLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface HttpDeps {
  readonly adminKey: string;
  /** Of the relay, as package.json has it. */
  readonly version: string;
  /** Who may come in, and how often they may be wrong. */
  readonly door: Door;
  readonly clock: Clock;
  readonly log: HttpLog;
  readonly store: HttpStore;
  readonly feed: EventFeed;
  /**
   * Puts a change of these services' interests into effect for every reader. A request that changes interests waits for
   * it. May reject while the database is away; then everything counts as wanted until it succeeds.
   */
  readonly audience: {
    reload(serviceAccountIds: readonly string[]): Promise<void>;
    /** Nobody reads on for the service until `work` has changed its interests. */
    whileChanging<T>(serviceAccountId: string, work: () => Promise<T>): Promise<T>;
  };
  readonly catalogue: EventTypeCatalogue;
  readonly eventTypes: readonly EventTypeRule[];
  readonly upstream: {
    botStatus(botId: string): BotStatus;
    /** Asks the platform now, within a few seconds. Never rejects. */
    check(botIds: readonly string[]): Promise<UpstreamCheck>;
  };
  /**
   * Validates the token upstream and stores it sealed. Throws RelayError: 422 token_invalid, wrong_client or
   * missing_scopes; 409 name_taken; 503 twitch_unreachable.
   */
  importBot(body: ImportBotBody): Promise<BotRow>;
  readonly accounts: HttpAccounts;
  readonly authorizations: HttpAuthorizations;
  /** Undefined: no such user. Throws RelayError 503 twitch_unreachable. */
  lookupUser(botId: string, login: string): Promise<{ id: string; login: string } | undefined>;
  readonly consumerActions: {
    /** Everything up to `seq` is done; makes the consumer if it is new. Answers where it stands now, never behind. */
    ack(serviceAccountId: string, name: string, seq: number): Promise<number>;
    /** Whether a socket of this consumer is open. */
    connected(serviceAccountId: string, name: string): boolean;
  };
  readonly webhooks: HttpWebhooks;
  /** Whether the owner of a URL has to prove that it is theirs before anything is sent there. */
  readonly webhookChallenge: boolean;
  /** `whsec_…`, made afresh. */
  newWebhookSecret(): string;
  /** Beside each bot's upstream: database, migrations, log. */
  readonly readiness: readonly ReadinessCheck[];
  readonly metrics: { render(accept?: string): Promise<{ contentType: string; body: string }> };
  /** Aborts when the daemon is stopping: whoever waits is answered at once. */
  readonly stopping: AbortSignal;
}
