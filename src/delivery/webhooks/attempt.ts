// One HTTP try as its connection tells of it, up to its one end. The status line decides: once it is there, nothing that happens
// to the body, the connection or the relay changes what came of the try. Must never let a request be sent twice.
import { AnswerBody, asksToWait, kindOfStatus, type AnswerLimits } from './answer.ts';
import { faultOf, sentence, type Fault, type SendPhase } from './fault.ts';
import type { Outcome } from './outcome.ts';

export type AttemptEnd = Pick<Outcome, 'kind' | 'status' | 'response'> & {
  readonly retryAfter: string | undefined;
  /** The answer was read to its end: the connection can take the next request. */
  readonly reusable: boolean;
};

export interface AttemptDeps {
  readonly limits: AnswerLimits;
  /** Not to be seen in the kept answer, and what is valid at its end no more than these. */
  readonly secrets: readonly string[];
  readonly secretsNow?: (() => readonly string[]) | undefined;
  /** Called once. */
  readonly onEnd: (end: AttemptEnd) => void;
}

interface AnswerHead {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Each takes work, and a receiver that tells every second that it is at it needs fewer. */
const maxInterim = 32;

/** Stops what is under way. */
export interface AttemptController {
  abort(reason: Error): void;
}

export class Attempt {
  readonly #deps: AttemptDeps;
  readonly #body: AnswerBody;
  #phase: SendPhase = 'connecting';
  #interim = 0;
  #head: AnswerHead | undefined;
  #ended = false;

  constructor(deps: AttemptDeps) {
    this.#deps = deps;
    this.#body = new AnswerBody(deps.limits);
  }

  /** Ends it at once. The caller drops the connection. */
  cutOff(why: 'deadline' | 'aborted'): void {
    if (why === 'aborted') return this.#fail({ kind: 'aborted', message: sentence('aborted') });
    const kind = this.#phase === 'connecting' ? 'connect_timeout' : 'timeout';
    this.#fail({ kind, message: sentence(kind) });
  }

  onRequestStart(controller: AttemptController): void {
    const again = this.#phase === 'sent';
    this.#phase = 'sent';
    if (again) this.#fail({ kind: 'connection_reset', message: sentence('connection_reset') });
    if (this.#ended) controller.abort(new Error('the attempt has ended'));
  }

  onResponseStart(
    _controller: AttemptController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    // Interim answers may come before the one.
    if (status < 200) return this.#countInterim();
    const retryAfter = asksToWait.has(status) ? headers['retry-after'] : undefined;
    this.#head = { status, retryAfter: typeof retryAfter === 'object' ? retryAfter[0] : retryAfter };
  }

  onResponseData(_controller: AttemptController, chunk: Buffer): void {
    if (!this.#ended && !this.#body.add(chunk)) this.#end(false);
  }

  onResponseEnd(): void {
    this.#end(true);
  }

  onResponseError(_controller: AttemptController | undefined, error: unknown): void {
    this.#fail(faultOf(error, this.#phase));
  }

  #countInterim(): void {
    this.#interim += 1;
    if (this.#interim > maxInterim)
      this.#fail({ kind: 'protocol_error', message: sentence('protocol_error') });
  }

  /** Without the rest of an answer, if there is one; else with the fault. */
  #fail({ kind, message }: Fault): void {
    if (this.#head) return this.#end(false);
    this.#finish({ kind, status: null, response: message, retryAfter: undefined, reusable: false });
  }

  #end(reusable: boolean): void {
    if (!this.#head) return;
    const { status, retryAfter } = this.#head;
    const { secrets, secretsNow } = this.#deps;
    const now = secretsNow?.() ?? secrets;
    const response = this.#body.text(now === secrets ? secrets : [...secrets, ...now], reusable);
    this.#finish({ kind: kindOfStatus(status), status, response, retryAfter, reusable });
  }

  #finish(end: AttemptEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deps.onEnd(end);
  }
}
