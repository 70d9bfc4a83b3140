// The flags of the bench, parsed and explained. Pure.
import { parseArgs } from 'node:util';

const defaults = { events: 20_000, databaseUrl: 'postgres://postgres@127.0.0.1:5432/postgres' } as const;

export const usage = `npm run bench:webhooks -- [options]

Sends events through a relay on PostgreSQL to one webhook endpoint: most of them at once, then a tenth, at most 2,000, at a
steady pace.

  --events N           how many in all, 1,000 to 1,000,000 (default ${defaults.events})
  --database-url URL   a server on which a database may be created, which is dropped at the end
                       (default ${defaults.databaseUrl})
  --json               stdout is one line, the result as JSON
  --profile DIR        the relay writes a CPU profile of its whole life there
  --help               this text

Exit code: 0; 1 if an event was lost or the bench could not run; 2 for a wrong option; 130 if it was interrupted.`;

export interface BenchOptions {
  readonly events: number;
  readonly databaseUrl: string;
  readonly json: boolean;
  readonly profileDir: string | undefined;
}

export type ParsedOptions<Options = BenchOptions> =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

export const wrong = (message: string) => ({ kind: 'wrong', message }) as const;

/** What is wrong with it, if anything. It is not shown: it may hold a password. */
export const databaseUrlFault = (url: string): string | undefined =>
  /^postgres(?:ql)?:\/\//u.test(url) && URL.canParse(url)
    ? undefined
    : 'expected postgres://user:password@host:5432/database';

export function parseOptions(argv: readonly string[]): ParsedOptions {
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        events: { type: 'string', default: String(defaults.events) },
        'database-url': { type: 'string', default: defaults.databaseUrl },
        json: { type: 'boolean', default: false },
        profile: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  let values: ReturnType<typeof read>;
  try {
    values = read();
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return { kind: 'help' };
  const events = /^\d{4,7}$/u.test(values.events) ? Number(values.events) : Number.NaN;
  if (!(events >= 1_000 && events <= 1_000_000))
    return wrong(`--events: expected a whole number from 1000 to 1000000, got "${values.events}"`);
  const databaseUrl = values['database-url'];
  const fault = databaseUrlFault(databaseUrl);
  if (fault !== undefined) return wrong(`--database-url: ${fault}`);
  return { kind: 'run', options: { events, databaseUrl, json: values.json, profileDir: values.profile } };
}
