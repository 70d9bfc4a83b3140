// Which lane a record belongs to: its broadcaster's. Pure but for the memo; a record's body is parsed once per topic.
import { z } from 'zod';
import type { LogRecord } from '../../domain/event.ts';
import { memberSlice } from '../../domain/json-slice.ts';
import { canonicalCondition } from '../../domain/topic.ts';
import { broadcasterOf } from '../../domain/wish.ts';

/** The relay's own events keep their order among themselves. */
export const relayLane = 'relay';

/** Names of some hundred bytes each: about a megabyte. More topics than any set of bots can have at once. */
const maxNames = 10_000;

const conditionSchema = z.record(z.string(), z.unknown());

/** The lane of each topic seen; a topic's condition never changes. */
export class LaneNames {
  readonly #names = new Map<string, string>();

  get size(): number {
    return this.#names.size;
  }

  nameOf(topicId: string, parse: () => string): string {
    const known = this.#names.get(topicId);
    if (known !== undefined) return known;
    if (this.#names.size >= maxNames) this.#names.clear();
    const name = parse();
    this.#names.set(topicId, name);
    return name;
  }
}

/** The id of the broadcaster that the record's topic is about, or `topic:<id>` if it is about none, or `relay`. */
export function laneOf(record: Pick<LogRecord, 'type' | 'audience' | 'body'>, memo: LaneNames): string {
  const { audience, type, body } = record;
  if (audience.kind !== 'topic' || type.startsWith('relay.')) return relayLane;
  const { topicId } = audience;
  return memo.nameOf(topicId, () => broadcasterIn(body) ?? `topic:${topicId}`);
}

/** The platform echoes optional fields that nobody set as "": they name nobody. */
function broadcasterIn(body: string): string | null {
  const subscription = memberSlice(`{${body}}`, 'subscription');
  const text = subscription === undefined ? undefined : memberSlice(subscription, 'condition');
  if (text === undefined) return null;
  const condition = conditionSchema.safeParse(parseJson(text));
  return condition.success ? broadcasterOf(canonicalCondition(condition.data)) : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
