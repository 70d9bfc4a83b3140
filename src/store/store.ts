// Everything durable but the log, behind one object: rows in, domain values out, and a hint after each commit. It holds
// no rule about what a row means upstream or to a consumer.
import type { Clock } from '../runtime/clock.ts';
import { createAttempts } from './attempts.ts';
import type { Attempts, AttemptWrites } from './attempts.ts';
import { createAuthorizations } from './authorizations.ts';
import type { Authorizations } from './authorizations.ts';
import { createBots } from './bots.ts';
import type { Bots } from './bots.ts';
import { createChanges } from './changes.ts';
import type { ChangeListener } from './changes.ts';
import { createConsumers } from './consumers.ts';
import type { Consumers } from './consumers.ts';
import type { StoreContext } from './context.ts';
import type { Database } from './database.ts';
import { createDeliveries } from './deliveries.ts';
import type { Deliveries } from './deliveries.ts';
import { createEndpointWork } from './endpoint-work.ts';
import type { EndpointWork } from './endpoint-work.ts';
import { createEndpoints } from './endpoints.ts';
import type { Endpoints } from './endpoints.ts';
import { createInterests } from './interests.ts';
import type { Interests } from './interests.ts';
import type { Sealer } from './seal.ts';
import { createServices } from './services.ts';
import type { ServiceDefaults, Services } from './services.ts';
import { createTopics } from './topics.ts';
import type { Topics } from './topics.ts';
import { createWsTokens } from './ws-tokens.ts';
import type { WsTokens } from './ws-tokens.ts';

export type { StoreChange } from './changes.ts';

/** What the webhook dispatcher reads and writes. */
export type WebhookRows = EndpointWork & Deliveries & AttemptWrites;

export interface Store {
  readonly bots: Bots;
  readonly services: Services;
  readonly topics: Topics;
  readonly interests: Interests;
  readonly consumers: Consumers;
  readonly endpoints: Endpoints;
  readonly attempts: Attempts;
  readonly authorizations: Authorizations;
  readonly webhookRows: WebhookRows;
  readonly wsTokens: WsTokens;
  /** Called in this process after a commit. The answer unsubscribes. */
  onChange(listener: ChangeListener): () => void;
  /** Writes what is held back and stops the timer. The database stays open: it is not the store's. */
  close(): Promise<void>;
}

/**
 * The tables as functions. All of them reject when the database does not answer; repeating any of them is safe. Instants
 * are milliseconds since the epoch, sequence numbers are plain numbers.
 */
export function createStore(
  database: Database,
  sealer: Sealer,
  clock: Clock,
  defaults: ServiceDefaults = { serviceBotDefault: 'all' },
): Store {
  const changes = createChanges();
  const context: StoreContext = { database, sealer, clock, changes };
  const services = createServices(context, defaults);
  const attempts = createAttempts(context);
  return {
    bots: createBots(context),
    services,
    topics: createTopics(context),
    interests: createInterests(context),
    consumers: createConsumers(context),
    endpoints: createEndpoints(context),
    attempts,
    authorizations: createAuthorizations(context),
    webhookRows: { ...createEndpointWork(context), ...createDeliveries(context), ...attempts },
    wsTokens: createWsTokens(context),
    onChange: (listener) => changes.onChange(listener),
    close: () => services.flush(),
  };
}
