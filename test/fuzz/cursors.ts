// Cursors: text that comes back from anybody.
import fc from 'fast-check';
import { decodeCursor, encodeCursor, standing } from '../../src/domain/cursor.ts';
import { oddText, textAround } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const epochs = fc.stringMatching(/^[A-Za-z0-9]{1,32}$/);
const positions = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 53, 1e21, -1, 0.5));

/** Cursors of some log, and what looks like one: the same in other spellings of base64, or of what is inside. */
export const cursorText = fc.oneof(
  fc.tuple(epochs, positions).map(([epoch, seq]) => encodeCursor(epoch, seq)),
  fc
    .tuple(fc.oneof(epochs, oddText), fc.oneof(positions.map(String), oddText))
    .map(([epoch, seq]) => Buffer.from(`${epoch}.${seq}`).toString('base64url')),
  fc.tuple(epochs, fc.nat()).map(([epoch, seq]) => Buffer.from(`${epoch}.${seq}`).toString('base64')),
  fc.tuple(epochs, fc.nat()).map(([epoch, seq]) => Buffer.from(`${epoch}.0${seq}`).toString('base64url')),
);

export const cursors = defineTarget({
  name: 'cursors',
  what: 'a position in the log as text',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return {
      input: textAround(cursorText),
      run(text) {
        const cursor = decodeCursor(text);
        if (!cursor) return takenIf(false);
        const { epoch, seq } = cursor;
        if (encodeCursor(epoch, seq) !== text) throw new Error('two texts for one cursor');
        if (!Number.isSafeInteger(seq) || seq < 0) throw new Error(`a position that is none: ${seq}`);
        if (standing(cursor, { epoch, floor: 0, head: seq }) !== 'ok') throw new Error('it cannot be read');
        return takenIf(true);
      },
    };
  },
});
