// The one base of errors that the relay throws on purpose. Outcomes are unions; these are faults and refusals.

export interface FieldError {
  /** The member or parameter, dotted; '' for the whole. */
  readonly path: string;
  /** What was expected and how to mend it. */
  readonly message: string;
}

/** A fault with a stable `code`. `status` is what an HTTP caller sees; the message never holds a secret. */
export class RelayError extends Error {
  readonly code: string;
  readonly status: number;
  readonly errors: readonly FieldError[];
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    status: number,
    message: string,
    options: { cause?: unknown; errors?: readonly FieldError[]; extra?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RelayError';
    this.code = code;
    this.status = status;
    this.errors = options.errors ?? [];
    this.extra = options.extra ?? {};
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  shouldRetry(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}
