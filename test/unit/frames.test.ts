// Frames as Twitch sends them, and as it should not: each gets a kind, none throws, and what is passed on is what came,
// byte for byte.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFrame } from '../../src/upstream/twitch/frames.ts';

const metadata = (message_type: string) => ({
  message_id: 'm1',
  message_type,
  message_timestamp: '2026-11-21T03:00:00.123456789Z',
});
const frame = (type: string, payload: unknown) => JSON.stringify({ metadata: metadata(type), payload });
const subscription = {
  id: 's1',
  status: 'enabled',
  type: 'channel.follow',
  version: '2',
  cost: 0,
  condition: { broadcaster_user_id: '1', moderator_user_id: '2', reward_id: '' },
  transport: { method: 'websocket', session_id: 'x' },
  created_at: '2026-11-21T03:00:00Z',
};
const reference = {
  id: 's1',
  type: 'channel.follow',
  version: '2',
  status: 'enabled',
  condition: { broadcaster_user_id: '1', moderator_user_id: '2' },
};

describe('the frames of the protocol', () => {
  it.each([
    [10, 10_000],
    [600, 600_000],
    [null, 10_000],
    [undefined, 10_000],
    [0, 10_000],
    ['10', 10_000],
    [3_600, 3_600_000],
    [1e9, 1e12],
  ])('welcome with keepalive %s', (seconds, keepaliveMs) => {
    const session = { id: 'x', status: 'connected', keepalive_timeout_seconds: seconds, reconnect_url: null };
    expect(parseFrame(frame('session_welcome', { session }))).toEqual({
      kind: 'welcome',
      sessionId: 'x',
      keepaliveMs,
    });
  });

  it('keepalive and reconnect', () => {
    expect(parseFrame(frame('session_keepalive', {}))).toEqual({ kind: 'keepalive' });
    const url = 'wss://eventsub.wss.twitch.tv/ws?id=1&challenge=a%20b';
    const session = { id: 'x', status: 'reconnecting', keepalive_timeout_seconds: null, reconnect_url: url };
    expect(parseFrame(frame('session_reconnect', { session }))).toEqual({ kind: 'reconnect', url });
  });

  it('notification and revocation', () => {
    const event = { user_name: 'Fan' };
    expect(parseFrame(frame('notification', { subscription, event }))).toEqual({
      kind: 'notification',
      messageId: 'm1',
      timestamp: '2026-11-21T03:00:00.123456789Z',
      subscription: reference,
      body: `"subscription":${JSON.stringify(subscription)},"event":{"user_name":"Fan"}`,
    });
    const revoked = { ...subscription, status: 'a_status_of_tomorrow' };
    expect(parseFrame(frame('revocation', { subscription: revoked }))).toEqual({
      kind: 'revocation',
      messageId: 'm1',
      timestamp: '2026-11-21T03:00:00.123456789Z',
      subscription: { ...reference, status: 'a_status_of_tomorrow' },
    });
  });

  it.each(['session_weather_report', 'constructor', 'toString', '__proto__', 'hasOwnProperty', ''])(
    'the type %j is unknown',
    (messageType) => {
      expect(parseFrame(frame(messageType, {}))).toEqual({ kind: 'unknown', messageType });
    },
  );

  it('keeps only the beginning of an unknown type', () => {
    expect(parseFrame(frame('x'.repeat(1_000), {}))).toEqual({
      kind: 'unknown',
      messageType: 'x'.repeat(64),
    });
  });
});

describe('malformed frames', () => {
  it.each([
    ['nothing', ''],
    ['no JSON', '{"metadata":{"message_id":"m'],
    ['no object', '[]'],
    ['null', 'null'],
    ['no metadata', '{"payload":{}}'],
    ['no payload', `{"metadata":${JSON.stringify(metadata('session_keepalive'))}}`],
    ['an empty message id', frame('notification', {}).replace('"m1"', '""')],
    ['a welcome without a session', frame('session_welcome', {})],
    ['a welcome without an id', frame('session_welcome', { session: { id: '' } })],
    ['a reconnect without a URL', frame('session_reconnect', { session: { reconnect_url: null } })],
    ['a reconnect to a web page', frame('session_reconnect', { session: { reconnect_url: 'https://x.tv' } })],
    ['a reconnect to nowhere', frame('session_reconnect', { session: { reconnect_url: 'wss://' } })],
    ['a notification without a subscription', frame('notification', { event: {} })],
    ['a subscription without an id', frame('notification', { subscription: { ...subscription, id: 1 } })],
    ['a condition that is a list', frame('revocation', { subscription: { ...subscription, condition: [] } })],
  ])('%s', (_, text) => {
    expect(parseFrame(text).kind).toBe('malformed');
  });

  it('does not quote the frame in the problem', () => {
    for (const text of [
      '{"secret-of-somebody',
      frame('notification', { subscription: 'secret-of-somebody' }),
    ])
      expect(JSON.stringify(parseFrame(text))).not.toContain('secret-of-somebody');
  });

  it('answers any text and any JSON with a kind', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(['malformed', 'unknown']).toContain(parseFrame(text).kind);
      }),
    );
    const types = fc.constantFrom('session_welcome', 'session_reconnect', 'notification', 'revocation');
    fc.assert(
      fc.property(types, fc.jsonValue(), (type, payload) => {
        expect(typeof parseFrame(frame(type, payload)).kind).toBe('string');
      }),
    );
  });
});

