// EventSub frames as the parser reads them: whatever Twitch sends gets a kind, and what is passed on is what came.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { readFrame } from '../../src/upstream/twitch/frames.ts';
import { bytesAround, jsonAround, oddText, type Json } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

/** What makes a frame of somebody's session. */
export interface FrameGround {
  readonly subscription: Json;
  /** What a revocation is about; a real one is obeyed. */
  readonly revoked: Json;
  /** For session_reconnect. */
  readonly urls: readonly string[];
  readonly messageIds: fc.Arbitrary<string>;
}

/** Frames as Twitch documents them. */
export function eventSubFrames({ subscription, revoked, urls, messageIds }: FrameGround): fc.Arbitrary<Json> {
  const event: fc.Arbitrary<Json> = fc.record({
    user_id: fc.constantFrom('1', '2'),
    user_name: fc.string({ unit: 'grapheme', maxLength: 20 }),
    followed_at: fc.constant('2026-11-21T00:00:00.123456789Z'),
    // Braces, quotes and escapes inside of text are what a search for the end of a value trips over.
    message: fc.oneof(oddText, fc.constantFrom('"}],', '{"a":"\\"}', '\\\\"', '}\u2028{')),
    nested: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  });
  const payloads: Readonly<Record<string, fc.Arbitrary<Json>>> = {
    notification: event.map((of) => ({ subscription, event: of })),
    session_keepalive: fc.constant({}),
    session_welcome: fc.constantFrom<Json[]>(
      ...[10, 600, null].map((seconds) => ({
        session: { id: 'AQoQexample', status: 'connected', keepalive_timeout_seconds: seconds },
      })),
    ),
    session_reconnect: fc.constantFrom(...urls).map((url) => ({
      session: { id: 'AQoQexample', status: 'reconnecting', reconnect_url: url },
    })),
    revocation: fc.constantFrom('authorization_revoked', 'user_removed', 'version_removed').map((status) => ({
      subscription: { ...(revoked as object), status },
    })),
    a_type_to_come: fc.constant({ note: 'nobody knows it yet' }),
  };
  const kinds = fc.oneof(
    { weight: 6, arbitrary: fc.constant('notification') },
    { weight: 6, arbitrary: fc.constantFrom(...Object.keys(payloads)) },
  );
  return kinds.chain((kind) =>
    fc.record({
      metadata: fc.record({
        message_id: messageIds,
        message_type: fc.constant(kind),
        message_timestamp: fc.constant('2026-11-21T15:00:00.123456789Z'),
        subscription_type: fc.constant('channel.follow'),
        subscription_version: fc.constant('2'),
      }),
      payload: payloads[kind] ?? fc.constant({}),
    }),
  );
}

export const frameText = (valid: fc.Arbitrary<Json>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: jsonAround(valid) },
    {
      weight: 1,
      arbitrary: bytesAround(valid.map((value) => JSON.stringify(value))).map((bytes) =>
        bytes.toString('utf8'),
      ),
    },
  );

/** Longer than any keepalive that Twitch can be asked for, and well inside of what a timer can hold. */
const longestKeepaliveMs = 3_600_000;

/** What lies too deep for the comparison counts as equal: the relay itself compares nothing. */
function isEqual(one: unknown, other: unknown): boolean {
  try {
    return isDeepStrictEqual(one, other);
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

function judge(text: string): 'read' | 'unread' {
  const { frame, sentAt } = readFrame(text);
  if (sentAt !== null && !Number.isFinite(sentAt)) throw new Error(`sent at ${sentAt}`);
  if (frame.kind === 'malformed') return 'unread';
  const raw = JSON.parse(text) as { metadata: { message_id: unknown }; payload: Record<string, unknown> };
  if (frame.kind === 'welcome' && !(frame.keepaliveMs > 0 && frame.keepaliveMs <= longestKeepaliveMs))
    throw new Error(`silence would be noticed after ${frame.keepaliveMs} ms`);
  if (frame.kind === 'unknown' && frame.messageType.length > 64) throw new Error('a long name is kept');
  if (frame.kind !== 'notification') return 'read';
  if (frame.messageId !== raw.metadata.message_id) throw new Error('another message id');
  const body: unknown = JSON.parse(`{${frame.body}}`);
  const { subscription, event = null } = raw.payload;
  if (!isEqual(body, { subscription, event })) throw new Error(`passed on as ${frame.body}`);
  return 'read';
}

export const eventsubFrames = defineTarget({
  name: 'eventsub-frames',
  what: 'the parser of what Twitch sends',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    const subscription = {
      id: 'f1c2a387-161a-49f9-a165-0f21d7a4e1c4',
      status: 'enabled',
      type: 'channel.follow',
      version: '2',
      cost: 1,
      condition: { broadcaster_user_id: '12826', moderator_user_id: '12826' },
      transport: { method: 'websocket', session_id: 'AQoQexample' },
      created_at: '2026-11-21T15:00:00.123456789Z',
    };
    const urls = ['wss://eventsub.wss.twitch.tv?challenge=1', 'ws://127.0.0.1:9/x', 'http://127.0.0.1/'];
    return {
      input: frameText(eventSubFrames({ subscription, revoked: subscription, urls, messageIds: fc.uuid() })),
      run: (text) => takenIf(judge(text) === 'read'),
    };
  },
});
