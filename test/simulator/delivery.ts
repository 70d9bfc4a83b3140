// Owns every notification and revocation that leaves, and the record of what left. It must never decide that a
// subscription exists.
import type { Core } from './core.ts';
import { frameTemplate, notificationFrame, revocationFrame, unknownFrame } from './frames.ts';
import { findEntry } from './catalog.ts';
import { buildEvent } from './payloads.ts';
import type { EventFields } from './payloads.ts';
import type { Session } from './session.ts';
import type { SessionHub } from './session-hub.ts';
import type { Condition, SentNotification, Subscription } from './types.ts';

export interface SendOptions {
  version?: string;
  messageId?: string;
  /** As Twitch would stamp it: RFC 3339 with nanoseconds. */
  timestamp?: string;
  /** How many times the same frame is written again. */
  duplicate?: number;
}

export interface BurstOptions {
  event?: EventFields;
  /** Whether `text` is kept in the record (default: up to 1,000 frames). */
  keepText?: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const REORDER_RELEASE_MS = 250;
const BURST_CHUNK = 256;
const BURST_TEXT_LIMIT = 1_000;

export class Delivery {
  readonly sent: SentNotification[] = [];
  readonly #core: Core;
  readonly #hub: SessionHub;

  constructor(core: Core, hub: SessionHub) {
    this.#core = core;
    this.#hub = hub;
  }

  /** One notification to each enabled subscription of this type whose condition has all of `fields`. */
  send(
    type: string,
    fields: Condition = {},
    overrides: EventFields = {},
    options: SendOptions = {},
  ): SentNotification[] {
    // One happening is the same event on every subscription that is about it.
    const events = new Map<string, EventFields>();
    const eventOf = (item: Subscription) => {
      const key = JSON.stringify([item.version, item.condition]);
      const event = events.get(key) ?? this.#event(item, overrides);
      events.set(key, event);
      return event;
    };
    return this.#core.store
      .all()
      .filter(
        (item) =>
          item.status === 'enabled' &&
          item.type === type &&
          (options.version === undefined || item.version === options.version) &&
          Object.entries(fields).every(([key, value]) => item.condition[key] === value),
      )
      .flatMap((item) => this.#notify(item, eventOf(item), options));
  }

  notify(
    subscription: Subscription,
    overrides: EventFields = {},
    options: SendOptions = {},
  ): SentNotification[] {
    return this.#notify(subscription, this.#event(subscription, overrides), options);
  }

  #notify(subscription: Subscription, event: EventFields, options: SendOptions): SentNotification[] {
    const messageId = options.messageId ?? this.#core.ids.uuid();
    const batched = findEntry(subscription.type, subscription.version)?.batched ?? false;
    const text = notificationFrame(
      subscription,
      batched ? { events: [{ id: this.#core.ids.uuid(), data: event }] } : { event },
      messageId,
      options.timestamp ?? this.#core.ids.timestamp(Date.now()),
    );
    const session = this.#hub.sessions.get(subscription.sessionId);
    const copies = 1 + (options.duplicate ?? 0) + this.#duplicates(session);
    const records = Array.from({ length: copies }, (_, copy) => blank(subscription, messageId, text, copy));
    this.#dispatch(session, records);
    return records;
  }

  /** Many notifications of one event, each with its own message id, written in few large writes. */
  burst(subscription: Subscription, count: number, options: BurstOptions = {}): SentNotification[] {
    const session = this.#hub.sessions.get(subscription.sessionId);
    const render = frameTemplate(subscription, this.#event(subscription, options.event ?? {}));
    const keepText = options.keepText ?? count <= BURST_TEXT_LIMIT;
    const records: SentNotification[] = [];
    const writeChunk = (size: number): void => {
      for (let i = 0; i < size; i++) {
        const messageId = this.#core.ids.uuid();
        const text = render(messageId, this.#core.ids.timestamp(Date.now()));
        const record = blank(subscription, messageId, text, 0);
        this.#write(session, record);
        records.push(keepText ? record : Object.assign(record, { text: '' }));
      }
    };
    for (let left = count; left > 0; left -= BURST_CHUNK) {
      const size = Math.min(left, BURST_CHUNK);
      if (session) session.connection.corked(() => writeChunk(size));
      else writeChunk(size);
    }
    this.#core.activity.touch();
    return records;
  }

  /** Ends the subscription with this status and tells its session, if that can still be reached. */
  revoke(subscription: Subscription, status: string): void {
    const session = this.#hub.sessions.get(subscription.sessionId);
    subscription.status = status;
    if (session?.live === true) session.send(revocationFrame(this.#core.ids, subscription));
    this.#core.activity.touch();
  }

  #event(subscription: Subscription, overrides: EventFields): EventFields {
    const { ids, accounts } = this.#core;
    const context = {
      ids,
      condition: subscription.condition,
      nowMs: Date.now(),
      user: (id: string) => accounts.userOrStranger(id),
      viewer: accounts.userOrStranger(String(50_000_000 + Math.floor(ids.random() * 1_000))),
    };
    return buildEvent(subscription.type, context, overrides);
  }

  #duplicates(session: Session | undefined): number {
    if (session?.live !== true) return 0;
    const fault = this.#core.faults.take('duplicate_notifications');
    return fault ? (fault.copies ?? 1) : 0;
  }

  #dispatch(session: Session | undefined, records: readonly Mutable<SentNotification>[]): void {
    const write = (): void => {
      for (const record of records) this.#write(session, record);
      this.#writeToOldSocket(session, records[0]);
      this.#core.activity.touch();
    };
    if (session?.live !== true) {
      write();
      return;
    }
    this.#putBadFrameFirst(session, records[0]?.text ?? '');
    const reorder = session.heldBack ? undefined : this.#core.faults.take('reorder_notifications');
    if (reorder) {
      const release = (): void => {
        if (session.heldBack !== release) return;
        session.heldBack = null;
        write();
      };
      session.heldBack = release;
      this.#hub.later(reorder.delayMs ?? REORDER_RELEASE_MS, release);
      return;
    }
    write();
    session.heldBack?.();
  }

  #write(session: Session | undefined, record: Mutable<SentNotification>): void {
    record.sentAt = Date.now();
    record.delivered = session?.state === 'open' && session.send(record.text);
    record.connectionId = record.delivered ? (session?.connection.record.id ?? null) : null;
    this.sent.push(record);
  }

  #writeToOldSocket(session: Session | undefined, first: SentNotification | undefined): void {
    const old = session?.previous;
    if (!first || old?.open !== true || !this.#core.faults.take('handover_double_delivery')) return;
    const delivered = old.send(first.text);
    this.sent.push({ ...first, copy: first.copy + 1, connectionId: old.record.id, delivered });
  }

  #putBadFrameFirst(session: Session, text: string): void {
    const { faults, ids } = this.#core;
    const malformed = faults.take('malformed_frame');
    if (malformed) session.send(malformed.text ?? '{"metadata":{"message_id":"not json at all');
    if (faults.take('truncated_frame')) session.send(text.slice(0, Math.floor(text.length / 2)));
    const unknown = faults.take('unknown_message_type');
    if (unknown) session.send(unknownFrame(ids, unknown.type ?? 'session_weather_report'));
  }
}

function blank(
  subscription: Subscription,
  messageId: string,
  text: string,
  copy: number,
): Mutable<SentNotification> {
  return {
    messageId,
    type: subscription.type,
    version: subscription.version,
    subscriptionId: subscription.id,
    condition: subscription.condition,
    sessionId: subscription.sessionId,
    connectionId: null,
    sentAt: 0,
    text,
    copy,
    delivered: false,
  };
}
