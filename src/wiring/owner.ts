// Who is active on the database: this process at once, after a predecessor that is ending, or later (it stands by). Says
// no where two would be active, and where one could not stand by.
import { RelayError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import { pause, type Clock } from '../runtime/clock.ts';
import type { Database } from '../store/database.ts';
import { migrationState } from '../store/migrate.ts';
import { Ownership, type Superseded } from '../store/ownership.ts';

/** `alone`: active or nothing. `stand-by`: active when the other one is not any more. `take-over`: asks the other one to stop. */
export type Role = 'alone' | 'stand-by' | 'take-over';

export interface Owner {
  /** False while another relay is active. */
  readonly isActive: boolean;
  /** Settles when this process is to stop; never with the embedded database. */
  readonly superseded: Promise<Superseded>;
  /** Whether the database has become this process's. Rejects when it does not answer. */
  tryTake(): Promise<boolean>;
  /** Asks whoever is active to stop. */
  ask(): Promise<void>;
}

/** A predecessor that died, or is closing its last connections, is gone by then. */
const predecessorMs = 5_000;
export const ownerPollMs = 200;

/**
 * Throws RelayError `database_owned`, `stand_by_needs_postgres` or `take_over_needs_same_schema`; nothing has been written
 * then, and nothing is held.
 */
export async function becomeOwner(parts: {
  readonly database: Database;
  readonly role: Role;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly closing: (() => Promise<unknown>)[];
}): Promise<Owner> {
  const { database, role, clock, log, signal, closing } = parts;
  checkRole(role, database.kind);
  if (database.kind === 'embedded') {
    return {
      isActive: true,
      superseded: new Promise(() => {}),
      tryTake: async () => true,
      ask: async () => {},
    };
  }
  const ownership = new Ownership({ connection: database.connection, clock, log });
  closing.push(() => ownership.release());
  const { superseded } = ownership;
  const owner = { superseded, tryTake: () => ownership.tryTake(), ask: () => ownership.ask() };
  if (await ownership.tryTake()) return { ...owner, isActive: true };
  if (role !== 'alone') {
    const { pending } = await migrationState(database.pool);
    if (pending.length > 0) throw needsSameSchema(role, pending);
    return { ...owner, isActive: false };
  }
  for (let waitedMs = 0; waitedMs < predecessorMs && !signal.aborted; waitedMs += ownerPollMs) {
    await pause(clock, ownerPollMs, signal);
    if (await ownership.tryTake()) return { ...owner, isActive: true };
  }
  throw new RelayError(
    'database_owned',
    409,
    'Another relay is active on this database. Stop it, or start this one with --take-over (which stops it without a gap) or --stand-by.',
  );
}

/** To be asked before anything is opened. Throws RelayError `stand_by_needs_postgres`. */
export function checkRole(role: Role, kind: Database['kind']): void {
  if (role !== 'alone' && kind === 'embedded') throw needsPostgres(role);
}

const needsPostgres = (role: Role) =>
  new RelayError(
    'stand_by_needs_postgres',
    409,
    `--${role} needs a PostgreSQL server (DATABASE_URL): the embedded database serves one process, so nobody can stand by beside it. ` +
      'Stop the relay and start it again: what happens in between is declared as a gap.',
  );

const needsSameSchema = (role: Role, pending: readonly string[]) =>
  new RelayError(
    'take_over_needs_same_schema',
    409,
    `This version changes the database (${pending.join(', ')}), and the relay that is active would go on with the old code: ` +
      `--${role} is refused. Stop the old one first and start this one without it; what happens in between is declared as a gap.`,
  );
