// What webhook delivery needs of the rest of the process: rows, the feed, a way to send. The store fits; tests pass their
// own. Instants are milliseconds since the epoch, positions are seqs of the log.
import type { EndpointHealth, EndpointSettings } from '../../domain/endpoint.ts';
import type { EventDraft } from '../../domain/event.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { EventFeed } from '../port.ts';
import type { Outcome, OutcomeKind } from './outcome.ts';

/** A signing secret, `whsec_…`, and until when it signs; null: until it is replaced. */
export interface LiveSecret {
  readonly secret: string;
  readonly validUntil: number | null;
}

export interface EndpointRow {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly url: string;
  readonly settings: EndpointSettings;
  /** The newest first. */
  readonly secrets: readonly LiveSecret[];
  readonly health: EndpointHealth;
  /** Everything up to here is delivered, or in the retry set. */
  readonly ackedSeq: number;
  /** The retry set has something of it. */
  readonly owes: boolean;
}

/** Where an endpoint goes on. */
export interface OpenedEndpoint {
  readonly ackedSeq: number;
  /** Events up to here may have been sent before and carry `attempt`; later ones are new and carry 1. */
  readonly mark: number;
  readonly attempt: number;
  /** When nothing behind `ackedSeq` was known to be removed from the log yet. */
  readonly wholeAt: number;
}

export interface EndpointPosition {
  readonly endpointId: string;
  readonly ackedSeq: number;
  /** Everything up to here may have been sent. */
  readonly sentSeq: number;
  /** When nothing behind `ackedSeq` was known to be removed from the log yet. */
  readonly wholeAt: number;
  /** False at a clean end. */
  readonly open: boolean;
}

/** What names a delivery: `run` is '' for what the cursor passed, else the id of a replay. */
export interface DeliveryKey {
  readonly endpointId: string;
  readonly seq: number;
  readonly run: string;
}

/** One row of the durable retry set: an event owed beside the cursor. */
export interface OwedDelivery extends DeliveryKey {
  /** Of the last sending; 0 if there was none. */
  readonly attempt: number;
  /** Steps of the retry schedule used up. */
  readonly spent: number;
  readonly nextAt: number;
  /** Until when later events of the lane wait for it; null: they do not. */
  readonly blocksUntil: number | null;
  /** What its age counts from. */
  readonly bornAt: number;
}

/** A run that has something to be claimed. */
export interface DueRun {
  readonly run: string;
  readonly nextAt: number;
}

/** What becomes of an owed delivery after a sending: gone (null) or owed again. */
export interface Settlement extends DeliveryKey {
  readonly next: Pick<OwedDelivery, 'spent' | 'nextAt' | 'blocksUntil'> | null;
}

export type DeliveryState = 'delivered' | 'retrying' | 'failed' | 'expired';

/** One try in the history. `kind` is 'none' when the delivery ended without one (too old, or no longer in the log). */
export interface AttemptRecord extends DeliveryKey {
  readonly serviceAccountId: string;
  readonly messageId: string;
  readonly type: string;
  readonly attempt: number;
  readonly state: DeliveryState;
  readonly outcome: OutcomeKind | 'none';
  readonly status: number | null;
  readonly response: string | null;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly nextAt: number | null;
}

