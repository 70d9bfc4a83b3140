// The flags of the bench, as a table.
import type { FlagTable, Options } from '../kit/flags.ts';

const numbers = {
  rounds: { default: 5, min: 5, max: 100, what: 'rounds of each kind, of which a pair takes some 22 s' },
} as const;

export const flags: FlagTable<typeof numbers> = {
  name: 'neighbours',
  about: `How soon an event reaches a hundred receivers, alone and beside a receiver of the same service that hangs: in turns, so that
whatever else the machine does meets both.`,
  numbers,
  defaultDatabaseUrl: undefined,
};

export type NeighboursOptions = Options<typeof numbers>;
