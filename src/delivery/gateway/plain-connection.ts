// The shell of one plain socket: a position, a filter and a wire. Nothing inbound counts, nothing is remembered; a socket
// that does not drain is closed and told from where it missed events.
import { encodeCursor } from '../../domain/cursor.ts';
import type { CloseReason } from '../../protocol/close-codes.ts';
import { LogWalk } from '../log-walk.ts';
import type { Batch } from '../port.ts';
import { Alarm } from '../alarm.ts';
import { beat, nextBeatAt, pingFlushed, ponged, startLiveness } from './liveness.ts';
import type { Liveness } from './liveness.ts';
import type { Session, SessionContext } from './session.ts';
import type { Wire } from './wire.ts';

/** PROTOCOL §4: a buffer above 4 MiB for 30 s. Above it the log is not read further either. */
const maxBufferedBytes = 4 * 1024 * 1024;
const drainWithinMs = 30_000;
/** A ping that the kernel has not taken for so long sits behind a reader that stopped with less than the above. */
const pingFlushWithinMs = 60_000;
const eventsPerTurn = 128;

export interface PlainOptions {
  readonly serviceAccountId: string;
  readonly types: readonly string[] | null;
  /** Where to start. */
  readonly after: number;
}

export class PlainConnection implements Session {
  readonly kind = 'plain';
  readonly serviceAccountId: string;
  readonly ended: Promise<void>;
  readonly #context: SessionContext;
  readonly #wire: Wire;
  readonly #types: readonly string[] | null;
  readonly #alarm: Alarm;
  readonly #walk: LogWalk<Batch>;
  #through: number;
  #liveness: Liveness;
  #pingedAt = 0;
  /** Since when the buffer is full; null while it is not. */
  #fullSince: number | null = null;
  #drain: { readonly closeAt: number; readonly close: 'restart' | 'going_away' } | null = null;
  #unwatch: (() => void) | undefined;

  constructor(context: SessionContext, wire: Wire, options: PlainOptions) {
    this.#context = context;
    this.#wire = wire;
    this.serviceAccountId = options.serviceAccountId;
    this.#types = options.types;
    this.#through = options.after;
    this.#liveness = startLiveness(context.clock.now());
    this.#alarm = new Alarm(context.clock, () => this.#tick());
    const walkDeps = {
      feed: context.feed,
      clock: context.clock,
      ask: () => context.turns.ask(this),
      failed: (error: unknown) => context.observer.failed?.('read', error),
    };
    this.#walk = new LogWalk(
      walkDeps,
      (_after, batch) => this.#deliver(batch),
      () => this.#end('cursor_expired', `missed from ${this.#cursor()}`),
    );
    this.ended = wire.ended;
  }

  start(): void {
    const { feed, turns } = this.#context;
    this.#wire.listen({
      pong: () => (this.#liveness = ponged(this.#liveness)),
      drain: () => this.#drained(),
      closed: () => this.#stop(),
    });
    this.#unwatch = feed.watch(this.serviceAccountId, () => turns.wake(this));
    this.#wire.resume();
    turns.ask(this);
    this.#setAlarm();
  }

  takeTurn(): void {
    if (!this.#wire.isOpen || this.#drain) return;
    if (this.#wire.bufferedBytes >= maxBufferedBytes) {
      this.#fullSince ??= this.#context.clock.now();
      this.#setAlarm();
      return;
    }
    this.#fullSince = null;
    const { feed } = this.#context;
    const after = this.#through;
    const filter = feed.filter(this.serviceAccountId, this.#types);
    this.#walk.read(after, filter, () => feed.batch(after, filter, eventsPerTurn, this.kind));
  }

  revoke(reason: 'unauthorized' | 'disabled', message: string): void {
    this.#end(reason === 'disabled' ? 'forbidden' : 'unauthorized', message);
  }

  drain(inMs: number, _reason: string, close: 'restart' | 'going_away'): void {
    this.#drain ??= { closeAt: this.#context.clock.now() + inMs, close };
    this.#setAlarm();
  }

  abort(reason: CloseReason, message: string): void {
    this.#end(reason, message);
  }

  terminate(): void {
    this.#wire.terminate();
  }

  behind(): number {
    return Math.max(0, this.#context.feed.head() - this.#through);
  }

  #deliver(batch: Batch): void {
    if (!this.#wire.isOpen || this.#drain) return;
    if (batch.records.length > 0) {
      this.#context.crash?.('write.before');
      if (!this.#wire.write(batch.bytes)) return;
      this.#context.crash?.('write.after');
      this.#context.observer.sent?.(this.kind, batch.records.length, batch.bytes.length);
    }
    this.#through = Math.max(this.#through, batch.through);
  }

  #drained(): void {
    this.#fullSince = null;
    this.#context.turns.ask(this);
  }

  #tick(): void {
    if (!this.#wire.isOpen) return;
    const now = this.#context.clock.now();
    if (this.#drain && now >= this.#drain.closeAt) {
      this.#end(this.#drain.close, `go on after ${this.#cursor()}`);
      return;
    }
    if (this.#isStuck(now)) {
      this.#end('overload', `missed from ${this.#cursor()}`);
      return;
    }
    const { liveness, verdict } = beat(this.#liveness, now);
    this.#liveness = liveness;
    if (verdict === 'dead') {
      this.#end('no_progress', 'no pong');
      return;
    }
    if (verdict === 'ping') {
      this.#ping(now);
      // A wake-up is only a hint: look now and then without one.
      this.#context.turns.ask(this);
    }
    this.#setAlarm();
  }

  #isStuck(now: number): boolean {
    if (this.#liveness.ping === 'unflushed' && now - this.#pingedAt >= pingFlushWithinMs) return true;
    if (this.#fullSince === null) return false;
    if (this.#wire.bufferedBytes >= maxBufferedBytes) return now - this.#fullSince >= drainWithinMs;
    this.#drained();
    return false;
  }

  #ping(now: number): void {
    this.#pingedAt = now;
    this.#wire.ping(() => {
      this.#liveness = pingFlushed(this.#liveness, this.#context.clock.now());
      this.#setAlarm();
    });
  }

  #setAlarm(): void {
    if (!this.#wire.isOpen) return;
    const fullAt = this.#fullSince === null ? Infinity : this.#fullSince + drainWithinMs;
    this.#alarm.setFor(Math.min(nextBeatAt(this.#liveness), fullAt, this.#drain?.closeAt ?? Infinity));
  }

  #end(reason: CloseReason, message: string): void {
    this.#stop();
    this.#wire.close(reason, message);
  }

  #stop(): void {
    this.#alarm.stop();
    this.#walk.end();
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#context.turns.withdraw(this);
  }

  #cursor(): string {
    return encodeCursor(this.#context.feed.epoch, this.#through);
  }
}
