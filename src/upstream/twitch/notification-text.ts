// A notification as Twitch writes it, cut apart in one pass: metadata, then the payload's subscription and event, nothing
// else. The subscription's text is the same in all notifications of one subscription, so it is read once. Decides nothing: a
// frame of any other shape, however valid, is not one that is cut here.
import { skipValue } from '../../domain/json-slice.ts';
import type { SubscriptionRef } from './frames.ts';

const start = '{"metadata":{';
const metadataAt = start.length - 1;
const payload = ',"payload":{"subscription":{';
const bodyAt = payload.indexOf('"subscription"');
const subscriptionAt = payload.length - 1;
const event = ',"event":';
const end = '}}';

export interface CutNotification {
  readonly metadata: string;
  readonly subscription: string;
  readonly event: string;
  /** `"subscription":…,"event":…`, as it stands there. */
  readonly body: string;
}

/**
 * Undefined unless it is of that very shape. `text` need not be JSON: it is, when the metadata, the subscription and the
 * event are.
 */
export function cutNotification(text: string): CutNotification | undefined {
  if (!text.startsWith(start)) return undefined;
  const metadataEnd = skipValue(text, metadataAt);
  if (!text.startsWith(payload, metadataEnd)) return undefined;
  const subscriptionStart = metadataEnd + subscriptionAt;
  const subscriptionEnd = skipValue(text, subscriptionStart);
  if (!text.startsWith(event, subscriptionEnd)) return undefined;
  const eventStart = subscriptionEnd + event.length;
  const eventEnd = skipValue(text, eventStart);
  // Then no member came twice, and none of them but these.
  if (eventEnd !== text.length - end.length || !text.endsWith(end)) return undefined;
  return {
    metadata: text.slice(metadataAt, metadataEnd),
    subscription: text.slice(subscriptionStart, subscriptionEnd),
    event: text.slice(eventStart, eventEnd),
    body: text.slice(metadataEnd + bodyAt, eventEnd),
  };
}

/** Three sockets of 300 subscriptions for each of ten bots, at some 400 bytes; beyond that the memo starts anew. */
const maxSubscriptions = 10_000;
/** Of the text: the id comes first, and tells nearly all of them apart. */
const keyChars = 48;

interface Known {
  readonly text: string;
  readonly reference: SubscriptionRef;
}

/** What was read of a subscription's text, by the text: the same object each time. */
export class KnownSubscriptions {
  readonly #known = new Map<string, Known>();

  /** Throws what `read` throws, and remembers nothing then. */
  of(text: string, read: (text: string) => SubscriptionRef): SubscriptionRef {
    const known = this.#known.get(text.slice(0, keyChars));
    if (known?.text === text) return known.reference;
    const reference = read(text);
    if (this.#known.size >= maxSubscriptions) this.#known.clear();
    // A copy: a slice would keep the whole frame.
    const copy = Buffer.from(text).toString();
    this.#known.set(copy.slice(0, keyChars), { text: copy, reference });
    return reference;
  }
}
