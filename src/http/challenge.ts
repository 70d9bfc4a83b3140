// What is said to somebody whose receiver did not prove that it is theirs. Sends nothing itself.
import { RelayError } from '../domain/errors.ts';
import { fieldRefusal } from './parse.ts';
import type { Challenged, SentOutcome } from './port-webhooks.ts';

const asked = 'a receiver must answer the challenge with a 2xx status and the challenge as its body';

/**
 * Throws 422 `challenge_failed`, naming the field at fault if the request has one, or 503 `challenge_unavailable` when the
 * fault is not the receiver's.
 */
export function refuseUnechoed({ echoed, outcome }: Challenged, field?: 'webhook_url'): void {
  if (echoed) return;
  if (outcome.kind === 'ours' || outcome.kind === 'aborted') {
    const message =
      'the challenge could not be sent, which is not the fault of the receiver; try again shortly';
    throw new RelayError('challenge_unavailable', 503, message);
  }
  const code = 'challenge_failed';
  const message = `${asked}; ${cameBack(outcome)}`;
  throw field ? fieldRefusal(field, `${field}: ${message}`, code) : new RelayError(code, 422, message);
}

function cameBack({ kind, status }: SentOutcome): string {
  if (status === null) return `no answer came: ${kind}`;
  return kind === 'success' ? `it answered ${status} with another body` : `it answered ${status} (${kind})`;
}
