// A consumer's socket as a test sees it: every frame kept, acks by hand, the close code as a promise.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { EventFrame, HelloFrame } from '../../src/protocol/frames.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { until } from './until.ts';

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface ConsumerOptions {
  readonly query?: Readonly<Record<string, string>>;
  /** Acknowledge each event as it comes. */
  readonly ack?: boolean;
}

export class TestConsumer implements AsyncDisposable {
  readonly ws: WebSocket;
  readonly frames: { type: string; [member: string]: unknown }[] = [];
  /** Text of every frame, as it came. */
  readonly texts: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #plain: boolean;

  constructor(ws: WebSocket, plain: boolean, ack: boolean) {
    this.ws = ws;
    this.#plain = plain;
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    ws.on('error', () => undefined);
    ws.on('message', (data) => {
      const text = (data as Buffer).toString('utf8');
      this.texts.push(text);
      const frame = JSON.parse(text) as { type: string; cursor?: string };
      this.frames.push(frame);
      if (ack && !plain && frame.type === 'event' && frame.cursor) this.ack(frame.cursor);
    });
  }

  get hello(): HelloFrame | undefined {
    return this.#plain ? undefined : (this.frames[0] as HelloFrame | undefined);
  }

  /** Event frames of a relay.v1 consumer. */
  get eventFrames(): EventFrame[] {
    return this.frames.filter((frame) => frame.type === 'event') as unknown as EventFrame[];
  }

  /** Everything delivered, whichever protocol. */
  get events(): RelayEvent[] {
    return this.#plain
      ? (this.frames as unknown as RelayEvent[])
      : this.eventFrames.map((frame) => frame.event);
  }

  ids(type?: string): string[] {
    return this.events
      .filter((event) => (type ? event.type === type : event.provider !== 'relay'))
      .map((event) => event.id);
  }

  ack(cursor: string): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify({ type: 'ack', cursor }));
  }

  /** Waits until that many platform events have come. */
  async got(count: number, what = `${count} events`): Promise<string[]> {
    return until(() => (this.ids().length >= count ? this.ids() : undefined), {
      what: `${what}, have ${this.ids().length}`,
    });
  }

  /** Waits for an event of that type, with these members in its `event`. */
  gotType(type: string, members: Readonly<Record<string, unknown>> = {}): Promise<RelayEvent> {
    const fits = ({ event }: RelayEvent) =>
      Object.entries(members).every(([name, value]) => (event as Record<string, unknown>)[name] === value);
    return until(() => this.events.find((event) => event.type === type && fits(event)), {
      what: `an event of type ${type}`,
    });
  }

  /** Closes in good order. */
  async closeNow(): Promise<void> {
    this.ws.close(1000);
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ws.terminate();
    await this.closed;
  }
}

export async function connectConsumer(
  url: string,
  credentials: Credentials,
  protocol: 'plain' | 'relay.v1',
  options: ConsumerOptions = {},
): Promise<TestConsumer> {
  const target = new URL('/ws/events', url.replace(/^http/, 'ws'));
  for (const [name, value] of Object.entries(options.query ?? {})) target.searchParams.set(name, value);
  const ws = new WebSocket(target, protocol === 'plain' ? [] : ['relay.v1'], {
    headers: { 'X-Client-Id': credentials.clientId, 'X-Client-Secret': credentials.clientSecret },
  });
  const consumer = new TestConsumer(ws, protocol === 'plain', options.ack ?? true);
  await once(ws, 'open');
  if (protocol === 'relay.v1') await until(() => consumer.frames.length > 0, { what: 'the first frame' });
  return consumer;
}
