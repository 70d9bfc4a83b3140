// One event in a few words for a person. It never throws: an event of an unknown shape is only less well described.
import { isGap, isInterestEvent } from '../../src/client/index.ts';
import type { RelayEvent } from '../../src/client/index.ts';

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields =>
  value !== null && typeof value === 'object' ? (value as Fields) : {};
const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '?';

const describe: Readonly<Record<string, (event: Fields) => string>> = {
  'channel.chat.message': (event) =>
    `${text(event['chatter_user_name'])}: ${text(fieldsOf(event['message'])['text'])}`,
  'channel.follow': (event) => `${text(event['user_name'])} follows ${text(event['broadcaster_user_name'])}`,
  'channel.subscribe': (event) =>
    `${text(event['user_name'])} subscribes (tier ${Number(event['tier']) / 1_000})`,
  'channel.cheer': (event) => `${text(event['user_name'])} cheers ${text(event['bits'])} bits`,
  'channel.raid': (event) =>
    `${text(event['from_broadcaster_user_name'])} raids with ${text(event['viewers'])} viewers`,
  'stream.online': (event) => `${text(event['broadcaster_user_name'])} is live`,
  'stream.offline': (event) => `${text(event['broadcaster_user_name'])} is offline`,
  'channel.update': (event) => `"${text(event['title'])}" in ${text(event['category_name'])}`,
  'channel.ban': (event) => `${text(event['user_name'])} is banned: ${text(event['reason'])}`,
};

/** `interestName`: what an interest listens to, if that is known. */
export function summarise(
  event: RelayEvent,
  interestName: (id: string) => string | undefined = () => undefined,
): string {
  if (isGap(event)) {
    const { cause, topic_ids: topics, from, to } = event.event;
    return `events of ${topics.length} topics may be missing: ${clockTime(from)} to ${clockTime(to)} (${cause})`;
  }
  if (isInterestEvent(event)) {
    const { interest_id: id, reason } = event.event;
    const state = event.type.slice('relay.interest.'.length);
    return `${interestName(id) ?? `interest ${id}`} is ${state}${reason === null ? '' : `: ${reason}`}`;
  }
  return oneLine(describe[event.type]?.(fieldsOf(event.event)) ?? '');
}

/** Hours to milliseconds, in local time. */
export function clockTime(at: string | number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Whatever a chatter typed must not move the cursor of a terminal. */
const oneLine = (value: string): string => value.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
