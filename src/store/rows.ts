// Small conversions between columns and values that several aggregates share. Pure.
import { Prisma } from './generated/client.ts';

export const millis = (date: Date | null): number | null => (date === null ? null : date.getTime());
export const instant = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

/** Text from outside as the database can hold it: anything but NUL, one of which would cost the whole statement. */
export const storable = (text: string): string => text.replaceAll('\0', '\u{fffd}');

/** PostgreSQL's unique violation as Prisma reports it. */
export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';

/** That a row to be changed is not there, as Prisma reports it. */
export const isMissingRow = (error: unknown): boolean =>
  error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2025';

/** The name of the foreign key that a statement on the pool broke, or undefined for any other fault. */
export function brokenForeignKey(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && error.code === '23503')) return undefined;
  return 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : '';
}

/**
 * Whether the server has judged a statement that may be in order but for one of its rows: a value that it does not take, a
 * rule that is broken, a lock that was not had. False when it is away, or has no room: then every other one fails as well.
 */
export const mayBeOneRow = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^(22...|23...|40...|55P03|57014)$/.test(error.code);

const uuidShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text can be an id here; the database would refuse any other instead of finding nothing. */
export const isUuid = (text: string): boolean => uuidShape.test(text);
