// What every aggregate of the store is given. Types only.
import type { Clock } from '../runtime/clock.ts';
import type { Changes } from './changes.ts';
import type { Database } from './database.ts';
import type { Sealer } from './seal.ts';

export interface StoreContext {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly changes: Changes;
}