/** Every call may reject while the database is away; repeating any of them is safe. */
export interface WebhookRows {
  /** Of enabled services, those that are not disabled; all or one. */
  dispatchable(endpointId?: string): Promise<EndpointRow[]>;
  /** Whatever its state: for a challenge before it is enabled. Undefined when it is gone, or no key opens its secret. */
  endpoint(endpointId: string): Promise<EndpointRow | undefined>;
  /**
   * Marks the endpoint as worked on, and durably raises its attempt number if anything behind `ackedSeq` may have been
   * sent: after an unclean end that is everything up to `head`. Takes back what an earlier dispatcher had claimed.
   * Undefined when the endpoint is gone.
   */
  open(endpointId: string, head: number): Promise<OpenedEndpoint | undefined>;
  /** All in one statement; positions never go back, endpoints that are gone are passed over. */
  savePositions(positions: readonly EndpointPosition[]): Promise<void>;
  /** Passed over when the endpoint is gone, or is disabled. */
  saveHealth(endpointId: string, health: EndpointHealth): Promise<void>;
  /**
   * Adds to the retry set, in one statement. A row that is there already keeps the higher `attempt` and stays otherwise;
   * endpoints that are gone are passed over, since one statement carries what several are owed.
   */
  park(deliveries: readonly OwedDelivery[]): Promise<void>;
  /** What the cursor passed (`run` '') and is still owed, behind `after`: not to be sent a second time from the log. */
  parkedAfter(endpointId: string, after: number): Promise<number[]>;
  /** Owed deliveries that still hold up their lane at `now`. */
  blocking(endpointId: string, now: number): Promise<OwedDelivery[]>;
  /** Every run with deliveries that are not claimed, and when its next one is due. */
  runs(endpointId: string): Promise<DueRun[]>;
  /** When the run's next delivery that is not claimed is due; null when there is none. */
  nextDue(endpointId: string, run: string): Promise<number | null>;
  /** How many are owed, claimed or not. */
  countOwed(endpointId: string): Promise<number>;
  /**
   * Takes deliveries of the run that are due, in the order of `nextAt` and `seq`, and durably raises the attempt number of
   * each event, in whatever run, before they are sent: a crash repeats with a higher number. The answer carries the
   * raised number. Also raises the endpoint's own.
   */
  claim(endpointId: string, run: string, now: number, limit: number): Promise<OwedDelivery[]>;
  /** Nothing of the run is claimed any more: for a claim whose answer was lost. */
  takeBack(endpointId: string, run: string): Promise<void>;
  /** All in one statement. No longer claimed, or gone. Rows that are gone are passed over. */
  settle(settlements: readonly Settlement[]): Promise<void>;
  /**
   * Adds a replay: one row per position, due at `now`, with the highest attempt number that any sending of the event is
   * known to have had or any at all of the endpoint. Answers how many were added.
   */
  addRun(run: { endpointId: string; run: string; seqs: readonly number[]; now: number }): Promise<number>;
  /**
   * Adds to the history, in one statement. Endpoints and services that are gone are passed over, and so is what is there
   * already; `first`: no earlier call had any of them, and nothing is looked for.
   */
  record(attempts: readonly AttemptRecord[], call?: 'first' | 'again'): Promise<void>;
  /** Removes history from before the instant, at most `limit` rows; how many there were. */
  pruneAttempts(before: number, limit: number): Promise<number>;
}

/** Sends one request and reports; never rejects. `signal` cuts it off (outcome `aborted`). */
export interface Sender {
  send(request: SendRequest, signal: AbortSignal): Promise<Outcome>;
  /** Closes idle connections; resolves when every socket is closed. */
  close(): Promise<void>;
}

export interface SendRequest {
  readonly url: string;
  readonly body: string;
  /** The event's id: the same for every attempt. */
  readonly id: string;
  readonly cursor: string;
  /** When the platform sent it, as it said; without it whoever wants to know looks into the body. */
  readonly eventTimestamp?: string;
  readonly attempt: number;
  /** Those that are valid now; each signs. */
  readonly secrets: readonly string[];
  /** Those that are valid when the answer comes, which may hold one that was made since. */
  readonly secretsNow?: () => readonly string[];
}

/** Told of everything worth a counter or a log line. Never given a secret or a whole URL. Must not throw. */
export interface WebhookObserver {
  attempted?(attempt: AttemptRecord): void;
  health?(change: { endpointId: string; serviceAccountId: string; health: EndpointHealth }): void;
  failed?(
    what: 'read' | 'save' | 'park' | 'claim' | 'settle' | 'record' | 'open' | 'declare',
    error: unknown,
  ): void;
  /** History that could not be written and was given up. */
  recordsDropped?(count: number): void;
}

export type WebhookChange =
  | {
      readonly kind: 'endpoint';
      readonly endpointId: string;
      /** `due`: deliveries were added to the retry set. */
      readonly what: 'created' | 'changed' | 'enabled' | 'removed' | 'due';
    }
  | {
      readonly kind: 'service';
      readonly serviceAccountId: string;
      readonly what: 'created' | 'enabled' | 'disabled' | 'access' | 'secret' | 'removed';
    }
  | { readonly kind: 'interests' | 'bot' | 'topic' | 'authorization' };

