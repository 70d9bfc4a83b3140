// Owns the shapes that several parts of the simulator share. It must never hold behaviour.

export interface SimUser {
  readonly id: string;
  readonly login: string;
  readonly displayName: string;
}

export type Condition = Readonly<Record<string, string>>;

/** Statuses are an open string on Twitch's side: https://dev.twitch.tv/docs/eventsub/manage-subscriptions/ */
export interface Subscription {
  readonly id: string;
  readonly userId: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
  readonly cost: number;
  readonly createdAtMs: number;
  readonly createdAt: string;
  readonly planted: boolean;
  status: string;
  sessionId: string;
  connectedAt: string;
  disconnectedAt: string | null;
}

export interface SubscriptionSnapshot extends Readonly<Subscription> {
  /** True while Twitch believes in the subscription but nothing can be delivered to it. */
  readonly zombie: boolean;
}

export interface SentNotification {
  readonly messageId: string;
  readonly type: string;
  readonly version: string;
  readonly subscriptionId: string;
  readonly condition: Condition;
  readonly sessionId: string;
  /** The connection it was written to; null if it could not be written. */
  readonly connectionId: string | null;
  readonly sentAt: number;
  /** The exact text of the frame. Empty only for a burst that asked not to keep it. */
  readonly text: string;
  /** 0 for the first writing of a message id, counting up for resends. */
  readonly copy: number;
  /** False: the session was dead, silent or gone, so no client can have got it. */
  readonly delivered: boolean;
}

export interface RequestRecord {
  readonly method: string;
  readonly path: string;
  readonly operation: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly body: unknown;
  readonly at: number;
  userId: string | null;
  /** 0 until answered; stays 0 if the client left first. */
  status: number;
  message: string | null;
}

export interface ConnectionRecord {
  readonly id: string;
  /** Path and query as the client sent them. */
  readonly path: string;
  readonly kind: 'base' | 'reconnect';
  readonly openedAt: number;
  sessionId: string | null;
  welcomedAt: number | null;
  /** HTTP status of a refused upgrade. */
  refusedWith: number | null;
  closedAt: number | null;
  closeCode: number | null;
  byClient: boolean;
}

export interface SessionSnapshot {
  readonly id: string;
  readonly userId: string | null;
  readonly open: boolean;
  readonly state: SessionState;
  readonly subscriptionCount: number;
  readonly connectedAt: string;
  readonly keepaliveSeconds: number;
  readonly silent: boolean;
  readonly reconnecting: boolean;
  readonly connectionId: string | null;
}

/** `zombie`: the socket is gone and Twitch has not noticed. `moved`: a hand-over gave its subscriptions to another session. */
export type SessionState = 'open' | 'zombie' | 'moved' | 'ended';
