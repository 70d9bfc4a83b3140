import { expect, it } from 'vitest';
import { kinds } from '../faults/kinds/index.ts';
import { shortKinds } from '../faults/kinds/short.ts';

it('every kind of fault has a name of its own, and the short programme has some of every group', () => {
  const names = kinds.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(shortKinds.filter((name) => !names.includes(name))).toEqual([]);
  const groups = new Set(kinds.map(({ group }) => group));
  const short = kinds.filter(({ name }) => shortKinds.includes(name));
  expect(new Set(short.map(({ group }) => group))).toEqual(groups);
  expect(short.filter(({ databases }) => !databases.includes('embedded'))).toEqual([]);
});
