// Requests of the relay's own that go beside the lanes: a test, a challenge. They are not logged, not retried, and say
// nothing about an endpoint's health.
import { randomBytes, randomUUID } from 'node:crypto';
import { encodeCursor } from '../../domain/cursor.ts';
import { isoTime } from '../../runtime/clock.ts';
import type { Outcome } from './outcome.ts';
import type { EndpointRow, SendRequest, WebhookDeps } from './ports.ts';
import { validSecrets } from './live-secrets.ts';

/** As much as any other secret of the relay: nobody echoes it by luck. */
const challengeBytes = 32;

type RequestDeps = Pick<WebhookDeps, 'feed' | 'sender' | 'clock'>;

/** The event of a request that is not in the log, in the shape of all others. */
function ownRequest(
  { feed, clock }: RequestDeps,
  kind: 'test' | 'challenge',
  event: object,
): Omit<SendRequest, 'url' | 'secrets'> {
  const id = `relay-${kind}-${randomUUID()}`;
  const cursor = encodeCursor(feed.epoch, feed.head());
  const at = isoTime(clock.now());
  const body = JSON.stringify({
    id,
    cursor,
    provider: 'relay',
    type: `relay.endpoint.${kind}`,
    version: '1',
    event_timestamp: at,
    received_at: at,
    bot_account_id: null,
    topic_id: null,
    subscription: null,
    event,
  });
  return { id, cursor, body, attempt: 1 };
}

export function sendTest(deps: RequestDeps, endpoint: EndpointRow, signal: AbortSignal): Promise<Outcome> {
  const { url } = endpoint;
  const secrets = validSecrets(endpoint.secrets, deps.clock.now());
  const request = ownRequest(deps, 'test', { endpoint_id: endpoint.id });
  return deps.sender.send({ ...request, url, secrets }, signal);
}

export async function sendChallenge(
  deps: RequestDeps,
  target: { readonly url: string; readonly secrets: readonly string[] },
  signal: AbortSignal,
): Promise<{ readonly echoed: boolean; readonly outcome: Outcome }> {
  const challenge = randomBytes(challengeBytes).toString('base64url');
  const request = ownRequest(deps, 'challenge', { challenge });
  const outcome = await deps.sender.send({ ...request, ...target }, signal);
  return { echoed: outcome.kind === 'success' && outcome.response?.trim() === challenge, outcome };
}
