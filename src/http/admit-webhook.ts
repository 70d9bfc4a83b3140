// Whether a wish may be sent to a URL: the egress guard's word and, if the daemon is set so, the receiver's own. Stores
// nothing; what it may refuse is asked before anything is stored.
import { refuseUnechoed } from './challenge.ts';
import { fieldRefusal } from './parse.ts';
import type { HttpDeps } from './port.ts';

export interface WebhookWish {
  readonly serviceAccountId: string;
  readonly topicId: string;
  /** In the spelling that is stored. */
  readonly url: string;
}

/**
 * The secret to create the endpoint with, where the receiver was challenged with it; undefined when the store is to make
 * one, or needs none. Throws 422 `egress_refused` or `challenge_failed`. A wish that exists already is not asked about.
 */
export async function admitWebhook(
  deps: HttpDeps,
  wish: WebhookWish,
  existing: readonly { topicId: string; endpointId: string | null }[],
): Promise<string | undefined> {
  const endpointId = await deps.store.endpoints.idOf(wish.serviceAccountId, wish.url);
  const known = (row: { topicId: string; endpointId: string | null }) =>
    row.endpointId === endpointId && row.topicId === wish.topicId;
  if (endpointId !== undefined && existing.some(known)) return undefined;
  const verdict = await deps.webhooks.checkUrl(wish.url);
  if (!verdict.ok) throw fieldRefusal('webhook_url', verdict.message, 'egress_refused');
  if (endpointId !== undefined || !deps.webhookChallenge) return undefined;
  const secret = deps.newWebhookSecret();
  refuseUnechoed(await deps.webhooks.challenge(wish.url, secret), 'webhook_url');
  return secret;
}
