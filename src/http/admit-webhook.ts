// Whether a wish may be sent to a URL: the egress guard's word and, if the daemon is set so, the receiver's own. Stores
// nothing; what it may refuse is asked before anything is stored.
import { refuseUnechoed } from './challenge.ts';
import { fieldRefusal } from './parse.ts';
import type { EndpointRow } from './port-webhooks.ts';
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
  const endpoint = await endpointOf(deps, wish);
  const known = ({ topicId, endpointId }: { topicId: string; endpointId: string | null }) =>
    endpointId === endpoint?.id && topicId === wish.topicId;
  if (endpoint && existing.some(known)) return undefined;
  const verdict = await deps.webhooks.checkUrl(wish.url);
  if (!verdict.ok) throw fieldRefusal('webhook_url', verdict.message, 'egress_refused');
  if (endpoint || !deps.webhookChallenge) return undefined;
  const secret = deps.newWebhookSecret();
  refuseUnechoed(await deps.webhooks.challenge(wish.url, secret), 'webhook_url');
  return secret;
}

const pageSize = 1000;

/** The service's endpoint for the URL. Services have few. */
async function endpointOf(
  deps: HttpDeps,
  { serviceAccountId, url }: WebhookWish,
): Promise<EndpointRow | undefined> {
  let after: string | undefined;
  for (;;) {
    const rows = await deps.store.endpoints.list(serviceAccountId, { limit: pageSize, after });
    const found = rows.find((row) => row.url === url);
    if (found || rows.length < pageSize) return found;
    after = rows.at(-1)?.id;
  }
}
