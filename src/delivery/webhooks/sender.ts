// Sends one webhook request and reports what came of it. Owns the connections, the deadlines and the headers; knows
// nothing of retries, lanes or endpoints, and never sends anything twice: whoever calls again raises the attempt number.
import { setMaxListeners } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import { errors } from 'undici';
import type { Clock } from '../../runtime/clock.ts';
import type { AnswerLimits } from './answer.ts';
import { Attempt, type AttemptEnd } from './attempt.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { CutOffs } from './cut-offs.ts';
import { guardedConnector } from './egress/index.ts';
import { faultOf, sentence } from './fault.ts';
import { headerId } from './header-id.ts';
import type { Outcome } from './outcome.ts';
import type { EgressGuard, Sender, SendRequest } from './ports.ts';
import { requestBytes } from './request-bytes.ts';
import { parseRetryAfter } from './retry-after.ts';
import { createSigner } from './signer.ts';
import { Targets, type Target } from './targets.ts';

export interface SendLimits extends AnswerLimits {
  /** From the call to the end of the answer. */
  readonly totalMs: number;
  /** Name server, TCP and TLS. */
  readonly connectMs: number;
}

/** What a receiver is promised: docs/protocol.md, webhooks. */
export const defaultSendLimits: SendLimits = {
  totalMs: 15_000,
  connectMs: 5_000,
  maxAnswerBytes: 64 * 1024,
  keptAnswerBytes: 4 * 1024,
};

export interface SenderDeps {
  readonly guard: EgressGuard;
  readonly clock: Clock;
  /** `eventsub-relay/<version>`. */
  readonly userAgent: string;
  readonly limits?: Partial<SendLimits>;
  /** Certificate authorities in the place of the system's. */
  readonly tls?: Pick<ConnectionOptions, 'ca'>;
}

/**
 * `send` resolves within `totalMs` of the clock, never rejects, and leaves no timer, listener or busy socket behind. A
 * status line that has arrived decides the outcome: the body is read up to the limits and the deadline, but a 2xx whose
 * body is huge, broken or endless is a success. A connection that the receiver closes just as a request goes out on it is
 * `connection_reset` like any other. After `close`, and for what is under way then, the outcome is `aborted`.
 */
export function createSender(deps: SenderDeps): Sender {
  return new WebhookSender(deps);
}

interface Prepared {
  readonly target: Target;
  /** The whole request. */
  readonly bytes: Buffer;
}

class WebhookSender implements Sender {
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #limits: SendLimits;
  readonly #sign = createSigner();
  readonly #targets = new Targets();
  readonly #stopping = new AbortController();
  readonly #connections: Connections;
  readonly #cutOffs = new CutOffs();

  constructor({ guard, clock, userAgent, limits, tls }: SenderDeps) {
    this.#clock = clock;
    this.#userAgent = userAgent;
    this.#limits = { ...defaultSendLimits, ...limits };
    // One listener for each connection being opened, however many that are.
    setMaxListeners(0, this.#stopping.signal);
    const connect = guardedConnector({
      guard,
      clock,
      connectTimeoutMs: this.#limits.connectMs,
      signal: this.#stopping.signal,
      ...(tls ? { tls } : {}),
    });
    const { maxAnswerBytes } = this.#limits;
    this.#connections = new Connections({ connect, clock, maxAnswerBytes });
  }

  send(request: SendRequest, signal: AbortSignal): Promise<Outcome> {
    const startedAt = this.#clock.now();
    if (signal.aborted || this.#stopping.signal.aborted)
      return Promise.resolve(this.#outcome(startedAt, unsent('aborted')));
    const prepared = this.#prepare(request, startedAt);
    if ('kind' in prepared) return Promise.resolve(this.#outcome(startedAt, prepared));
    return new Promise((resolve) => {
      this.#dispatch(request, prepared, signal, (end) => resolve(this.#outcome(startedAt, end)));
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#cutOffs.all();
    await this.#connections.close();
  }

  #dispatch(
    { secrets, secretsNow }: SendRequest,
    { target, bytes }: Prepared,
    signal: AbortSignal,
    onEnd: (end: AttemptEnd) => void,
  ): void {
    const connection = this.#connections.take(target);
    const attempt = new Attempt({
      limits: this.#limits,
      secrets,
      secretsNow,
      onEnd: (end) => {
        cancelDeadline();
        unwatch();
        this.#release(connection, end);
        onEnd(end);
      },
    });
    const unwatch = this.#cutOffs.add(signal, () => attempt.cutOff('aborted'));
    const cancelDeadline = this.#clock.after(this.#limits.totalMs, () => attempt.cutOff('deadline'));
    connection.send(bytes, attempt);
  }

  #release(connection: Connection, { reusable }: AttemptEnd): void {
    if (reusable) this.#connections.giveBack(connection);
    else this.#connections.drop(connection);
  }

  /** Where it goes and the whole of it; or the end of it, when it cannot be sent at all. */
  #prepare(request: SendRequest, now: number): Prepared | AttemptEnd {
    const target = this.#targets.of(request.url);
    if (!target) return unsent('egress_refused', 'only http and https URLs without a user name are called');
    const { attempt, cursor, secrets, body } = request;
    const timestamp = Math.floor(now / 1_000);
    const userAgent = this.#userAgent;
    try {
      const id = headerId(request.id);
      const parts = { target, userAgent, id, timestamp, attempt, cursor, secrets, body };
      return { target, bytes: requestBytes(parts, this.#sign) };
    } catch (error) {
      // Whatever signing throws may be about the secret.
      return error instanceof errors.InvalidArgumentError
        ? unsent('ours', faultOf(error, 'connecting').message)
        : unsent('ours', 'the request could not be signed: the fault is on the side of the relay');
    }
  }

  #outcome(startedAt: number, { kind, status, response, retryAfter }: AttemptEnd): Outcome {
    const now = this.#clock.now();
    const retryAfterMs = parseRetryAfter(retryAfter, now);
    // The wall clock may have been set meanwhile, by years; the deadline knows nothing of that.
    const durationMs = Math.min(Math.max(0, now - startedAt), this.#limits.totalMs);
    return { kind, status, response, retryAfterMs, startedAt, durationMs };
  }
}

const unsent = (kind: 'aborted' | 'egress_refused' | 'ours', response = sentence(kind)): AttemptEnd => ({
  kind,
  status: null,
  response,
  retryAfter: undefined,
  reusable: false,
});
