// What a relay.v1 client may say, parsed at the edge. Pure; a message that is none comes back with what was wrong.
import { decodeCursor } from '../../domain/cursor.ts';
import { ackFrame, clientFrame } from '../../protocol/frames.ts';

/** The one frame that a client has reason to send is an ack of some hundred bytes. */
export const maxMessageBytes = 64 * 1024;

export type ClientMessage =
  | { readonly kind: 'ack'; readonly seq: number }
  /** A type of a later protocol: to be ignored. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'malformed'; readonly message: string };

const malformed = (message: string): ClientMessage => ({ kind: 'malformed', message });

export function parseClientMessage(data: Buffer, isBinary: boolean, epoch: string): ClientMessage {
  if (isBinary) return malformed('binary frame: expected one JSON object per text frame');
  const frame = clientFrame.safeParse(parseJson(data.toString('utf8')));
  if (!frame.success) return malformed('expected a JSON object with a string member "type"');
  if (frame.data.type !== 'ack') return { kind: 'unknown' };
  const ack = ackFrame.safeParse(frame.data);
  if (!ack.success) return malformed('ack: expected a string member "cursor"');
  const cursor = decodeCursor(ack.data.cursor);
  if (!cursor) return malformed('ack: "cursor" is not a cursor of this relay');
  if (cursor.epoch !== epoch) return malformed('ack: "cursor" is of another log');
  return { kind: 'ack', seq: cursor.seq };
}

/** All consumers of a topic acknowledge an event at the same moment and in the same words: what was read last is remembered. */
export class ClientMessages {
  #last: { readonly data: Buffer; readonly epoch: string; readonly message: ClientMessage } | undefined;

  /** As `parseClientMessage`. */
  read(data: Buffer, isBinary: boolean, epoch: string): ClientMessage {
    const last = this.#last;
    if (!isBinary && last && last.epoch === epoch && last.data.equals(data)) return last.message;
    const message = parseClientMessage(data, isBinary, epoch);
    // A copy: the message is a piece of a larger buffer of the socket's.
    if (message.kind === 'ack') this.#last = { data: Buffer.from(data), epoch, message };
    return message;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
