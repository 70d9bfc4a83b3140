// The flags of the bench, as a table.
import { localPostgres } from '../kit/flags.ts';
import type { FlagTable, Options } from '../kit/flags.ts';

const numbers = {
  rows: {
    default: 10_000_000,
    min: 20_000,
    max: 100_000_000,
    what: 'rows of the largest log, about a kilobyte of disk each',
  },
  behind: { default: 1_000_000, min: 10_000, max: 100_000_000, what: 'rows by which the consumer is behind' },
  events: { default: 50_000, min: 1_000, max: 1_000_000, what: 'events that it reads per turn' },
  rounds: { default: 5, min: 1, max: 50, what: 'rounds, in each of which every log has its turn' },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'resume',
  about: `Fills the logs of three relays with 10,000, 1,000,000 and --rows rows, by SQL, and lets a consumer that wants every second of
them read on from far behind, while 200 new events a second arrive.`,
  numbers,
  defaultDatabaseUrl: localPostgres,
};

export type ResumeOptions = Options<typeof numbers>;
