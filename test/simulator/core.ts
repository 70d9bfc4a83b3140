// Owns what every part of one simulator shares. It must never hold behaviour of its own.
import type { Accounts } from './accounts.ts';
import type { Activity } from './activity.ts';
import type { FaultBoard } from './faults.ts';
import type { Ids } from './ids.ts';
import type { Settings } from './options.ts';
import type { SubscriptionStore } from './subscription-store.ts';

export interface Core {
  readonly settings: Settings;
  readonly ids: Ids;
  readonly activity: Activity;
  readonly faults: FaultBoard;
  readonly accounts: Accounts;
  readonly store: SubscriptionStore;
}
