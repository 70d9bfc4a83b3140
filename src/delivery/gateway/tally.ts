// The gateway's own counts, and the one way to its observer. It decides nothing.
import type { CloseReason } from '../../protocol/close-codes.ts';
import { closeCodes } from '../../protocol/close-codes.ts';
import type { ConnectionKind, GatewayObserver } from './ports.ts';
import type { Wire } from './wire.ts';

export class Tally implements GatewayObserver {
  readonly #observer: GatewayObserver;
  readonly closes = new Map<number, number>();
  readonly eventsSent: Record<ConnectionKind, number> = { plain: 0, 'relay.v1': 0 };
  bytesSent = 0;

  constructor(observer: GatewayObserver) {
    this.#observer = observer;
  }

  opened(kind: ConnectionKind, serviceAccountId: string): void {
    this.#observer.opened?.(kind, serviceAccountId);
  }

  sent(kind: ConnectionKind, events: number, bytes: number): void {
    this.eventsSent[kind] += events;
    this.bytesSent += bytes;
    this.#observer.sent?.(kind, events, bytes);
  }

  refused(status: number, code: string): void {
    this.#observer.refused?.(status, code);
  }

  failed(...fault: Parameters<NonNullable<GatewayObserver['failed']>>): void {
    this.#observer.failed?.(...fault);
  }

  /** For a wire that has ended. */
  ended(kind: ConnectionKind, wire: Wire, serviceAccountId: string | null): void {
    const code = wire.closeCode;
    this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
    this.#observer.closed?.(kind, code, { reason: reasonOf(wire.closedWith), serviceAccountId });
  }
}

function reasonOf(closedWith: number | undefined): CloseReason | 'client' {
  for (const [reason, { code }] of Object.entries(closeCodes) as [CloseReason, { code: number }][]) {
    if (code === closedWith) return reason;
  }
  return 'client';
}
