// How a record leaves the relay: the event's JSON and finished WebSocket frames. Pure and hot: the platform's bytes are
// spliced in as they came, never parsed, and each frame is made at most once per record, on first use, and once more after
// the record was put away.
import { encodeCursor } from '../domain/cursor.ts';
import type { FrameEncoding } from '../delivery/port.ts';
import type { Audience, LogRecord } from '../domain/event.ts';
import { eventFrameText } from '../protocol/frames.ts';
import { textFrame } from '../runtime/text-frame.ts';
import type { StoredText, TextSlab } from '../runtime/text-slab.ts';
import { storedText } from '../runtime/text-slab.ts';

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
  /** What keeping this record in memory may cost: its text, both frames and the objects. Bytes, rounded up. */
  readonly weight: number;
  readonly #epoch: string;
  #body: string | StoredText;
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
    this.weight = 3 * (record.body.length + envelopeBytes);
    this.#epoch = epoch;
    this.#body = record.body;
  }

  get body(): string {
    return typeof this.#body === 'string' ? this.#body : storedText(this.#body);
  }

  get cursor(): string {
    return (this.#cursor ??= encodeCursor(this.#epoch, this.seq));
  }

  /**
   * Few will ask for it any more: the text goes to the slab, and what was made of it is let go. Whatever anybody is given stays
   * the same.
   */
  putAway(slab: TextSlab): void {
    if (typeof this.#body === 'string') this.#body = slab.add(this.#body);
    this.#cursor = undefined;
    this.#plain = undefined;
    this.#relayV1 = undefined;
  }

  /** The event object of the contract as JSON text. */
  json(): string {
    return eventJson(this, this.cursor);
  }

  /** A finished, unmasked text frame; for relay.v1 the one with `attempt: 1`. Not to be written into. */
  frame(encoding: FrameEncoding): Buffer {
    if (encoding === 'plain') return (this.#plain ??= this.#makeFrame(encoding));
    return (this.#relayV1 ??= this.#makeFrame(encoding));
  }

  #makeFrame(encoding: FrameEncoding): Buffer {
    const json = this.json();
    return textFrame(encoding === 'plain' ? json : eventFrameText(this.cursor, 1, json));
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
