// The durable rows as upstream needs them: bots, and topics that say what is wanted. src/store fits it.
import type { Condition } from '../domain/topic.ts';
import type { GapCause } from '../domain/relay-event.ts';

export interface UpstreamBot {
  readonly id: string;
  readonly name: string;
  readonly twitchUserId: string;
  readonly enabled: boolean;
  readonly state: 'ok' | 'reauth_required';
  /** Set while it is being taken out; nothing of it is wanted then. */
  readonly removedAt: number | null;
  /** When its token was last known to work: milliseconds since the epoch, or null. */
  readonly validatedAt: number | null;
  /** Milliseconds since the epoch; null before the first session. */
  readonly coveredUntil: number | null;
}

export type TopicState = 'pending' | 'active' | 'rejected' | 'revoked' | 'degraded';

export interface UpstreamTopic {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
  readonly state: TopicState;
  readonly retryAt: number | null;
  readonly subscriptionId: string | null;
  /** Why it is not active, and what it costs, where the row says so. */
  readonly code?: string | null;
  readonly cost?: number;
  readonly gapFrom: number | null;
  readonly gapCause: GapCause | null;
  readonly createdAt: number;
  /** At least one interest of an enabled service. */
  readonly wanted: boolean;
  /** All interests, those of disabled services too. */
  readonly interestCount: number;
}

export interface TopicPatch {
  readonly state?: TopicState;
  readonly reason?: string | null;
  readonly code?: string | null;
  readonly retryAt?: number | null;
  readonly subscriptionId?: string | null;
  readonly cost?: number;
  readonly gapFrom?: number | null;
  readonly gapCause?: GapCause | null;
}

export interface UpstreamInterest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly botAccountId: string;
}

export interface UpstreamStore {
  /** Also one that is being taken out. */
  bot(id: string): Promise<UpstreamBot | undefined>;
  /** Also those that are being taken out. */
  botIds(): Promise<readonly string[]>;
  interestsOfBot(botId: string): Promise<readonly UpstreamInterest[]>;
  /** Deletes these interests of the bot, with the endpoints whose last ones they are. */
  removeInterests(botId: string, ids: readonly string[]): Promise<void>;
  /** Deletes the row of a bot that is being taken out, and what hangs on it; false when it is not (any more). */
  forgetBot(botId: string): Promise<boolean>;
  topics(botId: string): Promise<readonly UpstreamTopic[]>;
  /**
   * With `only`: does nothing and answers false when the bot's token was validated at another time than that (by now): what
   * is to be written may be about a grant that has been replaced.
   */
  updateTopic(id: string, patch: TopicPatch, only?: Pick<UpstreamBot, 'validatedAt'>): Promise<unknown>;
  /** Deletes the row unless somebody wants it (again); whether it did. */
  forgetTopic(id: string): Promise<boolean>;
  interestsOf(
    topicId: string,
  ): Promise<readonly { id: string; serviceAccountId: string; botAccountId: string }[]>;
  saveCoverage(rows: readonly { id: string; at: number }[]): Promise<void>;
}
