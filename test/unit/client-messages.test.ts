import { expect, it } from 'vitest';
import { ClientMessages } from '../../src/delivery/gateway/client-message.ts';
import { encodeCursor } from '../../src/domain/cursor.ts';

const ack = (epoch: string, seq: number) =>
  Buffer.from(JSON.stringify({ type: 'ack', cursor: encodeCursor(epoch, seq) }));

it('remembers what was read last, and only that', () => {
  const messages = new ClientMessages();
  const read = (data: Buffer, isBinary = false, epoch = 'one') => messages.read(data, isBinary, epoch);
  for (const seq of [7, 7, 8, 7]) expect(read(ack('one', seq))).toEqual({ kind: 'ack', seq });
  // The same bytes in a binary frame, or for another log, are something else.
  expect(read(ack('one', 7), true)).toMatchObject({ kind: 'malformed' });
  expect(read(ack('one', 7), false, 'two')).toMatchObject({ kind: 'malformed' });
  expect(read(ack('two', 7), false, 'two')).toEqual({ kind: 'ack', seq: 7 });
});

it('keeps a copy: the socket goes on using the bytes', () => {
  const messages = new ClientMessages();
  const data = ack('one', 7);
  messages.read(data, false, 'one');
  ack('one', 8).copy(data);
  expect(messages.read(data, false, 'one')).toEqual({ kind: 'ack', seq: 8 });
});
