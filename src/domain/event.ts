// One record of the log, before and after it has a place in it. Types, and the rule of retention classes. Pure.

/** Whom an event concerns: one topic (a notification), several (a gap), or one service (its interest, its endpoint). */
export type Audience =
  | { readonly kind: 'topic'; readonly topicId: string }
  | { readonly kind: 'topics'; readonly topicIds: readonly string[] }
  | { readonly kind: 'service'; readonly serviceAccountId: string };

/** Which retention applies. */
export const retentionClasses = ['chat', 'standard'] as const;
export type RetentionClass = (typeof retentionClasses)[number];

/** Chat is by far the most and is worth the least later. */
export const retentionClassOf = (type: string): RetentionClass =>
  type.startsWith('channel.chat.') ? 'chat' : 'standard';

export interface EventDraft {
  /** The platform's message id, or a relay id. Two drafts with the same id become one record. */
  readonly id: string;
  readonly provider: string;
  readonly type: string;
  readonly version: string;
  /** As the platform sent it. */
  readonly eventTimestamp: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly botAccountId: string | null;
  readonly audience: Audience;
  /** `"subscription":…,"event":…` as text: members of an object without its braces, spliced on the way out. */
  readonly body: string;
}

export interface LogRecord extends EventDraft {
  /** Strictly increasing in the order in which records became visible; holes are normal. */
  readonly seq: number;
}
