// What a relay.v1 client may say, as the parser at the gateway's edge reads it.
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { ClientMessages, parseClientMessage } from '../../src/delivery/gateway/client-message.ts';
import { decodeCursor, encodeCursor } from '../../src/domain/cursor.ts';
import { bodyAround, type Json } from './grammar.ts';
import { cursorText } from './cursors.ts';
import { defineTarget, takenIf } from './target.ts';

export const epoch = 'fuzzepoch';

/** Frames that are right, some of a protocol that is still to come. */
export const clientFrames = (cursors: fc.Arbitrary<string>): fc.Arbitrary<Json> =>
  fc.oneof(
    { weight: 4, arbitrary: cursors.map((cursor) => ({ type: 'ack', cursor })) },
    { weight: 1, arbitrary: cursors.map((cursor) => ({ type: 'ack', cursor, more: { of: ['it'] } })) },
    { weight: 1, arbitrary: fc.constant({ type: 'seek', to: 'live' }) },
  );

/** What the frame comes to when somebody else reads it. */
function expected(data: Buffer): 'ack' | 'unknown' | 'malformed' {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    return 'malformed';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'malformed';
  const own = (name: string): unknown => (Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined);
  const [type, cursor] = [own('type'), own('cursor')];
  if (typeof type !== 'string' || type.length > 64) return 'malformed';
  if (type !== 'ack') return 'unknown';
  return typeof cursor === 'string' && decodeCursor(cursor)?.epoch === epoch ? 'ack' : 'malformed';
}

export const clientMessages = defineTarget({
  name: 'client-messages',
  what: 'the parser of what a relay.v1 client says',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    const messages = new ClientMessages();
    const own = fc.maxSafeNat().map((seq) => encodeCursor(epoch, Math.min(seq, 999_999_999_999_999)));
    const cursors = fc.oneof({ weight: 5, arbitrary: own }, { weight: 1, arbitrary: cursorText });
    return {
      input: fc.record({
        data: bodyAround(clientFrames(cursors)),
        isBinary: fc.oneof(
          { weight: 9, arbitrary: fc.constant(false) },
          { weight: 1, arbitrary: fc.constant(true) },
        ),
      }),
      run({ data, isBinary }) {
        const read = parseClientMessage(data, isBinary, epoch);
        for (let again = 0; again < 2; again++)
          if (!isDeepStrictEqual(messages.read(data, isBinary, epoch), read))
            throw new Error('read as another than before');
        const right = isBinary ? 'malformed' : expected(data);
        if (read.kind !== right) throw new Error(`read as ${read.kind}, which is ${right}`);
        if (read.kind === 'ack' && !(Number.isSafeInteger(read.seq) && read.seq >= 0))
          throw new Error(`a position that is none: ${read.seq}`);
        return takenIf(read.kind !== 'malformed');
      },
    };
  },
});
