// The shell of one relay.v1 connection: carries out what connection-state.ts decides. Owns its wire, its watch on the
// feed and its alarm, and ends all three. It keeps no events: what is not written yet is still in the log.
import { encodeCursor } from '../../domain/cursor.ts';
import type { CloseReason } from '../../protocol/close-codes.ts';
import { closeCodes } from '../../protocol/close-codes.ts';
import type { HelloFrame, ServerFrame } from '../../protocol/frames.ts';
import { subprotocol } from '../../protocol/frames.ts';
import { LogWalk } from '../log-walk.ts';
import type { Batch, OutRecord, ReadResult } from '../port.ts';
import { Alarm } from '../alarm.ts';
import { allowance, attemptOf, nextTickAt, openConnection, positionOf, step } from './connection-state.ts';
import type { ConnectionStart } from './connection-state.ts';
import type { ConnectionState, Effect, Input, StateFrame } from './connection-types.ts';
import { controlFrame, eventFrameOf } from './encode.ts';
import { consumerKey } from './ports.ts';
import type { ConsumerPosition } from './ports.ts';
import type { AckOutcome, Session, SessionContext } from './session.ts';
import type { Wire } from './wire.ts';

/** Above this the log is not read further until the socket has drained. */
const highWaterBytes = 1024 * 1024;
/** Events per turn: some hundred kilobytes, so that many connections share a turn fairly. */
const eventsPerTurn = 128;
/** What a client is told to wait when the close code asks for back-off. */
const retryAfterMs = 5_000;

export interface ConnectionOptions extends ConnectionStart {
  readonly sessionId: string;
  readonly serviceAccountId: string;
  readonly consumer: string;
  readonly types: readonly string[] | null;
  readonly onExpired: 'reject' | 'earliest' | 'live';
  readonly resumed: boolean;
  /** What retention took up to here is no news to this consumer. */
  readonly lossKnownTo: number;
}

export class Connection implements Session {
  readonly kind = 'relay.v1';
  readonly serviceAccountId: string;
  readonly ended: Promise<void>;
  readonly #context: SessionContext;
  readonly #wire: Wire;
  readonly #options: ConnectionOptions;
  readonly #key: string;
  readonly #alarm: Alarm;
  readonly #walk: LogWalk<ReadResult | Batch>;
  readonly #savedAs = (): ConsumerPosition => this.position;
  #state: ConnectionState;
  #unwatch: (() => void) | undefined;
  #final: Promise<void> = Promise.resolve();

  constructor(context: SessionContext, wire: Wire, options: ConnectionOptions) {
    this.#context = context;
    this.#wire = wire;
    this.#options = options;
    this.serviceAccountId = options.serviceAccountId;
    this.#key = consumerKey(options.serviceAccountId, options.consumer);
    this.#state = openConnection(options, context.clock.now());
    this.#alarm = new Alarm(context.clock, () => this.#input({ kind: 'tick', head: context.feed.head() }));
    const walkDeps = {
      lossKnownTo: options.lossKnownTo,
      feed: context.feed,
      clock: context.clock,
      ask: () => context.turns.ask(this),
      failed: (error: unknown) => context.observer.failed?.('read', error),
    };
    this.#walk = new LogWalk(
      walkDeps,
      (after, result) => this.#deliver(after, result),
      (floor) => this.#overtaken(floor),
    );
    this.ended = wire.ended.then(() => this.#final);
  }

  /** The position as it is now, to be saved before the first event is sent. */
  get position(): ConsumerPosition {
    const isOpen = this.#state.phase === 'open' || this.#state.phase === 'draining';
    const { serviceAccountId, consumer: name } = this.#options;
    return { serviceAccountId, name, ...positionOf(this.#state), open: isOpen };
  }

  /** Says hello and begins to read. */
  start(): void {
    const { feed, turns } = this.#context;
    this.#wire.listen({
      message: (data, isBinary) => this.#received(data, isBinary),
      pong: () => this.#input({ kind: 'pong' }),
      drain: () => turns.ask(this),
      oversized: () => this.#input({ kind: 'malformed', message: 'message too large' }),
      closed: () => this.#closed(),
    });
    this.#wire.write(controlFrame(this.#hello()));
    this.#unwatch = feed.watch(this.serviceAccountId, () => turns.wake(this));
    this.#wire.resume();
    turns.ask(this);
    this.#alarm.setFor(nextTickAt(this.#state));
  }

