// An event as one line for people: when, what, of whom, and what it says. Pure; it reads what it knows and guesses no more.
import type { RelayEvent } from '../client/index.ts';
import { timeOfDay } from './format.ts';
import { fit, printable, widthOf, type Style } from './style.ts';

/** Members of an event that say of whom or what it is, the most telling first. */
const telling = [
  'chatter_user_login',
  'user_login',
  'from_broadcaster_user_login',
  'to_broadcaster_user_login',
  'broadcaster_user_login',
] as const;
const saying = ['text', 'title', 'system_message', 'reason', 'cause', 'tier', 'bits', 'viewers'] as const;
/** Type names are up to about 50 long; most are shorter than this. */
const typeCells = 24;

/** `columns`: cells of a line; undefined when it may be of any length. */
export function eventLine(
  record: RelayEvent,
  { style, columns }: { readonly style: Style; readonly columns: number | undefined },
): string {
  const time = printable(timeOfDay(record.received_at));
  const type = printable(record.type).padEnd(typeCells);
  const room = columns === undefined ? undefined : Math.max(0, columns - widthOf(`${time}  ${type}  `) - 1);
  const text = printable(summary(record));
  const paint = record.provider === 'relay' ? style.yellow : style.cyan;
  return `${style.dim(time)}  ${paint(type)}  ${room === undefined ? text : fit(text, room)}`.trimEnd();
}

function summary(record: RelayEvent): string {
  const event = membersOf(record.event);
  const channel = textOf(event['broadcaster_user_login']);
  const [who = ''] = telling.flatMap((name) => textOf(event[name]) ?? []);
  const words = [...saying.flatMap((name) => textOf(event[name]) ?? []), ...messageOf(event['message'])];
  const where = channel === undefined || channel === who ? '' : `#${channel} `;
  const said = words.length === 0 ? '' : `${who === '' ? '' : ': '}${words.join(', ')}`;
  return `${where}${who}${said}`;
}

const messageOf = (message: unknown): string[] => {
  const text = textOf(message) ?? textOf(membersOf(message)['text']);
  return text === undefined ? [] : [text];
};

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;

const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
