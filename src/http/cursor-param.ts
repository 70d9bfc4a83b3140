// A cursor that a caller handed in, judged against the log. Never clamps: a position that cannot be honoured is refused
// with the oldest one that can.
import type { EventFeed } from '../delivery/port.ts';
import { decodeCursor, encodeCursor, standing, type CursorStanding } from '../domain/cursor.ts';
import { RelayError } from '../domain/errors.ts';
import { fieldRefusal } from './parse.ts';

const said: Readonly<Record<Exclude<CursorStanding, 'ok'>, string>> = {
  expired: 'events behind this cursor have been removed by retention',
  foreign: 'this cursor belongs to another log',
  ahead: 'this cursor lies beyond the end of the log',
};

/** The seq behind the text. Throws 422 for what is no cursor, 410 `cursor_expired` with `floor` and `head` otherwise. */
export function readCursor(path: string, text: string, feed: EventFeed, floor: number): number {
  const cursor = decodeCursor(text);
  if (!cursor) throw fieldRefusal(path, `${path}: expected a cursor as the relay gave it`);
  const verdict = standing(cursor, { epoch: feed.epoch, head: feed.head(), floor });
  if (verdict === 'ok') return cursor.seq;
  throw expired(said[verdict], feed, floor);
}

export function expired(message: string, feed: EventFeed, floor: number): RelayError {
  const extra = { floor: encodeCursor(feed.epoch, floor), head: encodeCursor(feed.epoch, feed.head()) };
  return new RelayError('cursor_expired', 410, `${message}; the oldest usable one is in "floor"`, { extra });
}
