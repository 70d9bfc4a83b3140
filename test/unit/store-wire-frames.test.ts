// Cutting a client's bytes into messages: the same messages however the stream is cut, and broken streams refused.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  FrameReader,
  queryMessage,
  renameStatement,
  statementClose,
  syncMessage,
} from '../../src/store/embedded/wire-frames.ts';
import type { Frame } from '../../src/store/embedded/wire-frames.ts';

function untyped(code: number, body = ''): Buffer {
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeInt32BE(bytes.length, 0);
  bytes.writeInt32BE(code, 4);
  bytes.write(body, 8, 'latin1');
  return bytes;
}
function typed(kind: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(kind, 0, 'latin1');
  bytes.writeInt32BE(4 + body.length, 1);
  bytes.write(body, 5, 'latin1');
  return bytes;
}
const startup = untyped(196_608, 'user\0postgres\0\0');
const frameOf = (bytes: Buffer): Frame => {
  const reader = new FrameReader();
  const frame = reader.push(Buffer.concat([startup, bytes])).at(-1);
  if (!frame) throw new Error('no frame');
  return frame;
};
const textOf = (frame: Frame) => Buffer.from(frame.bytes).toString('latin1');

test('a stream gives the same messages however it is cut', () => {
  const messages = fc.array(
    fc.tuple(fc.constantFrom('P', 'B', 'D', 'E', 'S', 'Q'), fc.string({ maxLength: 40 })),
  );
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (list, sizes) => {
      const parts = [untyped(80_877_103), startup, ...list.map(([kind, body]) => typed(kind, body))];
      const stream = Buffer.concat(parts);
      const reader = new FrameReader();
      const frames: Frame[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        frames.push(...reader.push(stream.subarray(at, at + size)));
        at += size;
      }
      expect(frames.map(({ kind }) => kind)).toEqual([
        'ssl-request',
        'startup',
        ...list.map(([kind]) => kind),
      ]);
      expect(Buffer.concat(frames.map(({ bytes }) => Buffer.from(bytes)))).toEqual(stream);
    }),
  );
});

test('a unit ends where the server answers, and a flush keeps the session', () => {
  const ends = (kind: string) => {
    const { endsUnit, keepsSession } = frameOf(typed(kind, ''));
    return [endsUnit, keepsSession];
  };
  for (const kind of ['P', 'B', 'D', 'E', 'C', 'd']) expect(ends(kind), kind).toEqual([false, false]);
  for (const kind of ['S', 'Q', 'X', 'c', 'f', 'p']) expect(ends(kind), kind).toEqual([true, false]);
  expect(ends('H')).toEqual([true, true]);
});

test('what is no such stream is refused', () => {
  expect(() => new FrameReader().push(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow(RangeError);
  expect(() => new FrameReader().push(untyped(131_072))).toThrow(RangeError);
  const reader = new FrameReader();
  reader.push(startup);
  expect(() => reader.push(Buffer.from([0x51, 0, 0, 0, 1]))).toThrow(RangeError);
  expect(new FrameReader().push(untyped(80_877_102, '12345678')).map(({ kind }) => kind)).toEqual(['cancel']);
});

test('named statements become the connection’s own, the unnamed one and portals stay', () => {
  const names = new Set<string>();
  const renamed = (kind: string, body: string) =>
    textOf(renameStatement(frameOf(typed(kind, body)), 'c7_', names)).slice(5);
  expect(renamed('P', 'q\0SELECT 1\0\0\0')).toBe('c7_q\0SELECT 1\0\0\0');
  expect(renamed('B', 'portal\0q\0\0\0')).toBe('portal\0c7_q\0\0\0');
  expect(renamed('D', 'Sq\0')).toBe('Sc7_q\0');
  expect([...names]).toEqual(['c7_q']);
  expect(renamed('C', 'Sq\0')).toBe('Sc7_q\0');
  expect([...names]).toEqual([]);
  for (const [kind, body] of [
    ['P', '\0SELECT 1\0\0\0'],
    ['B', '\0\0\0\0'],
    ['D', 'Pq\0'],
    ['D', 'S\0'],
    ['E', 'q\0\0'],
  ] as const) {
    expect(renamed(kind, body)).toBe(body);
  }
  expect(() => renamed('P', 'no end')).toThrow(RangeError);
});

test('messages of our own are well formed', () => {
  const kinds = [syncMessage(), queryMessage('ROLLBACK'), statementClose('c1_q')].map((bytes) =>
    frameOf(Buffer.from(bytes)),
  );
  expect(kinds.map(textOf)).toEqual(['S\0\0\0\x04', 'Q\0\0\0\x0dROLLBACK\0', 'C\0\0\0\x0aSc1_q\0']);
});
