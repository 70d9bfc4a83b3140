// The flags that all benches have in common: a typing error must not become a measurement of something else.
import { describe, expect, it } from 'vitest';
import { localPostgres, parseFlags, usageOf } from '../../bench/kit/flags.ts';

const server = 'postgres://u@h/d';
const table = {
  name: 'things',
  about: 'How many things.',
  numbers: { events: { default: 20_000, min: 1_000, max: 1_000_000, what: 'how many' } },
  defaultDatabaseUrl: undefined,
};

describe('flags of a bench', () => {
  it('have defaults', () => {
    expect(parseFlags(table, [], undefined)).toEqual({
      kind: 'run',
      options: { events: 20_000, json: false, profileDir: undefined, databaseUrl: undefined },
    });
    expect(parseFlags(table, ['--events', '5000', '--json', '--profile', 'p'], undefined)).toMatchObject({
      options: { events: 5_000, json: true, profileDir: 'p' },
    });
    expect(parseFlags(table, ['-h'], undefined).kind).toBe('help');
    expect(usageOf(table)).toMatch(/--events N .*1,000 to 1,000,000 \(default 20,000\)/u);
  });

  it('take the database from the flag, then from the environment, then the usual one', () => {
    const urlOf = (argv: string[], environment?: string, defaultDatabaseUrl?: string) => {
      const parsed = parseFlags({ ...table, defaultDatabaseUrl }, argv, environment);
      return parsed.kind === 'run' ? parsed.options.databaseUrl : parsed.kind;
    };
    expect(urlOf(['--database-url', server], 'postgres://other/', localPostgres)).toBe(server);
    expect(urlOf([], server, localPostgres)).toBe(server);
    expect(urlOf([], '', localPostgres)).toBe(localPostgres);
    expect(urlOf([], '')).toBeUndefined();
  });

  it('say what is wrong without showing a password', () => {
    for (const [argv, environment] of [
      [['--events', '999'], undefined],
      [['--events', '1e4'], undefined],
      [['--nonsense'], undefined],
      [['--database-url', 'mysql://u:hunter2@h/d'], server],
      [[], 'mysql://u:hunter2@h/d'],
    ] as const) {
      const parsed = parseFlags(table, argv, environment);
      expect(parsed.kind === 'wrong' && parsed.message, argv.join(' ')).toMatch(/\w/u);
      expect(JSON.stringify(parsed)).not.toContain('hunter2');
    }
  });
});
