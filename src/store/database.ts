// The one way to a database: a PostgreSQL server, or the embedded one, behind the same pool and the same Prisma client.
// A backend that dies makes queries fail; it must never take the process with it.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { RelayError } from '../domain/errors.ts';
import { limitAnswers, type AnswerLimit } from '../runtime/answer-limit.ts';
import { openEmbedded } from './embedded/embedded-database.ts';
import { PrismaClient } from './generated/client.ts';

export type { PrismaClient };

/** The oldest server that the SQL here is tested on. */
const oldestServer = 150_000;
const serverConnections = 10;
/** The embedded database does one thing at a time; more connections only let short queries wait in its own queue. */
const embeddedConnections = 4;
const defaultStatementTimeoutMs = 30_000;
const connectTimeoutMs = 10_000;
/** Beyond the server's own limit: an answer that is later than this will not come, since the line or the server is dead. */
const silenceMs = 5_000;

/** The part of a logger that is needed here. */
export interface DatabaseLog {
  warn(fields: object, message: string): void;
}

export interface DatabaseOptions {
  /** `postgres://…`; left out or empty, the embedded database under `dataDir` is opened. */
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
  /**
   * How long one statement may run on a PostgreSQL server, 0 for no limit; a server that falls silent is given up a few
   * seconds later. The embedded one has no limit.
   */
  readonly statementTimeoutMs?: number | undefined;
  readonly log?: DatabaseLog | undefined;
}

export interface Database {
  readonly kind: 'postgres' | 'embedded';
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** For a connection beside the pool, without its time limit: migrations, and locks that belong to a session. */
  readonly connection: pg.ClientConfig;
  /** Ends every connection and, if it is ours, the database itself. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the database and proves that it answers. Throws RelayError `database_unreachable`, `database_too_old`,
 * `database_url_invalid`, or what `openEmbedded` throws; the messages say what to do and hold no password.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const warn = (message: string, error?: unknown) =>
    options.log?.warn(error === undefined ? {} : { error: plainMessage(error) }, message);
  if (!options.databaseUrl) {
    const embedded = await openEmbedded(options.dataDir, warn);
    const connection = { host: embedded.host, port: 5432, user: 'postgres', database: 'postgres' };
    const limits = { max: embeddedConnections, answerWithinMs: 0 };
    return assemble('embedded', connection, limits, warn, () => embedded.close());
  }
  const connection = inUtc(checkedUrl(options.databaseUrl));
  const statementTimeoutMs = options.statementTimeoutMs ?? defaultStatementTimeoutMs;
  const limits = {
    max: serverConnections,
    statement_timeout: statementTimeoutMs,
    answerWithinMs: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + silenceMs,
  };
  return assemble('postgres', connection, limits, warn, async () => {});
}

async function assemble(
  kind: Database['kind'],
  base: pg.ClientConfig,
  { answerWithinMs, ...limits }: pg.PoolConfig & Required<AnswerLimit>,
  warn: (message: string, error?: unknown) => void,
  closeServer: () => Promise<void>,
): Promise<Database> {
  const connection: pg.ClientConfig = {
    ...base,
    application_name: 'eventsub-relay',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
  };
  const pool = new pg.Pool({ ...connection, ...limits, idleTimeoutMillis: 30_000, allowExitOnIdle: false });
  pool.on('connect', (client) => limitAnswers(client, answerWithinMs));
  // Without a listener an idle connection that the server ends would be an uncaught exception.
  pool.on('error', (error) => warn('A database connection was lost.', error));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  let closing: Promise<void> | undefined;
  const close = async () => {
    await prisma.$disconnect();
    await pool.end();
    await closeServer();
  };
  try {
    await checkServer(pool);
  } catch (error) {
    await close();
    throw error;
  }
  return { kind, pool, prisma, connection, close: () => (closing ??= close()) };
}

async function checkServer(pool: pg.Pool): Promise<void> {
  let version: number;
  try {
    const answer = await pool.query<{ version: string }>(
      `SELECT current_setting('server_version_num') AS version`,
    );
    version = Number(answer.rows[0]?.version);
  } catch (error) {
    throw new RelayError(
      'database_unreachable',
      503,
      `The database does not answer: ${plainMessage(error)}. Check DATABASE_URL and that the server runs.`,
      { cause: error },
    );
  }
  if (version >= oldestServer) return;
  throw new RelayError(
    'database_too_old',
    500,
    `The database server is PostgreSQL ${Math.floor(version / 10_000)}; 15 or newer is needed.`,
  );
}

/**
 * Prisma's adapter reads and writes instants as if the session's zone were UTC, and `pg` as what they are: with the server's
 * own zone, what one wrote would be hours off for the other.
 */
function inUtc(text: string): pg.ClientConfig {
  const zone = '-c TimeZone=UTC';
  const url = new URL(text);
  const own = url.searchParams.get('options');
  if (own === null) return { connectionString: text, options: zone };
  // What the URL says would count instead.
  url.searchParams.set('options', `${own} ${zone}`);
  return { connectionString: url.href };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^postgres(ql)?:$/.test(url.protocol)) return text;
  throw new RelayError(
    'database_url_invalid',
    500,
    'DATABASE_URL is not of the form postgres://user:password@host:5432/database.',
  );
}

/** What went wrong, also where several addresses were tried and each failed for itself. */
function plainMessage(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(plainMessage).join('; ');
  return error instanceof Error ? error.message : String(error);
}
