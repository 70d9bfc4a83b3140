// The identity of topics: equal for what is the same upstream, different for everything else, and a UUID.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalCondition, topicId, topicKey, type TopicSpec } from '../../src/domain/topic.ts';

const aField = fc.oneof(
  fc.constantFrom('broadcaster_user_id', 'user_id', '__proto__', '1', '10', '2'),
  fc.string(),
);
const aCondition = fc.dictionary(aField, fc.string({ minLength: 1 }), { noNullPrototype: true });
const aSpec: fc.Arbitrary<TopicSpec> = fc.record({
  provider: fc.constantFrom('twitch', 'other'),
  botAccountId: fc.string(),
  type: fc.constantFrom('channel.follow', 'stream.online', 'a","b'),
  version: fc.constantFrom('1', '2', 'beta'),
  condition: aCondition,
});

/** What makes two specs the same, said in another way than the code does. */
const essence = (spec: TopicSpec) => [
  spec.provider,
  spec.botAccountId,
  spec.type,
  spec.version,
  new Map(Object.entries(spec.condition).toSorted(([a], [b]) => (a < b ? -1 : 1))),
];

describe('the topic of a wish', () => {
  it('does not change with the order of the condition or with empty fields', () => {
    fc.assert(
      fc.property(aSpec, aField, (spec, empty) => {
        const turned = Object.fromEntries(Object.entries(spec.condition).toReversed());
        const padded = Object.hasOwn(turned, empty) ? turned : { [empty]: '', ...turned };
        expect(topicKey({ ...spec, condition: padded })).toBe(topicKey(spec));
        expect(topicId({ ...spec, condition: padded })).toBe(topicId(spec));
        expect(canonicalCondition(padded)).toEqual(canonicalCondition(spec.condition));
      }),
    );
  });

  it('differs for anything that differs', () => {
    fc.assert(
      fc.property(aSpec, aSpec, (one, other) => {
        let same = true;
        try {
          expect(essence(one)).toEqual(essence(other));
        } catch {
          same = false;
        }
        expect(topicKey(one) === topicKey(other)).toBe(same);
        expect(topicId(one) === topicId(other)).toBe(same);
      }),
    );
    const spec = { provider: 'twitch', botAccountId: 'b', type: 't', version: '1', condition: { a: '1' } };
    for (const other of [
      { ...spec, version: '2' },
      { ...spec, botAccountId: 'c' },
      { ...spec, condition: {} },
      { ...spec, condition: { a: '1', b: '1' } },
      { ...spec, condition: { a: '2' } },
      { ...spec, condition: { b: '1' } },
    ])
      expect(topicId(other)).not.toBe(topicId(spec));
  });

  it('has a UUID of version 8 that never changes', () => {
    fc.assert(
      fc.property(aSpec, (spec) => {
        expect(topicId(spec)).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });

  it('takes numbers as text and leaves out what is neither', () => {
    expect(canonicalCondition({ b: 7, a: 'x', c: null, d: true, e: {}, f: '' })).toEqual({ a: 'x', b: '7' });
  });
});
