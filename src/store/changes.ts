// Tells the rest of the process what was written. Only a hint that arrives after the commit: a process that missed one
// (a crash, another process's write) finds the truth in the tables.
import type { InterestState } from '../protocol/rest.ts';

export type StoreChange =
  | { readonly kind: 'interests'; readonly botAccountIds: string[]; readonly serviceAccountIds: string[] }
  | { readonly kind: 'bot'; readonly botAccountId: string }
  | ServiceChange
  | EndpointChange
  /** One ended. */
  | { readonly kind: 'authorization'; readonly authorizationId: string }
  | { readonly kind: 'topic'; readonly topicId: string; readonly state: InterestState };

export interface ServiceChange {
  readonly kind: 'service';
  readonly serviceAccountId: string;
  readonly clientId: string;
  /** `access`: which bots it may use. */
  readonly what: 'created' | 'enabled' | 'disabled' | 'access' | 'secret' | 'removed';
  /** With `secret`: until when (ms since the epoch) the previous one still works; null when it died at once. */
  readonly previousValidUntil?: number | null;
}

/** Of one webhook endpoint. Those of a service that is removed go with it, and are not told one by one. */
export interface EndpointChange {
  readonly kind: 'endpoint';
  readonly endpointId: string;
  readonly serviceAccountId: string;
  /** `due`: deliveries were added to the retry set. */
  readonly what: 'created' | 'changed' | 'enabled' | 'removed' | 'due';
}

export type ChangeListener = (change: StoreChange) => void;

export interface Changes {
  emit(change: StoreChange): void;
  /** The answer unsubscribes. */
  onChange(listener: ChangeListener): () => void;
}

export function createChanges(): Changes {
  const listeners = new Set<ChangeListener>();
  return {
    emit(change) {
      for (const listener of listeners) {
        try {
          listener(change);
        } catch (error) {
          // The write is done and its author must hear so; the listener's fault surfaces on its own.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
