// What the gateway knows of an open connection of either kind, and what every connection is given. Types only.
import type { CloseReason } from '../../protocol/close-codes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { EventFeed } from '../port.ts';
import type { Positions } from '../positions.ts';
import type { Turn, Turns } from '../turns.ts';
import type { ClientMessages } from './client-message.ts';
import type { ConnectionKind, ConsumerPosition, GatewayObserver } from './ports.ts';

export interface SessionContext {
  readonly feed: EventFeed;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly messages: ClientMessages;
  readonly positions: Positions<ConsumerPosition>;
  readonly observer: GatewayObserver;
  readonly crash: Crash | undefined;
}

/** What became of an acknowledgement that came over HTTP; `beyond`: it names what was never sent, nothing happened. */
export type AckOutcome = 'applied' | 'beyond' | 'not_connected';

export interface Session extends Turn {
  readonly kind: ConnectionKind;
  readonly serviceAccountId: string;
  /** Settles when the socket is gone and the position is saved. Never rejects. */
  readonly ended: Promise<void>;
  /** Closes with 4401 (credentials no longer good) or 4403 (account disabled). */
  revoke(reason: 'unauthorized' | 'disabled', message: string): void;
  /** Announces the end if the protocol can, and closes `inMs` later. */
  drain(inMs: number, reason: string, close: 'restart' | 'going_away'): void;
  abort(reason: CloseReason, message: string): void;
  /** Cuts the socket. */
  terminate(): void;
  /** How many positions the consumer stands behind the log's head. */
  behind(): number;
}
