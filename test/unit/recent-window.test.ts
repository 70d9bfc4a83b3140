// The recent window: what its readers are given is the same whether it is ready or put away, and nothing outlives its place.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Filter } from '../../src/domain/filter.ts';
import { EncodedRecord } from '../../src/log/record-encode.ts';
import { readyFor, RecentWindow } from '../../src/log/recent-window.ts';
import { blockBytes, storedText, TextSlab } from '../../src/runtime/text-slab.ts';
import { draft, uuid } from '../contract/log-fixtures.ts';

const all: Filter = { key: 'all', serviceAccountId: 's', topics: new Map([[uuid(1), 0]]), types: null };
const bounds = { maxRecords: 1_000, maxBytes: 64 * 1024 * 1024 };
const record = (seq: number, text = 'x') =>
  new EncodedRecord(
    { ...draft(`id-${seq}`, { body: `"event":{"text":${JSON.stringify(text)}}` }), seq },
    'epoch',
  );
const formsOf = (one: EncodedRecord) => ({
  cursor: one.cursor,
  body: one.body,
  json: one.json(),
  plain: one.frame('plain').toString('latin1'),
  relayV1: one.frame('relay.v1').toString('latin1'),
  weight: one.weight,
});

/** Tells of a record whether the frame that was made at first is still there. */
function frames() {
  const first = new Map<EncodedRecord, Buffer>();
  return {
    made: (one: EncodedRecord) => {
      first.set(one, one.frame('plain'));
      return one;
    },
    isReady: (one: EncodedRecord | undefined) => one !== undefined && one.frame('plain') === first.get(one),
  };
}

describe('the recent window', () => {
  it('gives the same of a record that was put away', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 3_000 }), (text) => {
        const [kept, put] = [record(7, text), record(7, text)];
        put.frame('plain');
        put.putAway(new TextSlab());
        expect(formsOf(put)).toEqual(formsOf(kept));
        // Twice is once.
        put.putAway(new TextSlab());
        expect(formsOf(put)).toEqual(formsOf(kept));
      }),
    );
  });

  it('keeps the newest additions ready, large ones for longer, and makes the rest anew for each who asks', () => {
    const { isReady, made } = frames();
    const { atLeast, atMost } = readyFor;
    const window = new RecentWindow(0, bounds);
    let seq = 0;
    const add = (count: number) => {
      const records = Array.from({ length: count }, () => made(record(++seq)));
      window.extend(records, seq);
      return records;
    };
    const small = Array.from({ length: atLeast }, () => add(1)).flat();
    expect(small.map(isReady)).toEqual([true, true]);
    const [next] = add(1);
    expect([...small, next].map(isReady)).toEqual([false, true, true]);
    const large = add(atMost + 7);
    // An addition without records, as of repeated events only, moves nobody out.
    window.extend([], (seq += 100));
    for (let more = 1; more < atMost; more++) add(1);
    expect(large.every(isReady)).toBe(true);
    expect([small[1], next].map(isReady)).toEqual([false, false]);
    add(1);
    expect(large.some(isReady)).toBe(false);
    const { records } = window.read(0, all, 1_000);
    expect(records.length).toBe(atLeast + 1 + large.length + atMost);
    // The small ones that stood behind it have gone with it.
    expect(records.map(isReady).lastIndexOf(false)).toBe(records.length - atLeast - 1);
    // Whoever comes late has it made once for all.
    expect(large[0]?.frame('plain')).toBe(large[0]?.frame('plain'));
  });

  it('weighs the same before and after, and holds on to nothing that left it', () => {
    const window = new RecentWindow(0, { ...bounds, maxRecords: 1 });
    const { isReady, made } = frames();
    const sent = Array.from({ length: 100 }, (_, index) => made(record(index + 1, 'é'.repeat(index))));
    // Ten at a time, of which one is kept.
    for (let from = 0; from < sent.length; from += 10) window.extend(sent.slice(from, from + 10), from + 10);
    const held = sent.slice(-1);
    expect(window.read(window.from, all, 10).records).toEqual(held);
    expect(window.bytes).toBe(held.reduce((sum, { weight }) => sum + weight, 0));
    // What left while it was ready was not put away afterwards either: nobody held it.
    expect(sent.every(isReady)).toBe(true);
  });

  it('puts away what came before a restart never', () => {
    const window = new RecentWindow(0, bounds);
    const { isReady, made } = frames();
    const before = made(record(1));
    window.extend([before], 1);
    window.restart(10);
    for (let seq = 11; seq <= 11 + readyFor.atMost; seq++) window.extend([record(seq)], seq);
    expect(isReady(before)).toBe(true);
  });
});

describe('a slab', () => {
  it('keeps many texts apart, and gives a large one a block of its own', () => {
    const slab = new TextSlab();
    const texts = Array.from({ length: 2_000 }, (_, index) => `${index} ${'ä€😀'.repeat(index % 97)}`);
    // With two and three bytes a character, to the end of each block.
    const large = '€'.repeat(blockBytes);
    const stored = [...texts.slice(0, 1_000), large, ...texts.slice(1_000)].map((text) => slab.add(text));
    expect(stored.map(storedText)).toEqual([...texts.slice(0, 1_000), large, ...texts.slice(1_000)]);
    const blocks = new Map(stored.map(({ block }) => [block, block.length]));
    expect(blocks.size).toBeGreaterThan(2);
    expect([...blocks.values()].filter((length) => length > blockBytes)).toEqual([3 * blockBytes]);
  });

  it('holds no more for a text that is held alone than its block', () => {
    const slab = new TextSlab();
    const large = slab.add('€'.repeat(blockBytes / 8));
    expect(large.block.buffer.byteLength).toBe((3 * blockBytes) / 8);
    const small = slab.add('x');
    expect(small.block.buffer.byteLength).toBe(blockBytes);
  });
});
