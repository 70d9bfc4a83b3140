// The flags of a bench: a table of whole numbers, and what all benches have in common, parsed and explained. Pure.
import { parseArgs } from 'node:util';

export interface NumberFlag {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly what: string;
}

export type NumberFlags = Readonly<Record<string, NumberFlag>>;

export interface CommonOptions {
  /** Undefined: the embedded database. */
  readonly databaseUrl: string | undefined;
  readonly json: boolean;
  /** The relay writes its CPU profile there. */
  readonly profileDir: string | undefined;
}

export type Options<Flags extends NumberFlags> = CommonOptions & Readonly<Record<keyof Flags, number>>;

export interface FlagTable<Flags extends NumberFlags = NumberFlags> {
  /** Of `bench:<name>`. */
  readonly name: string;
  /** What is measured, in a sentence or two. */
  readonly about: string;
  readonly numbers: Flags;
  /** The database without the flag and without DATABASE_URL; undefined is the embedded one. */
  readonly defaultDatabaseUrl: string | undefined;
}

export type ParsedFlags<Flags extends NumberFlags = NumberFlags> =
  | { readonly kind: 'run'; readonly options: Options<Flags> }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

export const localPostgres = 'postgres://postgres@127.0.0.1:5432/postgres';

export function usageOf({ name, about, numbers, defaultDatabaseUrl }: FlagTable): string {
  const rows = [
    ...Object.entries(numbers).map(([flag, { what, min, max, default: usual }]) => [
      `--${flag} N`,
      `${what}, ${count(min)} to ${count(max)} (default ${count(usual)})`,
    ]),
    [
      '--database-url URL',
      'a server on which a database may be created, which is dropped at the end ' +
        `(default DATABASE_URL, else ${defaultDatabaseUrl ?? 'the embedded database'})`,
    ],
    ['--profile DIR', 'the relay writes a CPU profile of its whole life there'],
    ['--json', 'stdout is one line, the result as JSON'],
    ['--help', 'this text'],
  ];
  return [
    `npm run bench:${name} -- [options]`,
    '',
    about,
    '',
    ...rows.map(([flag = '', what = '']) => `  ${flag.padEnd(20)} ${what}`),
    '',
    'Exit code: 0; 1 if an event was lost; 2 for a wrong option, or if the bench could not run; 130 if it was interrupted.',
  ].join('\n');
}

/** `environmentUrl`: DATABASE_URL, which the flag overrules. What is wrong is said without showing a password. */
export function parseFlags<Flags extends NumberFlags>(
  table: FlagTable<Flags>,
  argv: readonly string[],
  environmentUrl: string | undefined,
): ParsedFlags<Flags> {
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(Object.keys(table.numbers).map((name) => [name, { type: 'string' as const }])),
        'database-url': { type: 'string' },
        profile: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values as Readonly<Record<string, string | boolean | undefined>>;
  let values: ReturnType<typeof read>;
  try {
    values = read();
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  if (values['help'] === true) return { kind: 'help' };
  const numbers: Record<string, number> = {};
  for (const [name, flag] of Object.entries(table.numbers)) {
    const text = String(values[name] ?? flag.default);
    const value = /^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN;
    if (!(value >= flag.min && value <= flag.max))
      return wrong(`--${name}: expected a whole number from ${flag.min} to ${flag.max}, got "${text}"`);
    numbers[name] = value;
  }
  const [given, profile] = [text(values['database-url']), text(values['profile'])];
  const databaseUrl = given ?? (environmentUrl || table.defaultDatabaseUrl);
  if (databaseUrl !== undefined && !isPostgresUrl(databaseUrl)) {
    const from = given === undefined ? 'DATABASE_URL' : '--database-url';
    return wrong(`${from}: expected postgres://user:password@host:5432/database`);
  }
  const common: CommonOptions = { databaseUrl, json: values['json'] === true, profileDir: profile };
  return { kind: 'run', options: { ...(numbers as Record<keyof Flags, number>), ...common } };
}

const wrong = (message: string) => ({ kind: 'wrong', message }) as const;
const text = (value: string | boolean | undefined) => (typeof value === 'string' ? value : undefined);
const isPostgresUrl = (url: string) => /^postgres(?:ql)?:\/\//u.test(url) && URL.canParse(url);
const count = (value: number): string => value.toLocaleString('en');
