// What ingest needs of the log: one way in. A log that tells its own readers what it committed fits as it is.
import type { EventDraft, LogRecord } from '../domain/event.ts';

export interface EventAppender {
  /**
   * Commits the drafts in order, all or none. An entry per draft: the record, or null when its id was there already.
   * When it rejects they may have been committed all the same; repeating it is safe.
   */
  append(drafts: readonly EventDraft[]): Promise<(LogRecord | null)[]>;
}
