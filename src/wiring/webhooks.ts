// Webhook delivery as the daemon puts it together: guard, sender and dispatcher over the store's rows. Decides nothing.
import type { Config } from '../config/config.ts';
import type { EventFeed } from '../delivery/port.ts';
import { createEgressGuard } from '../delivery/webhooks/egress/index.ts';
import { createWebhooks, createSender } from '../delivery/webhooks/index.ts';
import type {
  EgressGuard,
  Sender,
  WebhookDeps,
  WebhookRows,
  WebhooksHandle,
} from '../delivery/webhooks/ports.ts';
import type { HttpDeps } from '../http/port.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Store } from '../store/store.ts';
import { packageVersion } from './version.ts';

const hourMs = 3_600_000;

export interface WebhookParts extends Pick<
  WebhookDeps,
  'declare' | 'random' | 'longestRetentionMs' | 'crash'
> {
  readonly config: Config;
  readonly clock: Clock;
  readonly store: Store;
  readonly feed: EventFeed;
  readonly observer: NonNullable<WebhookDeps['observer']>;
  /** Puts a measure around the sender. */
  readonly measured: (sender: Sender) => Sender;
}

export interface OpenedWebhooks {
  readonly handle: WebhooksHandle & { start(): Promise<void> };
  /** What requests may do. */
  readonly actions: HttpDeps['webhooks'];
  /** Lets what is under way finish for so long, and closes every socket. */
  stop(withinMs: number): Promise<void>;
}

/** Nothing is sent before `handle.start`. */
export function openWebhooks({ config, clock, store, measured, ...rest }: WebhookParts): OpenedWebhooks {
  const guard: EgressGuard = createEgressGuard({ allowedCidrs: config.webhookAllowedCidrs, clock });
  const sender = measured(createSender({ guard, clock, userAgent: `eventsub-relay/${packageVersion()}` }));
  const rows: WebhookRows = store.webhookRows;
  const handle = createWebhooks({
    ...rest,
    rows,
    sender,
    clock,
    onChange: (listener) => store.onChange(listener),
    keepAttemptsMs: config.retentionDeliveriesHours * hourMs,
  });
  return {
    handle,
    actions: {
      checkUrl: (url) => guard.check(url),
      challenge: (url, secret) => handle.challenge(url, secret),
      challengeEndpoint: (endpointId) => handle.challengeEndpoint(endpointId),
      test: (endpointId) => handle.test(endpointId),
      inForce: () => handle.inForce(),
      replay: (request) => handle.replay(request),
    },
    async stop(withinMs) {
      await handle.stop({ withinMs });
      await sender.close();
    },
  };
}