export interface WebhookDeps {
  readonly feed: EventFeed;
  readonly rows: WebhookRows;
  readonly sender: Sender;
  readonly clock: Clock;
  /** 0 to 1; jitter of retries. */
  readonly random: () => number;
  /** Resolves once the relay event is durable. */
  readonly declare: (draft: EventDraft) => Promise<void>;
  /** Of the store, after each commit. Returns the unsubscribe. */
  readonly onChange: (listener: (change: WebhookChange) => void) => () => void;
  /** The longest that any event is kept: the window that a retention gap may have begun in. */
  readonly longestRetentionMs: number;
  /** How long the history of attempts is kept. */
  readonly keepAttemptsMs: number;
  readonly observer?: WebhookObserver;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}

export type EgressRefusal =
  | 'scheme'
  | 'userinfo'
  | 'metadata'
  | 'link_local'
  | 'private'
  | 'loopback'
  | 'reserved'
  | 'multicast'
  | 'unspecified';

export type EgressVerdict =
  | { readonly ok: true }
  /** `message` says what was refused and which setting would allow it, if any would. */
  | { readonly ok: false; readonly refusal: EgressRefusal; readonly message: string };

export interface VettedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Which addresses may be called. Every way to a receiver goes through `resolve` at connect time. */
export interface EgressGuard {
  /** An address as text, IPv4 or IPv6; embedded IPv4 forms are unwrapped. Text that is no address is refused. */
  judge(address: string): EgressVerdict;
  /**
   * The addresses behind a URL's hostname, all of them vetted, to be connected to as they are; refused when any of them
   * is. Rejects with the resolver's error when the name cannot be resolved.
   */
  resolve(
    hostname: string,
  ): Promise<{ ok: true; addresses: readonly VettedAddress[] } | (EgressVerdict & { ok: false })>;
  /** A URL before it is stored. A name that does not resolve now may do so later, and passes. */
  check(url: string): Promise<EgressVerdict>;
}

export interface ReplayRequest {
  readonly serviceAccountId: string;
  readonly endpointId: string;
  readonly ids?: readonly string[] | undefined;
  readonly after?: number | undefined;
  readonly through?: number | undefined;
  readonly receivedFrom?: number | undefined;
  readonly receivedBefore?: number | undefined;
  /** Counts, and adds nothing. */
  readonly dryRun: boolean;
}

export interface WebhookStats {
  readonly endpoints: Readonly<Record<'healthy' | 'open', number>>;
  /** Requests under way. */
  readonly inFlight: number;
  /** Of the endpoint that is furthest behind. */
  readonly maxBehind: number;
}

export interface WebhooksHandle {
  /** Sends a `relay.endpoint.test` event at once, beside the lanes: not logged, not retried, not charged. Undefined: no such endpoint. */
  test(endpointId: string): Promise<Outcome | undefined>;
  /** Sends a signed challenge; `echoed` when a 2xx answer's body is the challenge. */
  challenge(url: string, secret: string): Promise<{ readonly echoed: boolean; readonly outcome: Outcome }>;
  /**
   * The same to a known endpoint, signed with all of its secrets; also while it is disabled, since it is asked before the
   * endpoint is enabled again. Undefined: no such endpoint.
   */
  challengeEndpoint(
    endpointId: string,
  ): Promise<{ readonly echoed: boolean; readonly outcome: Outcome } | undefined>;
  /**
   * Adds what the cursor has passed, is still kept and lies within the request to the retry set, under a run of its own.
   * Nothing that the cursor has not passed: it comes anyway. Throws RelayError 422 `replay_too_large`.
   */
  replay(request: ReplayRequest): Promise<{ readonly run: string | null; readonly events: number }>;
  /** Resolves when every change of an endpoint that was committed before is in force, after a second at the latest. */
  inForce(): Promise<void>;
  stats(): WebhookStats;
  /**
   * Starts nothing new, waits for what is under way at most `withinMs`, cuts off the rest, writes positions and history.
   * Idempotent; never rejects.
   */
  stop(options: { withinMs: number }): Promise<void>;
}
