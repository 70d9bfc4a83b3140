// How a record leaves the relay: the event's JSON and finished WebSocket frames. Pure and hot: the platform's bytes are
// spliced in as they came, never parsed, and each frame is made at most once per record, on first use.
import { encodeCursor } from '../domain/cursor.ts';
import type { FrameEncoding } from '../delivery/port.ts';
import type { Audience, LogRecord } from '../domain/event.ts';
import { eventFrameText } from '../protocol/frames.ts';
import { textFrame } from '../runtime/text-frame.ts';

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
    if (encoding === 'plain') return (this.#plain ??= textFrame(this.json()));
    return (this.#relayV1 ??= textFrame(eventFrameText(this.cursor, 1, this.json())));
  }

  /** What keeping this record in memory may cost: its text, both frames and the objects. Bytes, rounded up. */
  get weight(): number {
    return 3 * (this.body.length + envelopeBytes);
  }
}

/** Members outside the body: ids, timestamps, names. Measured at about 400; the rest is the objects' own size. */
const envelopeBytes = 600;

/** The contract's member order. The cursor is base64url and the time ISO, so neither needs escaping. */
function eventJson(record: LogRecord, cursor: string): string {
  const { front, back } = membersOfTopic(record);
  return (
    `{"id":${quoted(record.id)},"cursor":"${cursor}"${front}${quoted(record.eventTimestamp)}` +
    `,"received_at":"${new Date(record.receivedAt).toISOString()}"${back}${record.body}}`
  );
}

interface TopicMembers extends Pick<LogRecord, 'provider' | 'type' | 'version' | 'botAccountId'> {
  readonly front: string;
  readonly back: string;
}

/** What all events of a topic have in common is made once, and forgotten for all when there are too many. */
const known = new Map<string | null, TopicMembers>();
const maxKnown = 4_096;

function membersOfTopic({ provider, type, version, botAccountId, audience }: LogRecord): TopicMembers {
  const topicId = audience.kind === 'topic' ? audience.topicId : null;
  const last = known.get(topicId);
  const isSame =
    last?.type === type &&
    last.version === version &&
    last.provider === provider &&
    last.botAccountId === botAccountId;
  if (isSame) return last;
  const front = `,"provider":${quoted(provider)},"type":${quoted(type)},"version":${quoted(version)},"event_timestamp":`;
  const back = `,"bot_account_id":${orNull(botAccountId)},"topic_id":${orNull(topicId)},`;
  const made = { provider, type, version, botAccountId, front, back };
  if (known.size >= maxKnown && !last) known.clear();
  known.set(topicId, made);
  return made;
}

/** As in nearly every id, name and timestamp: nothing that JSON would write differently. */
const plain = /^[\w.:+-]*$/;
const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));
const orNull = (text: string | null): string => (text === null ? 'null' : quoted(text));
