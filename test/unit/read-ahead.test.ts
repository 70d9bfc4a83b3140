// What is kept of the log for those who catch up: how much, for how long, and what happens when the next piece does not come.
import { beforeEach, expect, it } from 'vitest';
import type { Filter } from '../../src/domain/filter.ts';
import type { ReadPage } from '../../src/log/port.ts';
import { ReadAhead, stretchBytes } from '../../src/log/read-ahead.ts';
import type { Page } from '../../src/log/read-ahead.ts';
import { EncodedRecord } from '../../src/log/record-encode.ts';
import { draft } from '../contract/log-fixtures.ts';

const endOfLog = 10_000;
const filterNamed = (key: string): Filter => ({
  key,
  serviceAccountId: key,
  topics: new Map(),
  types: null,
});
const [one, other] = [filterNamed('one'), filterNamed('other')];
// All of one length, and so of one weight.
const record = (seq: number) => new EncodedRecord({ ...draft(`m${10_000 + seq}`), seq }, 'epoch');
const pageOf = (after: number, rows: number): Page => {
  const count = Math.min(rows, endOfLog - after);
  return {
    records: Array.from({ length: count }, (_, index) => record(after + index + 1)),
    through: after + count,
  };
};

let asked: string[];
let answer: (after: number, rows: number) => Promise<Page>;

beforeEach(() => {
  asked = [];
  answer = async (after, rows) => pageOf(after, rows);
});

const createAhead = (maxBytes = 1_000_000_000) =>
  new ReadAhead({ minRows: 10, maxRows: 40, maxBytes }, (filter, after, rows) => {
    asked.push(`${filter.key} ${rows} after ${after}`);
    return answer(after, rows);
  });

const seqs = async (page: ReadPage | Promise<ReadPage>) => (await page).records.map(({ seq }) => seq);

it('asks for the next page when somebody who reads on has begun the newest, and answers the rest from memory', async () => {
  const ahead = createAhead();
  await ahead.read(one, 0, 5, endOfLog);
  expect(ahead.read(one, 5, 5, endOfLog)).not.toBeInstanceOf(Promise);
  expect(asked).toEqual(['one 10 after 0']);
  expect(await seqs(ahead.read(one, 10, 5, endOfLog))).toEqual([11, 12, 13, 14, 15]);
  expect(asked).toEqual(['one 10 after 0', 'one 20 after 10']);
  expect(await seqs(ahead.read(one, 15, 3, endOfLog))).toEqual([16, 17, 18]);
  expect(asked.slice(2)).toEqual(['one 40 after 30']);
  // Once, however often it is asked meanwhile; and what lies a page back is still there.
  expect(await seqs(ahead.read(one, 12, 2, endOfLog))).toEqual([13, 14]);
  expect(asked).toHaveLength(3);
  await new Promise(setImmediate);
  expect(ahead.read(one, 29, 5, endOfLog)).toMatchObject({ through: 34 });
  expect(asked.slice(3)).toEqual(['one 40 after 70']);
});

it('asks for nothing beyond what the readers would look for in the database', async () => {
  const ahead = createAhead();
  await ahead.read(one, 0, 10, 30);
  await ahead.read(one, 10, 10, 30);
  expect(ahead.read(one, 20, 10, 30)).toMatchObject({ through: 30 });
  expect(asked).toEqual(['one 10 after 0', 'one 20 after 10']);
});

it('tells whoever needs it that the next page did not come, and nobody before; then asks again', async () => {
  const ahead = createAhead();
  await ahead.read(one, 0, 10, endOfLog);
  await ahead.read(one, 10, 10, endOfLog);
  answer = () => Promise.reject(new Error('away'));
  expect(await seqs(ahead.read(one, 20, 5, endOfLog))).toEqual([21, 22, 23, 24, 25]);
  await new Promise(setImmediate);
  await expect(Promise.resolve(ahead.read(one, 30, 5, endOfLog))).rejects.toThrow('away');
  await new Promise(setImmediate);
  answer = async (after, rows) => pageOf(after, rows);
  expect(await seqs(ahead.read(one, 30, 5, endOfLog))).toEqual([31, 32, 33, 34, 35]);
});

it('gives two who wait for the same page the same', async () => {
  const ahead = createAhead();
  await ahead.read(one, 0, 10, endOfLog);
  const [first, second] = [ahead.read(one, 10, 4, endOfLog), ahead.read(one, 10, 2, endOfLog)];
  expect([await seqs(first), await seqs(second)]).toEqual([
    [11, 12, 13, 14],
    [11, 12],
  ]);
  expect(asked).toEqual(['one 10 after 0', 'one 20 after 10']);
});

it('holds no more than it may, and forgets first what was not used for longest', async () => {
  const { weight } = record(1);
  const ahead = createAhead(45 * weight + 2 * stretchBytes);
  await ahead.read(one, 0, 20, endOfLog);
  await ahead.read(other, 0, 20, endOfLog);
  expect(ahead.bytes).toBe(40 * weight + 2 * stretchBytes);
  await ahead.read(one, 5, 5, endOfLog);
  // 20 of its own more, so that the other one has to go.
  await ahead.read(one, 20, 20, endOfLog);
  expect(ahead.bytes).toBe(40 * weight + stretchBytes);
  expect(ahead.read(other, 5, 5, endOfLog)).toBeInstanceOf(Promise);
  // More than it may hold at all: given once, and not kept.
  const small = createAhead(5 * weight + stretchBytes);
  expect(await seqs(small.read(one, 0, 10, endOfLog))).toHaveLength(10);
  expect(small.bytes).toBe(0);
});

it('forgets those who found nothing as well', async () => {
  const ahead = createAhead(2 * stretchBytes);
  answer = async (after) => ({ records: [], through: after + 100 });
  const seekers = ['a', 'b', 'c'].map(filterNamed);
  for (const filter of seekers)
    expect(await ahead.read(filter, 0, 5, endOfLog)).toMatchObject({ through: 100 });
  expect(ahead.bytes).toBe(2 * stretchBytes);
  const [first, , last] = seekers.map((filter) => ahead.read(filter, 50, 5, endOfLog));
  expect([first, last].map((page) => page instanceof Promise)).toEqual([true, false]);
});

it('where half of it is in use, asks for no more than is wanted, and not before', async () => {
  const { weight } = record(1);
  const ahead = createAhead(60 * weight + 2 * stretchBytes);
  await ahead.read(one, 0, 20, endOfLog);
  await ahead.read(other, 0, 20, endOfLog);
  await ahead.read(one, 20, 10, endOfLog);
  expect(asked).toEqual(['one 20 after 0', 'other 20 after 0', 'one 10 after 20']);
  expect(await seqs(ahead.read(one, 25, 5, endOfLog))).toEqual([26, 27, 28, 29, 30]);
  expect(asked).toHaveLength(3);
});

it('counts what it holds however reads overlap: when all is replaced by nothing, nothing is left', async () => {
  const { weight } = record(1);
  const ahead = createAhead();
  // Two begin at once, and one goes on while a third begins elsewhere and takes its place.
  await Promise.all([ahead.read(one, 0, 10, endOfLog), ahead.read(one, 0, 20, endOfLog)]);
  expect(ahead.bytes).toBe(20 * weight + stretchBytes);
  const onwards = ahead.read(one, 20, 10, endOfLog);
  const elsewhere = ahead.read(one, 5_000, 10, endOfLog);
  expect(await seqs(onwards)).toHaveLength(10);
  await elsewhere;
  await new Promise(setImmediate);
  expect(ahead.bytes).toBe(10 * weight + stretchBytes);
});
