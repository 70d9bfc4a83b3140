// Cursors: what was encoded comes back, and nothing else is taken for one.
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { decodeCursor, encodeCursor, standing } from '../../src/domain/cursor.ts';

const anEpoch = fc.stringMatching(/^[A-Za-z0-9]{1,32}$/);
const aSeq = fc.maxSafeNat();

describe('a cursor', () => {
  it('survives the round trip', () => {
    fc.assert(
      fc.property(anEpoch, aSeq, (epoch, seq) => {
        const text = encodeCursor(epoch, seq);
        expect(text).toMatch(/^[\w-]+$/);
        expect(decodeCursor(text)).toEqual({ epoch, seq });
      }),
    );
  });

  it('is taken only in the very spelling that it was given out in', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.stringMatching(/^[\w-]{0,60}$/)), (text) => {
        const cursor = decodeCursor(text);
        if (cursor) expect(encodeCursor(cursor.epoch, cursor.seq)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(anEpoch, aSeq, fc.string({ minLength: 1 }), (epoch, seq, noise) => {
        const text = encodeCursor(epoch, seq);
        for (const other of [text + noise, noise + text]) {
          const cursor = decodeCursor(other);
          if (cursor) expect(encodeCursor(cursor.epoch, cursor.seq)).toBe(other);
        }
        expect(decodeCursor(`${text}=`)).toBeUndefined();
        expect(decodeCursor(` ${text}`)).toBeUndefined();
      }),
    );
  });

  it.each([
    'e.-1',
    'e.01',
    'e.1.5',
    'e.',
    '.1',
    'e',
    'e f.1',
    'e.9007199254740992',
    `${'e'.repeat(33)}.1`,
    'e.1\n',
    'é.1',
  ])('is not %j', (plain) => {
    expect(decodeCursor(Buffer.from(plain, 'latin1').toString('base64url'))).toBeUndefined();
  });

  it('rejects a long text without looking', () => {
    const long = 'A'.repeat(10_000_000);
    const decode = vi.spyOn(Buffer, 'from');
    try {
      expect(decodeCursor(long)).toBeUndefined();
      expect(decode).not.toHaveBeenCalled();
    } finally {
      decode.mockRestore();
    }
  });

  it('may be as long as an epoch and a number can get', () => {
    const longest = { epoch: 'e'.repeat(32), seq: Number.MAX_SAFE_INTEGER };
    expect(decodeCursor(encodeCursor(longest.epoch, longest.seq))).toEqual(longest);
  });

  it('stands where it can go on', () => {
    const log = { epoch: 'e', floor: 10, head: 20 };
    expect([9, 10, 20, 21].map((seq) => standing({ epoch: 'e', seq }, log))).toEqual([
      'expired',
      'ok',
      'ok',
      'ahead',
    ]);
    expect(standing({ epoch: 'f', seq: 15 }, log)).toBe('foreign');
  });
});
