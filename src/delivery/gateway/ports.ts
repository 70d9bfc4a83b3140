// What the gateway needs of the rest of the process. The store and the log's appender fit; tests pass their own.
import type { EventDraft } from '../../domain/event.ts';
import type { Door } from '../../domain/visitor.ts';
import type { CloseReason } from '../../protocol/close-codes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { EventFeed } from '../port.ts';

export type ConnectionKind = 'plain' | 'relay.v1';

export interface GatewayService {
  readonly id: string;
  readonly clientId: string;
  readonly enabled: boolean;
  /** Until when the secret before the present one works, ms since the epoch; null when there is none. */
  readonly previousValidUntil: number | null;
}

export type Authentication =
  | { readonly ok: true; readonly service: GatewayService }
  | { readonly ok: false; readonly reason: 'unknown' | 'disabled' };

/** A consumer's row: its acknowledged position and what it may have seen beyond it. */
export interface ConsumerPosition {
  readonly serviceAccountId: string;
  readonly name: string;
  readonly ackedSeq: number;
  readonly sentSeq: number;
  readonly attempt: number;
  readonly open: boolean;
}

/** Names a consumer among those of all services. */
export const consumerKey = (serviceAccountId: string, name: string): string => `${serviceAccountId}/${name}`;

export interface OpenedConsumer {
  readonly consumer: ConsumerPosition;
  readonly created: boolean;
  /** The last connection did not end cleanly: `sentSeq` may be behind the truth. */
  readonly wasOpen: boolean;
}

export interface ConsumerRows {
  /** As it was last written, and when (ms since the epoch); undefined for one that never was. */
  get(
    serviceAccountId: string,
    name: string,
  ): Promise<(ConsumerPosition & { readonly updatedAt: number }) | undefined>;
  /** Marks the consumer open; a new one starts at `startSeq`. */
  open(serviceAccountId: string, name: string, options: { startSeq: number }): Promise<OpenedConsumer>;
  /** All in one statement; positions never go back, consumers that are gone are passed over. */
  save(positions: readonly ConsumerPosition[]): Promise<void>;
  /** Puts the consumer at `seq`, back or forward. */
  reset(serviceAccountId: string, name: string, seq: number): Promise<unknown>;
}

/** The part of a store change that concerns open connections; others are ignored. */
export type GatewayChange =
  | {
      readonly kind: 'service';
      readonly serviceAccountId: string;
      readonly what: 'created' | 'enabled' | 'disabled' | 'access' | 'secret' | 'removed';
      readonly previousValidUntil?: number | null;
    }
  | { readonly kind: 'interests' | 'bot' | 'topic' | 'endpoint' | 'authorization' };

export interface GatewayStore {
  readonly services: {
    authenticate(clientId: string, clientSecret: string): Promise<Authentication>;
    touch(serviceAccountId: string): void;
  };
  readonly wsTokens: { redeem(token: string): Promise<GatewayService | undefined> };
  readonly consumers: ConsumerRows;
  onChange(listener: (change: GatewayChange) => void): () => void;
}

/** Told of everything worth a counter or a log line. Never given a secret. Must not throw. */
export interface GatewayObserver {
  opened?(kind: ConnectionKind, serviceAccountId: string): void;
  closed?(
    kind: ConnectionKind,
    code: number,
    ended: { reason: CloseReason | 'client'; serviceAccountId: string | null },
  ): void;
  sent?(kind: ConnectionKind, events: number, bytes: number): void;
  refused?(status: number, code: string): void;
  failed?(what: 'read' | 'save' | 'open' | 'handshake' | 'recheck', error: unknown): void;
}

export interface GatewayLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerService: number;
  /** The longest that any event is kept, ms: the window that a retention gap may have begun in. */
  readonly longestRetentionMs: number;
  /** The Origin must be among these, if the handshake has one; programs send none. Null: any. */
  readonly allowedOrigins: readonly string[] | null;
}

export const gatewayDefaults: GatewayLimits = {
  // About 30 kB each: a few hundred megabytes.
  maxConnections: 10_000,
  // Enough for every process of a large service, and a fence against a reconnect loop that leaks sockets.
  maxConnectionsPerService: 1_000,
  longestRetentionMs: 7 * 24 * 3_600_000,
  allowedOrigins: null,
};

export interface GatewayDeps {
  readonly feed: EventFeed;
  /** Whether another commit is under way; never, if it is not given. */
  readonly moreToCome?: (() => boolean) | undefined;
  readonly store: GatewayStore;
  readonly clock: Clock;
  /** Who may come in, and how often they may be wrong: the same for requests. */
  readonly door: Door;
  /** Resolves once the relay event is durable. */
  readonly declare: (draft: EventDraft) => Promise<void>;
  /** 0 to 1; spreads reconnects. */
  readonly random: () => number;
  readonly observer?: GatewayObserver;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
  readonly limits?: Partial<GatewayLimits>;
}
