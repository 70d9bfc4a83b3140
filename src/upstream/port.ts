// What the upstream stage hands to the right: what a platform sent, ready for ingest. Knows no platform.
import type { EventDraft } from '../domain/event.ts';
import type { Condition } from '../domain/topic.ts';

/** One notification, validated as far as routing needs. */
export interface Notification {
  readonly provider: string;
  readonly botAccountId: string;
  readonly messageId: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
  /** The platform's subscription that it belongs to. */
  readonly subscriptionId: string;
  /** As sent. */
  readonly eventTimestamp: string;
  /** Milliseconds since the epoch, when the frame was read. */
  readonly receivedAt: number;
  /** `"subscription":…,"event":…`: the platform's bytes as members of an object, without braces. */
  readonly body: string;
}

/** Where upstream puts things. Neither call blocks nor throws: sockets are read on. */
export interface UpstreamSink {
  /** `unwanted`: as far as is known nobody wants it, so it is not kept. */
  notification(notification: Notification): 'unwanted' | undefined;
  /**
   * A relay event, committed behind everything handed over before it and never dropped. Resolves once it is durable;
   * rejects only when the relay stops first.
   */
  declare(draft: EventDraft): Promise<void>;
  /**
   * Up to when everything received for this bot is durable: `at`, unless something older still waits for its commit.
   */
  durableUntil(botAccountId: string, at: number): number;
}
