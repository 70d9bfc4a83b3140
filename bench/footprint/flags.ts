// The flags of the bench, as a table.
import { localPostgres } from '../kit/flags.ts';
import type { FlagTable, Options } from '../kit/flags.ts';

const numbers = {
  rounds: { default: 3, min: 1, max: 50, what: 'fresh processes of each kind' },
  consumers: { default: 2_000, min: 10, max: 10_000, what: 'idle consumers' },
  'settle-seconds': { default: 90, min: 1, max: 600, what: 'how long nothing happens before memory is read' },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'footprint',
  about: `Starts a relay with an empty and with a known database, on PostgreSQL and on the embedded one; reads its resident memory at rest
and with idle relay.v1 consumers. In turns with it a plain ws server, and a socket.io server if bench/ has its packages, get as
many idle sockets.`,
  numbers,
  defaultDatabaseUrl: localPostgres,
};

export type FootprintOptions = Options<typeof numbers>;
