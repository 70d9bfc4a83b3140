// The flags of the bench, as a table.
import { localPostgres } from '../kit/flags.ts';
import type { FlagTable, Options } from '../kit/flags.ts';

/** Of a larger burst the relay may have to hold more than INGEST_BUFFER_EVENTS, and then says so in a gap. */
const largestBurst = 45_000;

const numbers = {
  events: { default: 30_000, min: 1_000, max: largestBurst, what: 'events per contender and round' },
  rounds: { default: 3, min: 1, max: 50, what: 'rounds, in each of which every contender has its turn' },
  bots: {
    default: 50,
    min: 2,
    max: 500,
    what: 'bots, each with a session of its own, for the second figure',
  },
  topics: { default: 8, min: 1, max: 20, what: 'topics of each bot' },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'ingest',
  about: `Sends notifications as fast as the relay takes them and looks at its log in PostgreSQL for when they are committed: over one
bot's session, and over all bots' sessions. In turns with it a plain program inserts the same rows in batches.`,
  numbers,
  defaultDatabaseUrl: localPostgres,
};

export type IngestOptions = Options<typeof numbers>;
