// The flags of the bench, parsed and explained. Pure.
import { parseArgs } from 'node:util';
import { databaseUrlFault, wrong } from '../webhooks/options.ts';
import type { ParsedOptions } from '../webhooks/options.ts';

const defaultRounds = 5;

export const usage = `npm run bench:neighbours -- [options]

How soon an event reaches a hundred receivers, alone and beside a receiver of the same service that hangs: in turns, so that
whatever else the machine does meets both.

  --rounds N           how many of each kind, 5 to 100 (default ${defaultRounds}); a pair takes some 22 s
  --database-url URL   a server on which a database may be created, which is dropped at the end
                       (default DATABASE_URL, else the embedded database)
  --json               stdout is one line, the result as JSON
  --help               this text

Exit code: 0; 1 if an event was lost; 2 for a wrong option, or if the bench could not run; 130 if it was interrupted.`;

export interface NeighboursOptions {
  readonly rounds: number;
  /** Undefined: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly json: boolean;
}

/** `fallbackUrl`: the database's, from the environment. */
export function parseOptions(
  argv: readonly string[],
  fallbackUrl: string | undefined,
): ParsedOptions<NeighboursOptions> {
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        rounds: { type: 'string', default: String(defaultRounds) },
        'database-url': { type: 'string' },
        json: { type: 'boolean', default: false },
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
  const rounds = /^\d{1,3}$/u.test(values.rounds) ? Number(values.rounds) : Number.NaN;
  if (!(rounds >= 5 && rounds <= 100))
    return wrong(`--rounds: expected a whole number from 5 to 100, got "${values.rounds}"`);
  const given = values['database-url'];
  const databaseUrl = given ?? (fallbackUrl || undefined);
  const fault = databaseUrl === undefined ? undefined : databaseUrlFault(databaseUrl);
  if (fault !== undefined)
    return wrong(`${given === undefined ? 'DATABASE_URL' : '--database-url'}: ${fault}`);
  return { kind: 'run', options: { rounds, databaseUrl, json: values.json } };
}