describe('the spliced body', () => {
  const sub = `{ "id":"s1","status":"enabled","type":"channel.chat.message","version":"1","condition":{} }`;
  const body = (text: string) => {
    const parsed = parseFrame(text);
    return parsed.kind === 'notification' ? parsed.body : parsed.kind;
  };
  const meta = JSON.stringify(metadata('notification'));

  it.each([
    ['escapes', String.raw`{"a":"\u003cb\u003e \"quoted\\\" \/ \ud83d\ude00"}`],
    ['braces and commas in strings', String.raw`{"text":"}],{\"event\":{","n":[{"x":"]"},"}"]}`],
    ['unicode', '{"text":"тест 😀 \u2028"}'],
    ['numbers as written', '{"n":1.0e+2,"big":12345678901234567890,"neg":-0}'],
    ['whitespace', '{ \n\t"a" : [ 1 , 2 ] \r\n}'],
    ['a string', '"event"'],
    ['null', 'null'],
    ['members that look like the envelope', '{"payload":{"event":1},"subscription":2,"event":3}'],
  ])('keeps %s', (_, event) => {
    const expected = `"subscription":${sub},"event":${event}`;
    expect(body(`{"metadata":${meta},"payload":{"subscription":${sub},"event":${event}}}`)).toBe(expected);
    // Reordered and spaced out.
    expect(
      body(` { "payload" : { "event" : ${event} , "subscription":${sub} } , "metadata" : ${meta} } `),
    ).toBe(expected);
    // An escaped member name is the same name.
    expect(body(`{"metadata":${meta},"p\\u0061yload":{"subscription":${sub},"\\u0065vent":${event}}}`)).toBe(
      expected,
    );
  });

  it('takes the last of repeated members, as JSON.parse does', () => {
    const text = `{"payload":{"event":0},"metadata":${meta},"payload":{"event":1,"subscription":{},"subscription":${sub},"event":2}}`;
    expect(body(text)).toBe(`"subscription":${sub},"event":2`);
  });

  it('is the value that JSON.parse finds, for any event', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(2), (event, indent) => {
        const text = JSON.stringify(
          { metadata: metadata('notification'), payload: { event, subscription } },
          null,
          indent,
        );
        const got = body(text);
        expect(JSON.parse(`{${got}}`)).toEqual({
          subscription,
          event: JSON.parse(JSON.stringify(event)) as unknown,
        });
      }),
    );
  });
});

describe('a notification as Twitch writes it', () => {
  const written = (members: string) => `{"metadata":${JSON.stringify(metadata('notification'))},${members}}`;
  const sub = JSON.stringify(subscription);
  /** The same frame in a shape that Twitch does not write. */
  const spaced = (text: string) => ` ${text}`;

  it.each([
    ['both members', `"payload":{"subscription":${sub},"event":{"a":"}}"}}`],
    ['an event that is no object', `"payload":{"subscription":${sub},"event":null}`],
    ['no event', `"payload":{"subscription":${sub}}`],
    ['a member more', `"payload":{"subscription":${sub},"event":{},"more":{}}`],
    ['the event twice', `"payload":{"subscription":${sub},"event":1,"event":{"b":2}}`],
    ['the subscription twice', `"payload":{"subscription":{},"event":1,"subscription":${sub}}`],
    [
      'the payload twice',
      `"payload":{"subscription":{"id":"x"},"event":1},"payload":{"subscription":${sub}}`,
    ],
    ['a member behind the payload', `"payload":{"subscription":${sub},"event":{}},"more":{}`],
    ['metadata of a second kind', `"payload":{"subscription":${sub},"event":{}},"metadata":{}`],
    ['a subscription without an id', `"payload":{"subscription":{"type":"t"},"event":{}}`],
    ['a subscription without anything', `"payload":{"subscription":{},"event":{}}`],
    ['a subscription that is a text', `"payload":{"subscription":"{","event":{}}`],
    ['a list of events', `"payload":{"subscription":${sub},"events":[{}]}`],
  ])('is read as any other, with %s', (_, members) => {
    const text = written(members);
    expect(parseFrame(text)).toEqual(parseFrame(spaced(text)));
    // Whatever was remembered of it.
    expect(parseFrame(text)).toEqual(parseFrame(spaced(text)));
  });

  it('is read as any other, whatever its members are', () => {
    const value = fc.oneof(fc.jsonValue(), fc.constant(subscription));
    fc.assert(
      fc.property(value, value, fc.json(), (one, two, raw) => {
        const text = written(
          `"payload":{"subscription":${JSON.stringify(one)},"event":${JSON.stringify(two)}}`,
        );
        expect(parseFrame(text)).toEqual(parseFrame(spaced(text)));
        const cut = written(`"payload":{"subscription":${sub},"event":${raw}}`);
        expect(parseFrame(cut)).toEqual(parseFrame(spaced(cut)));
      }),
    );
  });

  it('is malformed as any other when one character of it is lost or another one', () => {
    const text = written(`"payload":{"subscription":${sub},"event":{"a":[1,"x\\\\"],"b":null}}}`).slice(
      0,
      -1,
    );
    expect(parseFrame(text).kind).toBe('notification');
    const change = fc.record({
      at: fc.nat(text.length - 1),
      to: fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', ' ', '1', 'x'),
    });
    fc.assert(
      fc.property(change, ({ at, to }) => {
        const broken = text.slice(0, at) + to + text.slice(at + 1);
        expect(parseFrame(broken)).toEqual(parseFrame(spaced(broken)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('has the same reference each time, and another one when anything of the subscription is another', () => {
    const read = (over: object) => {
      const changed = JSON.stringify({ ...subscription, ...over });
      const parsed = parseFrame(written(`"payload":{"subscription":${changed},"event":{}}`));
      return parsed.kind === 'notification' ? parsed.subscription : undefined;
    };
    expect(read({})).toBe(read({}));
    expect(read({ version: '3' })).toEqual({ ...reference, version: '3' });
    expect(read({})).toEqual(reference);
  });
});
