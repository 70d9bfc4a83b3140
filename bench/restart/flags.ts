// The flags of the bench, as a table.
import { localPostgres } from '../kit/flags.ts';
import type { FlagTable, Options } from '../kit/flags.ts';

const numbers = {
  rounds: { default: 5, min: 1, max: 50, what: 'restarts of each relay' },
  topics: { default: 20, min: 1, max: 300, what: 'topics of each bot' },
  'latency-ms': {
    default: 50,
    min: 0,
    max: 10_000,
    what: 'how long the platform takes for each answer, in ms',
  },
  'most-bots': {
    default: 50,
    min: 10,
    max: 500,
    what: 'bots of the largest relay; the others have 1 and 10',
  },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'restart',
  about: `Kills a relay with SIGKILL, starts it again and waits until every topic is confirmed on a new session, with 1, 10 and 50 bots in
turns. The ideal is what one bot's calls take if nothing else takes any time: one list and a create for each topic, one after
another.`,
  numbers,
  defaultDatabaseUrl: localPostgres,
};

export type RestartOptions = Options<typeof numbers>;
