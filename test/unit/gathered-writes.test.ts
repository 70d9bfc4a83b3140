// Writes that share statements: who is in which, in what order, and what a failure costs the others.
import { expect, it } from 'vitest';
import { deferred } from '../../src/runtime/deferred.ts';
import { GatheredWrites } from '../../src/store/gathered-writes.ts';

interface Row {
  readonly id: string;
  readonly value: number;
}

const row = (id: number | string, value = 0): Row => ({ id: String(id), value });
const refused = (code: string) => Object.assign(new Error(code), { code });

/** The statements as they came, and the rows as they would be. */
function setUp(fails: (rows: readonly Row[]) => Error | undefined = () => undefined) {
  const statements: (readonly Row[])[] = [];
  const table = new Map<string, number>();
  const gate = deferred<void>();
  const gathered = new GatheredWrites<Row>(async (rows) => {
    statements.push(rows);
    await gate.promise;
    const error = fails(rows);
    if (error) throw error;
    for (const { id, value } of rows) table.set(id, value);
    return new Set(rows.map(({ id }) => id).filter((id) => id !== 'gone'));
  });
  return { gathered, statements, table, go: () => gate.resolve() };
}

it('takes what comes meanwhile together, each id once, and the later of two has the last word', async () => {
  const { gathered, statements, table, go } = setUp();
  const first = gathered.write(row('a', 1));
  await Promise.resolve();
  const later = [row('a', 2), row('b', 1), row('a', 3), row('gone')].map((each) => gathered.write(each));
  go();
  expect(await Promise.all([first, ...later])).toEqual([true, true, true, true, false]);
  expect(statements.map((rows) => rows.map(({ id, value }) => `${id}${value}`))).toEqual([
    ['a1'],
    ['a2', 'b1', 'gone0'],
    ['a3'],
  ]);
  expect([...table.entries()].slice(0, 2)).toEqual([
    ['a', 3],
    ['b', 1],
  ]);
});

it.each(['22021', '23505', '40P01', '55P03', '57014'])(
  'lets a row that the database refuses (%s) fail alone',
  async (code) => {
    const { gathered, table, go } = setUp((rows) =>
      rows.some(({ id }) => id === 'bad') ? refused(code) : undefined,
    );
    const written = [row('a'), row('bad'), row('b')].map((each) => gathered.write(each));
    go();
    const outcomes = await Promise.allSettled(written);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([...table.keys()]).toEqual(['a', 'b']);
  },
);

it.each([refused('ECONNREFUSED'), refused('57P01'), refused('53300'), new Error('Query read timeout')])(
  'asks a database that is away once, not once for each row (%s)',
  async (error) => {
    const { gathered, statements, go } = setUp(() => error);
    const written = [row('a'), row('b'), row('c')].map((each) => gathered.write(each));
    go();
    const outcomes = await Promise.allSettled(written);
    expect(outcomes.map((each) => each.status === 'rejected' && each.reason === error)).toEqual([
      true,
      true,
      true,
    ]);
    expect(statements).toHaveLength(1);
  },
);

it('makes no statement of any length', async () => {
  const { gathered, statements, table, go } = setUp();
  const written = Array.from({ length: 1_201 }, (_, n) => gathered.write(row(n % 1_200, n)));
  go();
  expect(await Promise.all(written)).toHaveLength(1_201);
  expect(Math.max(...statements.map(({ length }) => length))).toBeLessThanOrEqual(500);
  expect(table.size).toBe(1_200);
  expect(table.get('0')).toBe(1_200);
});

it('goes on after a failure', async () => {
  let isAway = true;
  const { gathered, go } = setUp(() => (isAway ? refused('ECONNREFUSED') : undefined));
  go();
  await expect(gathered.write(row('a'))).rejects.toThrow('ECONNREFUSED');
  isAway = false;
  expect(await gathered.write(row('a'))).toBe(true);
});
