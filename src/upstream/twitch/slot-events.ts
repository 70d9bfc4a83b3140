// What a bot's sockets say, and what follows from it at once: a notification goes right, a loss opens a gap, a frame that
// cannot be read becomes one. Whatever needs a call to Twitch or a row is left to the next pass, which this wakes.
import type { GapCause } from '../../domain/relay-event.ts';
import type { Cancel } from '../../runtime/clock.ts';
import type { BotUpstreamDeps } from './deps.ts';
import type { UpstreamFrame } from './frames.ts';
import type { SessionResult, Window } from './session.ts';
import type { Slot, SlotListener } from './slot.ts';
import type { TopicLedger } from './topic-ledger.ts';

/** Malformed frames within this time become one declared gap. */
const malformedWindowMs = 1_000;

export interface SlotEventsDeps extends BotUpstreamDeps {
  readonly botId: string;
  readonly ledger: TopicLedger;
  readonly wake: (reason: 'session_ready' | 'session_lost' | 'handed_over' | 'revocation') => void;
  /** A session ended that was not told to. */
  readonly onLoss: () => void;
}

export class SlotEvents implements SlotListener {
  readonly #deps: SlotEventsDeps;
  /** By slot. */
  readonly #malformed = new Map<number, { readonly from: number; to: number }>();
  #cancelMalformed: Cancel = () => undefined;

  constructor(deps: SlotEventsDeps) {
    this.#deps = deps;
  }

  ready(slot: Slot): void {
    const { botId, observer, wake } = this.#deps;
    observer.sessionReady({ botId, slot: slot.index });
    wake('session_ready');
  }

  lost(slot: Slot, end: SessionResult, retryInMs: number): void {
    const { botId, ledger, observer, onLoss, wake } = this.#deps;
    const { cause, code, httpStatus, coveredTo } = end;
    observer.sessionLost({ botId, slot: slot.index, cause, code, httpStatus, retryInMs });
    // While the ledger still shows what was confirmed here.
    this.flush();
    const gapCause = cause === 'silence' ? 'upstream_silence' : 'upstream_reconnect';
    for (const topicId of ledger.topicsOn(slot.index)) {
      // A planned stop is no gap yet: the row says covered until now, and the next start declares from there.
      if (cause === 'stopped' || coveredTo === null) ledger.confirmed.delete(topicId);
      else ledger.lose(topicId, coveredTo, gapCause);
    }
    if (cause !== 'stopped') onLoss();
    wake('session_lost');
  }

  handedOver(slot: Slot, gap: Window | null): void {
    const { botId, clock, ledger, observer, wake } = this.#deps;
    observer.handedOver({ botId, slot: slot.index, gapMs: gap === null ? 0 : gap.to - gap.from });
    if (gap !== null) this.#declare(slot.index, gap.from, gap.to, 'upstream_reconnect');
    ledger.carriedOver(slot.index, clock.now());
    wake('handed_over');
  }

  frame(frame: UpstreamFrame, receivedAt: number): void {
    const { botId, ledger, sink, wake } = this.#deps;
    if (frame.kind === 'revocation') {
      this.flush();
      const sentAt = Date.parse(frame.timestamp);
      // It ended there, not here: what came up between the two was not sent either.
      ledger.revocation(frame.subscription, Number.isNaN(sentAt) ? receivedAt : Math.min(sentAt, receivedAt));
      return wake('revocation');
    }
    if (frame.kind !== 'notification') return;
    const { id, type, version, condition } = frame.subscription;
    const kept = sink.notification({
      provider: 'twitch',
      botAccountId: botId,
      messageId: frame.messageId,
      type,
      version,
      condition,
      subscriptionId: id,
      eventTimestamp: frame.timestamp,
      receivedAt,
      body: frame.body,
    });
    if (kept === 'unwanted') ledger.unwanted(frame.subscription, Date.parse(frame.timestamp), receivedAt);
  }

  /** A frame that cannot be read may have been an event: counted, and its moment declared, once per second at most. */
  oddFrame(
    slot: Slot,
    frame: UpstreamFrame & { kind: 'malformed' | 'unknown' },
    at: number,
    coveredTo: number | null,
  ): void {
    const { botId, clock, observer } = this.#deps;
    if (frame.kind === 'unknown') return observer.unknownFrame({ botId, messageType: frame.messageType });
    observer.malformedFrame({ botId, problem: frame.problem });
    if (coveredTo === null) return;
    const known = this.#malformed.get(slot.index);
    if (known) {
      known.to = at + 1;
      return;
    }
    if (this.#malformed.size === 0) {
      this.#cancelMalformed = clock.after(malformedWindowMs, () => this.flush());
    }
    this.#malformed.set(slot.index, { from: coveredTo, to: at + 1 });
  }

  /** Declares what frames could not be read so far; to be called before anything is said about coverage. */
  flush(): void {
    this.#cancelMalformed();
    for (const [slot, { from, to }] of this.#malformed) this.#declare(slot, from, to, 'upstream_malformed');
    this.#malformed.clear();
  }

  /** A window that is over, for what is confirmed on the slot: remembered like any gap until it is durable. */
  #declare(slot: number, from: number, to: number, cause: GapCause): void {
    const { coverage } = this.#deps.ledger;
    for (const topicId of this.#deps.ledger.topicsOn(slot)) {
      coverage.open(topicId, from, cause);
      coverage.close(topicId, to);
    }
    coverage.flush();
  }
}
