// How a record leaves the relay: the event's JSON and finished WebSocket frames. Pure and hot: the platform's bytes are
// spliced in as they came, never parsed, and each frame is made at most once per record, on first use.
import { encodeCursor } from '../domain/cursor.ts';
import type { Audience, LogRecord } from '../domain/event.ts';

export type FrameEncoding = 'plain' | 'relay.v1';

/** A committed record with its outgoing forms, shared by all readers. */
export class EncodedRecord implements LogRecord {
  readonly seq: number;
  readonly id: string;
  readonly provider: string;
  readonly type: string;
  readonly version: string;
  readonly eventTimestamp: string;
  readonly receivedAt: number;
  readonly botAccountId: string | null;
  readonly audience: Audience;
  readonly body: string;
  readonly #epoch: string;
  #cursor: string | undefined;
  #plain: Buffer | undefined;
  #relayV1: Buffer | undefined;

  constructor(record: LogRecord, epoch: string) {
    this.seq = record.seq;
    this.id = record.id;
    this.provider = record.provider;
    this.type = record.type;
    this.version = record.version;
    this.eventTimestamp = record.eventTimestamp;
    this.receivedAt = record.receivedAt;
    this.botAccountId = record.botAccountId;
    this.audience = record.audience;
    this.body = record.body;
    this.#epoch = epoch;
  }

  get cursor(): string {
    return (this.#cursor ??= encodeCursor(this.#epoch, this.seq));
  }

  /** The event object of the contract as JSON text. */
  json(): string {
    return eventJson(this, this.cursor);
  }

  /** A finished, unmasked text frame; for relay.v1 the one with `attempt: 1`. Not to be written into. */
  frame(encoding: FrameEncoding): Buffer {
    if (encoding === 'plain') return (this.#plain ??= encodeTextFrame(this.json()));
    return (this.#relayV1 ??= encodeEventFrame(this, 1));
  }

  /** What keeping this record in memory may cost: its text, both frames and the objects. Bytes, rounded up. */
  get weight(): number {
    return 3 * (this.body.length + envelopeBytes);
  }
}

/** Members outside the body: ids, timestamps, names. Measured at about 400; the rest is the objects' own size. */
const envelopeBytes = 600;

/** What the encoders need of a record; anything that reads like an outgoing record fits. */
export interface Encodable {
  readonly cursor: string;
  json(): string;
}

/** The relay.v1 frame of a record that may have been sent before (`attempt` above 1). Made anew by every call. */
export function encodeEventFrame(record: Encodable, attempt: number): Buffer {
  return encodeTextFrame(
    `{"type":"event","cursor":"${record.cursor}","attempt":${attempt},"event":${record.json()}}`,
  );
}

/** The contract's member order. The cursor is base64url and the time ISO, so neither needs escaping. */
function eventJson(record: LogRecord, cursor: string): string {
  const bot = record.botAccountId;
  const topicId = record.audience.kind === 'topic' ? record.audience.topicId : null;
  return (
    `{"id":${JSON.stringify(record.id)},"cursor":"${cursor}"` +
    `,"provider":${JSON.stringify(record.provider)},"type":${JSON.stringify(record.type)}` +
    `,"version":${JSON.stringify(record.version)},"event_timestamp":${JSON.stringify(record.eventTimestamp)}` +
    `,"received_at":"${new Date(record.receivedAt).toISOString()}"` +
    `,"bot_account_id":${bot === null ? 'null' : JSON.stringify(bot)}` +
    `,"topic_id":${topicId === null ? 'null' : JSON.stringify(topicId)},${record.body}}`
  );
}

/** FIN and opcode 1: a text message in one frame. https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
const finalText = 0x81;
/** Lengths from here on are given in two more bytes, from 65536 on in eight. */
const sevenBitLimit = 126;
const sixteenBitLimit = 65_536;

/** A server's (unmasked) WebSocket frame around the text as UTF-8. */
export function encodeTextFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headerLength = length < sevenBitLimit ? 2 : length < sixteenBitLimit ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = finalText;
  if (length < sevenBitLimit) {
    frame[1] = length;
  } else if (length < sixteenBitLimit) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length % 2 ** 32, 6);
  }
  frame.write(text, headerLength);
  return frame;
}
