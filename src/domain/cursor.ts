// A position in the log as opaque text: base64url(epoch.seq). Pure.

export interface Cursor {
  /** Names the log: a cursor of another log (a restored or recreated database) is told apart by it. */
  readonly epoch: string;
  /** Everything up to and including this sequence number lies behind the cursor. 0 is before the first event. */
  readonly seq: number;
}

/** 49 bytes of plain text at most, as base64url. */
const maxLength = 66;

// Stryker disable next-line Regex: without its anchors it admits what the comparison of spellings then refuses.
const shape = /^([A-Za-z0-9]{1,32})\.(0|[1-9][0-9]{0,15})$/;

export function encodeCursor(epoch: string, seq: number): string {
  return Buffer.from(`${epoch}.${seq}`, 'latin1').toString('base64url');
}

/** The cursor behind the text, or undefined for anything that `encodeCursor` cannot have made. */
export function decodeCursor(text: string): Cursor | undefined {
  if (text.length > maxLength) return undefined;
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const match = shape.exec(plain);
  if (!match?.[1] || !match[2]) return undefined;
  const seq = Number(match[2]);
  if (!Number.isSafeInteger(seq) || encodeCursor(match[1], seq) !== text) return undefined;
  return { epoch: match[1], seq };
}

/** Whether a reader that stands at `cursor` can go on: in this log, not past its end, nothing it needs removed. */
export type CursorStanding = 'ok' | 'expired' | 'foreign' | 'ahead';

export function standing(
  cursor: Cursor,
  log: { epoch: string; floor: number; head: number },
): CursorStanding {
  if (cursor.epoch !== log.epoch) return 'foreign';
  if (cursor.seq > log.head) return 'ahead';
  return cursor.seq < log.floor ? 'expired' : 'ok';
}
