// Everything durable but the log, behind one object: rows in, domain values out, and a hint after each commit. It holds
// no rule about what a row means upstream or to a consumer.
import type { Clock } from '../runtime/clock.ts';
import { createBots } from './bots.ts';
import type { Bots } from './bots.ts';
import { createChanges } from './changes.ts';
import type { ChangeListener } from './changes.ts';
import { createConsumers } from './consumers.ts';
import type { Consumers } from './consumers.ts';
import type { StoreContext } from './context.ts';
import type { Database } from './database.ts';
import { createInterests } from './interests.ts';
import type { Interests } from './interests.ts';
import type { Sealer } from './seal.ts';
import { createServices } from './services.ts';
import type { Services } from './services.ts';
import { createTopics } from './topics.ts';
import type { Topics } from './topics.ts';
import { createWsTokens } from './ws-tokens.ts';
import type { WsTokens } from './ws-tokens.ts';

export type { StoreChange } from './changes.ts';

export interface Store {
  readonly bots: Bots;
  readonly services: Services;
  readonly topics: Topics;
  readonly interests: Interests;
  readonly consumers: Consumers;
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
export function createStore(database: Database, sealer: Sealer, clock: Clock): Store {
  const changes = createChanges();
  const context: StoreContext = { database, sealer, clock, changes };
  const services = createServices(context);
  return {
    bots: createBots(context),
    services,
    topics: createTopics(context),
    interests: createInterests(context),
    consumers: createConsumers(context),
    wsTokens: createWsTokens(context),
    onChange: (listener) => changes.onChange(listener),
    close: () => services.flush(),
  };
}
