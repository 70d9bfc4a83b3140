// What an outcome is called: a code that stays the same, for programs, and a sentence for people. Pure. No URL and nothing
// of the receiver's answer gets into either.
import type { Outcome, OutcomeKind } from './outcome.ts';

export interface FailureReason {
  readonly code: string;
  readonly reason: string;
}

interface Name {
  /** `status`: `http_` and the status, where there is one. */
  readonly code?: 'status';
  readonly reason: string;
  /** No answer came, so that the outcome's text is the sender's own, and says more. */
  readonly detailed?: true;
}

const names: Readonly<Record<OutcomeKind, Name>> = {
  success: { reason: 'the event was accepted' },
  redirect: { code: 'status', reason: 'the endpoint answered with a redirect, which is not followed' },
  gone: { reason: 'the endpoint answered 410 Gone: it wants no more events' },
  rate_limited: { code: 'status', reason: 'the endpoint answered that requests come too fast' },
  client_error: { code: 'status', reason: 'the endpoint refused the request' },
  unavailable: { code: 'status', reason: 'the endpoint answered that it is unavailable' },
  server_error: { code: 'status', reason: 'the endpoint answered with an error of its own' },
  timeout: { reason: 'the endpoint did not answer in time' },
  connect_timeout: { reason: 'no connection to the endpoint came about in time' },
  connection_refused: { reason: 'the connection was refused: nothing listens there' },
  connection_reset: { reason: 'the connection was closed before the answer was complete' },
  dns_failed: { reason: 'the name of the host could not be resolved', detailed: true },
  tls_failed: { reason: 'no TLS connection could be agreed on', detailed: true },
  egress_refused: { reason: 'the address may not be called', detailed: true },
  protocol_error: { reason: 'what came back is no HTTP answer', detailed: true },
  ours: { reason: 'the request could not be sent, by a fault on this side' },
  aborted: { reason: 'the request was cut off because the relay is stopping' },
};

/** A sentence in a row and in an event, not a log. */
const maxDetailChars = 200;

/** E.g. `http_500` or `timeout`. Total. */
export function failureReason(outcome: Outcome): FailureReason {
  const { code, reason, detailed } = names[outcome.kind];
  const { kind, status, response } = outcome;
  if (code === 'status' && status !== null) {
    return { code: `http_${status}`, reason: `${reason} (HTTP ${status})` };
  }
  if (!detailed || status !== null || !response) return { code: kind, reason };
  return { code: kind, reason: `${reason}: ${response.slice(0, maxDetailChars)}` };
}
