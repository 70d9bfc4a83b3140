// What goes over the wire: the contract's event, byte for byte the platform's members, in frames that a WebSocket
// implementation of others can read.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/domain/event.ts';
import { EncodedRecord } from '../../src/log/record-encode.ts';
import { relayEvent } from '../../src/protocol/event.ts';
import { eventFrame } from '../../src/protocol/frames.ts';
import { bot, draft, uuid } from '../contract/log-fixtures.ts';

const record = (options: Parameters<typeof draft>[1] = {}) =>
  new EncodedRecord({ ...draft('id-1', options), seq: 7 } satisfies LogRecord, 'epoch');

/** The messages that an independent client reads from these bytes, written to it as they are. */
async function receive(bytes: Buffer): Promise<string[]> {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.resume();
    // An empty close frame behind them.
    socket.end(Buffer.concat([bytes, Buffer.from([0x88, 0])]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const messages: string[] = [];
  client.on('message', (data: Buffer, isBinary: boolean) =>
    messages.push(isBinary ? 'binary' : data.toString()),
  );
  await new Promise((resolve, reject) => {
    client.on('close', resolve);
    client.on('error', reject);
  });
  await new Promise((resolve) => server.close(resolve));
  return messages;
}

describe('the event', () => {
  it('has the members of the contract in its order, the platform bytes untouched', () => {
    const body = '"subscription": {"b":1.0,"a":"\\u00e4"} ,"event":{"x":1e2}';
    expect(record({ body }).json()).toBe(
      `{"id":"id-1","cursor":"${Buffer.from('epoch.7').toString('base64url')}","provider":"twitch",` +
        `"type":"channel.follow","version":"2","event_timestamp":"2026-11-21T03:00:00.123456789Z",` +
        `"received_at":"${new Date(1_795_230_000_123).toISOString()}",` +
        `"bot_account_id":"${bot}","topic_id":"${uuid(1)}",${body}}`,
    );
  });

  it('has its own members whatever an earlier event of its topic had, and whatever characters are in them', () => {
    const word = fc.oneof(fc.constantFrom('1', '2', 'a"b', 'line\nend\n', 'ä\u2028', ''), fc.string());
    const shape = fc.record({
      id: word,
      provider: word,
      type: word,
      version: word,
      eventTimestamp: word,
      botAccountId: fc.option(word),
      topicId: fc.constantFrom(uuid(1), uuid(2)),
    });
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 8 }), (events) => {
        for (const { topicId, ...members } of events) {
          const options = { ...members, audience: { kind: 'topic' as const, topicId } };
          expect(JSON.parse(record(options).json())).toMatchObject({
            id: members.id,
            provider: members.provider,
            type: members.type,
            version: members.version,
            event_timestamp: members.eventTimestamp,
            bot_account_id: members.botAccountId,
            topic_id: topicId,
          });
        }
      }),
    );
  });

  it('has no topic when it concerns several or a service, and may have no bot', () => {
    const several = record({ audience: { kind: 'topics', topicIds: [uuid(1)] } });
    expect(relayEvent.parse(JSON.parse(several.json())).topic_id).toBeNull();
    const service = record({ audience: { kind: 'service', serviceAccountId: uuid(2) }, botAccountId: null });
    expect(relayEvent.parse(JSON.parse(service.json()))).toMatchObject({
      topic_id: null,
      bot_account_id: null,
    });
  });

  it('escapes what a platform may put into envelope members', () => {
    const odd = new EncodedRecord({ ...draft('a"\\\u0007'), type: 'x"y', seq: 1 }, 'e');
    expect(JSON.parse(odd.json())).toMatchObject({ id: 'a"\\\u0007', type: 'x"y' });
  });
});

describe('frames', () => {
  it('makes each encoding once, with attempt 1', async () => {
    const each = record();
    expect(each.frame('plain')).toBe(each.frame('plain'));
    expect(each.frame('relay.v1')).toBe(each.frame('relay.v1'));
    expect(await receive(each.frame('plain'))).toEqual([each.json()]);
    const [first] = await receive(each.frame('relay.v1'));
    expect(first).toBe(`{"type":"event","cursor":"${each.cursor}","attempt":1,"event":${each.json()}}`);
    expect(eventFrame.parse(JSON.parse(first ?? ''))).toMatchObject({ attempt: 1, cursor: each.cursor });
  });
});
