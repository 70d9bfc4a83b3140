// The demo's wishes: what happens on the channel, once for consumers on sockets and once for the receiver. Equal wishes of
// the two services share one subscription.
import type { CreateInterestBody, InterestView, RelayClient } from '../../src/client/index.ts';
import type { Act } from './repertoire.ts';

/** An act, and the interest that listens for it. */
export interface Topic {
  readonly act: Act;
  readonly interest: InterestView;
}

export interface WebhookTarget {
  readonly url: string;
  /** Called once. The first requests may come before it is. */
  readonly onSecret: (secret: string) => void;
}

/** Which interest listens for what. */
export type OnInterest = (id: string, type: string) => void;

type Wish = Omit<CreateInterestBody, 'transport' | 'webhook_url'>;

/** Resolves when the platform has confirmed it. */
export async function listen(
  relay: RelayClient,
  { act, wish, onInterest }: { act: Act; wish: Wish; onInterest: OnInterest },
): Promise<Topic> {
  const whole = { ...wish, transport: 'websocket' } as const;
  const { id } = await relay.interests.create(whole);
  onInterest(id, act.type);
  return { act, interest: await relay.interests.ensure(whole) };
}

/** The first interest makes the endpoint, and is told its secret; the others find it there. */
export async function bringTo(
  target: WebhookTarget,
  relay: RelayClient,
  { wishes, onInterest }: { wishes: readonly Wish[]; onInterest: OnInterest },
): Promise<void> {
  const bring = async (wish: Wish) => {
    const whole = { ...wish, transport: 'webhook', webhook_url: target.url } as const;
    const { id, webhook_secret: secret, endpoint_id: endpointId } = await relay.interests.create(whole);
    onInterest(id, wish.event_type);
    if (secret) target.onSecret(secret);
    // Retries within seconds: nobody waits for minutes in front of a demo.
    if (secret && endpointId) await relay.endpoints.update(endpointId, { retry_profile: 'realtime' });
    await relay.interests.ensure(whole);
  };
  await Promise.all(wishes.map(bring));
}
