// What a failed append means: the database is away (the same statement will do later) or it refuses what it was given
// (the same statement never will). Pure. When in doubt it is away: waiting loses nothing, dropping does.

export type AppendFault = 'away' | 'refused';

/**
 * Data exceptions (22: bad text, bad uuid), violated not-null and check constraints, program limits (54: a value too
 * big). Not unique violations: only a damaged head can cause one, and then every record would be thrown away.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const refusals = [/^22/, /^23502$/, /^23514$/, /^54/];

export function appendFault(error: unknown): AppendFault {
  const code = codeOf(error);
  return code !== undefined && refusals.some((refusal) => refusal.test(code)) ? 'refused' : 'away';
}

/** The SQLSTATE or system error code, or the error's name: never its text, which may quote what was sent. */
export function faultName(error: unknown): string {
  return codeOf(error) ?? (error instanceof Error ? error.name : typeof error);
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
