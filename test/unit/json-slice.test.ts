// Slicing a member out of JSON text: the slice is what JSON.parse would have found, and no text whatever makes it hang.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberSlice } from '../../src/domain/json-slice.ts';

const aKey = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '__proto__', '"', '\\', 'a\\"b'),
);
const anObject = fc.dictionary(aKey, fc.jsonValue({ stringUnit: 'binary' }), { noNullPrototype: true });

const parsed = (slice: string | undefined): unknown => (slice === undefined ? undefined : JSON.parse(slice));

describe('memberSlice', () => {
  it('gives the text that parses to the value that JSON.parse has under the key', () => {
    fc.assert(
      fc.property(anObject, aKey, fc.constantFrom('', ' ', '\n\t'), (object, stranger, indent) => {
        const text = JSON.stringify(object, null, indent);
        const truth = JSON.parse(text) as Record<string, unknown>;
        for (const key of Object.keys(truth)) expect(parsed(memberSlice(text, key))).toEqual(truth[key]);
        if (!Object.hasOwn(truth, stranger)) expect(memberSlice(text, stranger)).toBeUndefined();
      }),
    );
  });

  it('is exact: no space before or behind, nothing of the neighbours', () => {
    expect(memberSlice('{"a" :  [1, 2]  ,"b":-1.5e3 , "c":true}', 'a')).toBe('[1, 2]');
    expect(memberSlice('{"a" :  [1, 2]  ,"b":-1.5e3 , "c":true}', 'b')).toBe('-1.5e3');
    expect(memberSlice('{"a" :  [1, 2]  ,"b":-1.5e3 , "c":true}', 'c')).toBe('true');
    expect(memberSlice(String.raw`{"a":"\\","b":"\\\"}"}`, 'b')).toBe(String.raw`"\\\"}"`);
  });

  it('takes the last of a repeated key, however it is spelt', () => {
    expect(memberSlice(String.raw`{"a":1,"\u0061":2}`, 'a')).toBe('2');
  });

  it('has nothing for what is no object', () => {
    for (const text of ['', 'null', '[{"a":1}]', '"a"', '{}', '{', ' '])
      expect(memberSlice(text, 'a')).toBeUndefined();
  });

  it('neither throws nor hangs on arbitrary or cut-off text', () => {
    const noise = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'a', 'u', ' '),
    });
    fc.assert(
      fc.property(noise, (text) => {
        expect(['string', 'undefined']).toContain(typeof memberSlice(text, 'a'));
        expect(['string', 'undefined']).toContain(typeof memberSlice(`{"${text}`, 'a'));
      }),
      { numRuns: 2_000 },
    );
    const text = JSON.stringify({ a: { b: ['"', '\\', { c: 1 }] }, d: '\u2028' });
    for (let length = 0; length <= text.length; length++) memberSlice(text.slice(0, length), 'd');
  });

  it('takes time in proportion to the text, also for the nastiest one', () => {
    const size = 300_000;
    for (const text of [
      `{"a":"${'\\'.repeat(size)}`,
      `{"a":"${'\\"'.repeat(size)}`,
      `{"a":${'['.repeat(size)}`,
    ]) {
      const startedAt = performance.now();
      memberSlice(text, 'b');
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
  });
});
