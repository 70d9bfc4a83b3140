// Tells "the database does not answer" from every other fault. Pure. Never decides by the prose of a message, save for
// pg's own faults that carry no code.

/** Connection exceptions (class 08), cut off by the time limit, shutting down or starting up, no slot left. */
const sqlStates = /^(08...|57014|57P0[123]|53300)$/;
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/**
 * prisma.io/docs/orm/reference/error-reference: unreachable, timed out, closed by the server, pool exhausted, a
 * transaction that could not begin or end in time.
 */
const prismaCodes = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);
/** What Prisma's driver adapters call the same conditions. */
const adapterKinds = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
  'TlsConnectionError',
]);
/** pg and pg-pool throw these as plain errors without a code. */
const codelessMessages = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Cannot use a pool after calling end on the pool',
  'Client was closed and is not queryable',
  'Client has encountered a connection error and is not queryable',
]);
const wrapped = ['cause', 'meta', 'driverAdapterError', 'errors', '0'] as const;
const maxDepth = 6;

/** True if the error, or one that it wraps, means that the same call may work once the database is back. */
export function isDatabaseAway(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > maxDepth) return false;
  const own = error as Readonly<Record<string, unknown>>;
  const code = own['code'];
  if (typeof code === 'string' && (sqlStates.test(code) || prismaCodes.has(code))) return true;
  if (typeof code === 'string' && networkCodes.has(code) && error instanceof Error) return true;
  const { originalCode, kind, message } = own;
  if (typeof originalCode === 'string' && sqlStates.test(originalCode)) return true;
  if (typeof kind === 'string' && adapterKinds.has(kind)) return true;
  if (typeof message === 'string' && codelessMessages.has(message)) return true;
  return wrapped.some((key) => isDatabaseAway(own[key], depth + 1));
}
