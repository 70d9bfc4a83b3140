// Frames made by hand must be what an independent implementation reads, at every length of header.
import { expect, test } from 'vitest';
import { controlFrame, eventFrameOf, pongFrame } from '../../src/delivery/gateway/encode.ts';
import { textFrame } from '../../src/runtime/text-frame.ts';
import { serverFrame } from '../../src/protocol/frames.ts';
import { errorFrame } from '../../src/delivery/gateway/connection.ts';

/** RFC 6455 §5.2, read straight from the text: final, unmasked text frames. */
function read(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes[at]).toBe(0x81);
    const marker = bytes[at + 1] ?? 0;
    expect(marker & 0x80).toBe(0);
    const [length, start] =
      marker === 126
        ? [bytes.readUInt16BE(at + 2), at + 4]
        : marker === 127
          ? [Number(bytes.readBigUInt64BE(at + 2)), at + 10]
          : [marker, at + 2];
    texts.push(bytes.subarray(start, start + length).toString('utf8'));
    at = start + length;
  }
  return texts;
}

test.for([0, 1, 125, 126, 127, 65_535, 65_536, 200_000])('a text of %i bytes', (length) => {
  expect(read(textFrame('x'.repeat(length)))).toEqual(['x'.repeat(length)]);
});

test('lengths count bytes, not characters', () => {
  const text = 'é😀'.repeat(30);
  expect(read(Buffer.concat([textFrame(text), textFrame('next')]))).toEqual([text, 'next']);
});

test('an event frame carries the text of the event as it is', () => {
  const json = '{"id":"1", "n":1.0}';
  expect(eventFrameOf({ cursor: 'abc', json: () => json }, 3).toString('utf8')).toContain(
    `{"type":"event","cursor":"abc","attempt":3,"event":${json}}`,
  );
});

test('error frames say whether to come back', () => {
  const frame = errorFrame('too_many_connections', 'm');
  expect(serverFrame.parse(frame)).toMatchObject({ reconnect: true, retry_after_ms: 5_000 });
  expect(errorFrame('malformed_frame', 'm')).not.toHaveProperty('retry_after_ms');
  expect(JSON.parse(controlFrame(frame).subarray(2).toString('utf8'))).toMatchObject({ type: 'error' });
});

test('a pong repeats the payload of its ping', () => {
  expect(pongFrame(Buffer.from('hi'))).toEqual(Buffer.from([0x8a, 2, 0x68, 0x69]));
});
