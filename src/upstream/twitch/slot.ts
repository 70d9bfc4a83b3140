// One of a bot's up to three sockets: runs session after session with back-off until it is told to stop. Knows when it
// is live and under which ids; what is subscribed on it is its owner's business.
import { backOffMs } from '../../domain/back-off.ts';
import { pause, type Clock } from '../../runtime/clock.ts';
import type { UpstreamFrame } from './frames.ts';
import { runSession, type Session, type SessionResult, type Window } from './session.ts';
import type { Timings } from './timings.ts';

export interface SlotListener {
  ready(slot: Slot): void;
  lost(slot: Slot, end: SessionResult, retryInMs: number): void;
  handedOver(slot: Slot, gap: Window | null): void;
  frame(frame: UpstreamFrame, receivedAt: number): void;
  oddFrame(
    slot: Slot,
    frame: UpstreamFrame & { kind: 'malformed' | 'unknown' },
    at: number,
    coveredTo: number | null,
  ): void;
}

export interface SlotOptions {
  readonly index: number;
  readonly url: string;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly random: () => number;
  readonly listener: SlotListener;
}

export class Slot {
  readonly index: number;
  /** Every id that the present session has had; empty when there is none. */
  readonly ids = new Set<string>();
  /** Counts sessions: what was begun in one generation must not be finished in another. */
  generation = 0;
  sessionId: string | null = null;
  connectedAt: number | null = null;
  reconnects = 0;
  readonly #options: SlotOptions;
  readonly #stop = new AbortController();
  #abandon: AbortController | undefined;
  #session: Session | undefined;
  readonly #done: Promise<void>;

  constructor(options: SlotOptions) {
    this.index = options.index;
    this.#options = options;
    this.#done = this.#run();
  }

  get live(): boolean {
    return this.sessionId !== null;
  }

  lastFrameAt(): number | null {
    return this.#session?.lastFrameAt() ?? null;
  }

  /** What was sent up to here has been received. */
  coveredTo(): number | null {
    return this.#session?.coveredTo() ?? null;
  }

  /** Ends the present session, if it still is of that generation; the next one follows after the back-off. */
  abandon(generation: number): void {
    if (generation === this.generation) this.#abandon?.abort();
  }

  /** Resolves when everything is closed. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#done;
  }

  async #run(): Promise<void> {
    const { clock, timings, random, listener } = this.#options;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      const end = await this.#runOne();
      const stable = this.connectedAt !== null && clock.now() - this.connectedAt >= timings.stableMs;
      this.sessionId = null;
      this.connectedAt = null;
      this.ids.clear();
      failures = stable ? 0 : failures + 1;
      const retryInMs = stable ? 0 : backOffMs(failures, timings.backOff, random());
      listener.lost(this, end, retryInMs);
      if (this.#stop.signal.aborted) return;
      await pause(clock, retryInMs, this.#stop.signal);
      if (end.lastFrameAt !== null) this.reconnects++;
    }
  }

  async #runOne(): Promise<SessionResult> {
    const { clock, timings, url, listener } = this.#options;
    this.generation++;
    this.#abandon = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, this.#abandon.signal]);
    this.#session = runSession(
      {
        clock,
        timings,
        url,
        listener: {
          ready: (sessionId) => {
            this.#enter(sessionId);
            this.connectedAt = clock.now();
            listener.ready(this);
          },
          handedOver: (sessionId, gap) => {
            this.#enter(sessionId);
            this.reconnects++;
            listener.handedOver(this, gap);
          },
          frame: (frame, at) => listener.frame(frame, at),
          oddFrame: (frame, at, coveredTo) => listener.oddFrame(this, frame, at, coveredTo),
        },
      },
      signal,
    );
    const end = await this.#session.ended;
    // Abandoned is not stopped: somebody who wants events is left without a socket.
    return end.cause === 'stopped' && !this.#stop.signal.aborted ? { ...end, cause: 'closed' } : end;
  }

  #enter(sessionId: string): void {
    this.sessionId = sessionId;
    this.ids.add(sessionId);
  }
}