  takeTurn(): void {
    const free = allowance(this.#state);
    if (free === 0 || !this.#wire.isOpen || this.#wire.bufferedBytes > highWaterBytes) return;
    const { feed } = this.#context;
    const after = this.#state.through;
    const filter = feed.filter(this.serviceAccountId, this.#options.types);
    const limit = Math.min(free, eventsPerTurn);
    // Finished shared bytes carry attempt 1; while events are repeated, frames are made one by one.
    const repeats = attemptOf(this.#state, after + 1) > 1;
    this.#walk.read(after, filter, () =>
      repeats ? feed.read(after, filter, limit) : feed.batch(after, filter, limit, subprotocol),
    );
  }

  /** Hands the consumer over to a newer connection; resolves when this one's position is saved. */
  takeOver(): Promise<void> {
    this.#input({ kind: 'takeover' });
    return this.#final;
  }

  /** An acknowledgement that came over HTTP. One that is about to end has saved its position and takes none. */
  acknowledge(seq: number): AckOutcome {
    const { phase, through, mark } = this.#state;
    if (phase === 'closing' || phase === 'closed') return 'not_connected';
    if (seq > Math.max(through, mark)) return 'beyond';
    this.#input({ kind: 'ack', seq });
    return 'applied';
  }

  revoke(reason: 'unauthorized' | 'disabled', message: string): void {
    this.#input({ kind: reason, message });
  }

  drain(inMs: number, reason: string, close: 'restart' | 'going_away'): void {
    this.#input({ kind: 'drain', inMs, reason, close });
  }

  abort(reason: CloseReason, message: string): void {
    this.#input({ kind: 'abort', reason, message });
  }

  terminate(): void {
    this.#wire.terminate();
  }

  behind(): number {
    return Math.max(0, this.#context.feed.head() - this.#state.acked);
  }

  #input(input: Input): void {
    const { state, effects } = step(this.#state, input, this.#context.clock.now());
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    if (state.phase !== 'closed') this.#alarm.setFor(nextTickAt(state));
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.#wire.write(controlFrame(this.#frame(effect.frame)));
        return;
      case 'ping':
        this.#wire.ping(() => this.#input({ kind: 'pingFlushed' }));
        return;
      case 'read':
        this.#context.turns.ask(this);
        return;
      case 'dirty':
        this.#context.positions.mark(this.#key, this.#savedAs);
        return;
      case 'persistFinal':
        this.#final = this.#context.positions.saveNow(this.#key, this.position);
        return;
      case 'close':
        this.#stopReading();
        this.#wire.close(effect.reason, effect.message);
        return;
    }
  }

  #deliver(after: number, result: ReadResult | Batch): void {
    if (allowance(this.#state) === 0) return;
    const { acked } = this.#state;
    const firstSeq = result.records[0]?.seq ?? Infinity;
    // The joined bytes hold everything that was read, as a first sending.
    const shared = 'bytes' in result && firstSeq > acked && attemptOf(this.#state, firstSeq) === 1;
    // A late ack may have moved the position while the database was read.
    const records = shared ? result.records : result.records.filter((record) => record.seq > acked);
    const bytes = shared ? result.bytes : this.#encode(records);
    const { through } = result;
    const auto = this.#options.ackMode === 'auto';
    if (records.length > 0) {
      const flushed = auto ? () => this.#input({ kind: 'flushed', through }) : undefined;
      this.#context.crash?.('write.before');
      if (!this.#wire.write(bytes, flushed)) return;
      this.#context.crash?.('write.after');
      this.#context.observer.sent?.(this.kind, records.length, bytes.length);
    }
    if (records.length === 0 && through <= after) return;
    this.#input({
      kind: 'sent',
      seqs: shared ? result.seqs : records.map((record) => record.seq),
      through,
      head: this.#context.feed.head(),
      oldest: this.#state.oldest ?? this.#sample(records[0]),
    });
  }

  #encode(records: readonly OutRecord[]): Buffer {
    const frames = records.map((record) => {
      const attempt = attemptOf(this.#state, record.seq);
      return attempt === 1 ? record.frame(subprotocol) : eventFrameOf(record, attempt);
    });
    return Buffer.concat(frames);
  }

  #sample(record: OutRecord | undefined) {
    if (!record) return null;
    const { seq, receivedAt } = record;
    return { seq, receivedAt, retentionMs: this.#context.feed.retentionMsOf(record) };
  }

  /** Retention took something that this consumer had not read. Coming back settles it as `on_expired` says. */
  #overtaken(floor: number): void {
    const message = `events after the position were removed; the floor is ${this.#cursor(floor)}`;
    if (this.#options.onExpired === 'reject') this.#input({ kind: 'expired', message });
    else this.#input({ kind: 'abort', reason: 'no_progress', message });
  }

  #received(data: Buffer, isBinary: boolean): void {
    const { messages, feed } = this.#context;
    const message = messages.read(data, isBinary, feed.epoch);
    if (message.kind !== 'unknown') this.#input(message);
  }

  #closed(): void {
    this.#stopReading();
    this.#input({ kind: 'socketClosed' });
    this.#alarm.stop();
  }

  #stopReading(): void {
    this.#walk.end();
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#context.turns.withdraw(this);
  }

  #cursor(seq: number): string {
    return encodeCursor(this.#context.feed.epoch, seq);
  }

  #hello(): HelloFrame {
    const { feed } = this.#context;
    const floor = feed.floorFor(feed.filter(this.serviceAccountId, this.#options.types));
    return {
      type: 'hello',
      protocol: subprotocol,
      session_id: this.#options.sessionId,
      consumer: this.#options.consumer,
      position: this.#cursor(this.#state.acked),
      head: this.#cursor(feed.head()),
      floor: this.#cursor(floor),
      resumed: this.#options.resumed,
      heartbeat_ms: this.#options.heartbeatMs,
      max_in_flight: this.#options.maxInFlight,
    };
  }

  #frame(frame: StateFrame): ServerFrame {
    if (frame.type === 'heartbeat')
      return { type: 'heartbeat', head: this.#cursor(this.#context.feed.head()) };
    return frame.type === 'error' ? errorFrame(frame.reason, frame.message) : frame;
  }
}

/** The frame that precedes a close, saying in words what the code says as a number. */
export function errorFrame(reason: CloseReason, message: string): ServerFrame {
  const { advice } = closeCodes[reason];
  return {
    type: 'error',
    code: reason,
    message,
    reconnect: advice === 'reconnect' || advice === 'back_off',
    ...(advice === 'back_off' ? { retry_after_ms: retryAfterMs } : {}),
  };
}
