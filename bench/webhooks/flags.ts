// The flags of the bench, as a table.
import { localPostgres } from '../kit/flags.ts';
import type { FlagTable, Options } from '../kit/flags.ts';

const numbers = {
  events: { default: 20_000, min: 1_000, max: 1_000_000, what: 'how many events at once' },
  rounds: { default: 3, min: 1, max: 100, what: 'how often each contender has its turn' },
  warm: {
    default: 5_000,
    min: 0,
    max: 1_000_000,
    what: 'how many events each is sent before it is measured',
  },
  peers: {
    default: 1,
    min: 0,
    max: 1,
    what: '0: the relay alone, for which bench/node_modules is not needed',
  },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'webhooks',
  about:
    'Sends events through the relay to one webhook endpoint, and through job queues and a bare loop to the same receiver: ' +
    'many at once, then a twentieth, at most 1,000, at a steady pace.',
  numbers,
  defaultDatabaseUrl: localPostgres,
};

export type WebhooksOptions = Options<typeof numbers>;
