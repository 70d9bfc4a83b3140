// The deduplication identity of interests: what makes two wishes the same thing upstream. Pure.
import { createHash } from 'node:crypto';

/** Condition fields as the platform names them. Values are non-empty. */
export type Condition = Readonly<Record<string, string>>;

export interface TopicSpec {
  readonly provider: string;
  readonly botAccountId: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
}

/**
 * The one spelling of a condition: keys sorted, values as text, empty ones left out, since the platform echoes
 * optional fields that nobody set as "".
 */
export function canonicalCondition(condition: Readonly<Record<string, unknown>>): Condition {
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(condition)) {
    if (typeof value === 'string' && value !== '') entries.push([key, value]);
    else if (typeof value === 'number') entries.push([key, String(value)]);
  }
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries);
}

/** Equal for equal topics, different for different ones, whatever the spelling of the condition. */
export function topicKey(spec: TopicSpec): string {
  const condition = Object.entries(canonicalCondition(spec.condition));
  condition.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([spec.provider, spec.botAccountId, spec.type, spec.version, condition]);
}

/**
 * A UUID (version 8, SHA-256 of the key), so that a notification finds its topic without any table, and a topic that
 * is wished for again after its last interest went keeps the id that its old events carry.
 */
export function topicId(spec: TopicSpec): string {
  const hex = createHash('sha256').update(topicKey(spec)).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
