// Every error that the client throws. None ever shows a secret: no headers, no request bodies, no query of a URL.
import type { CloseAdvice } from '../protocol/index.ts';

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/**
 * A call over HTTP that did not do what was asked. `status` 0: no answer came (code `unreachable`). Otherwise `code`
 * is the stable code of the relay's problem document, `http_<status>` if the answer was none, or `unexpected_answer`
 * if it does not have the promised shape.
 */
export class RelayApiError extends Error {
  override readonly name = 'RelayApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** Which fields were wrong, when the relay said so. */
  readonly errors: readonly FieldError[];
  readonly requestId: string | null;
  /** What the relay asked for with Retry-After, milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(
    call: string,
    answer: {
      status: number;
      code: string;
      detail: string;
      errors?: readonly FieldError[] | undefined;
      requestId?: string | null | undefined;
      retryAfterMs?: number | null | undefined;
    },
    options?: ErrorOptions,
  ) {
    const fields = (answer.errors ?? []).map((field) => `; ${field.path}: ${field.message}`).join('');
    super(`${call}: ${answer.status || 'no answer'} ${answer.code}: ${answer.detail}${fields}`, options);
    this.status = answer.status;
    this.code = answer.code;
    this.detail = answer.detail;
    this.errors = answer.errors ?? [];
    this.requestId = answer.requestId ?? null;
    this.retryAfterMs = answer.retryAfterMs ?? null;
  }

  /** True if the same call may succeed later without anybody changing anything. */
  shouldRetry(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/**
 * The stream of events ended for a reason that coming back would not mend: see `closeCodes` for what `code` means.
 * `reason` is the relay's own explanation.
 */
export class RelayClosedError extends Error {
  override readonly name = 'RelayClosedError';
  readonly code: number;
  readonly reason: string;
  readonly advice: CloseAdvice;

  constructor(code: number, reason: string, advice: CloseAdvice, options?: ErrorOptions) {
    super(`the relay closed the stream with ${code}: ${reason}`, options);
    this.code = code;
    this.reason = reason;
    this.advice = advice;
  }

  shouldRetry(): boolean {
    return false;
  }
}

/** The other end does not speak `relay.v1`: a fault of one of the two, never of the network. */
export class RelayProtocolError extends Error {
  override readonly name = 'RelayProtocolError';

  shouldRetry(): boolean {
    return false;
  }
}

/**
 * An interest that was to be active was refused, taken away, or is still undecided when the time was up, or, with a `cause`,
 * when asking again failed.
 */
export class RelayInterestError extends Error {
  override readonly name = 'RelayInterestError';
  readonly interestId: string;
  readonly state: string;
  readonly reason: string | null;
  // Neither logged nor enumerated with the error.
  readonly #webhookSecret: string | undefined;

  constructor(
    interest: {
      id: string;
      event_type: string;
      state: string;
      reason: string | null;
      webhook_secret?: string | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(
      `interest in ${interest.event_type} is ${interest.state}: ${interest.reason ?? 'no reason given'}`,
      options,
    );
    this.interestId = interest.id;
    this.state = interest.state;
    this.reason = interest.reason;
    this.#webhookSecret = interest.webhook_secret;
  }

  /** Of the endpoint that the failed call made all the same, and that stays: no other call is told it. */
  get webhookSecret(): string | undefined {
    return this.#webhookSecret;
  }

  shouldRetry(): boolean {
    return this.state === 'pending' || this.state === 'degraded';
  }
}
