// A database of the bench's own on the given server: empty at first, gone at the end.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Closing } from './clean-up.ts';

export interface BenchDatabase {
  /** Undefined: the relay's own, embedded one. */
  readonly url: string | undefined;
  /** For a person. */
  readonly name: string;
}

const connectWithinMs = 10_000;

/** Adds its own removal to `closing`. */
export async function createDatabase(
  serverUrl: string | undefined,
  closing: Closing,
): Promise<BenchDatabase> {
  if (serverUrl === undefined) return { url: undefined, name: 'the embedded database' };
  return createPostgres(serverUrl, closing);
}

export async function createPostgres(
  serverUrl: string,
  closing: Closing,
): Promise<BenchDatabase & { readonly url: string }> {
  const name = `relay_bench_${randomBytes(6).toString('hex')}`;
  const version = await withClient(serverUrl, async (client) => {
    await client.query(`CREATE DATABASE ${name}`);
    const answer = await client.query<{ server_version: string }>('SHOW server_version');
    // What follows the number names the packager.
    return answer.rows[0]?.server_version.split(' ')[0] ?? 'of an unknown version';
  });
  closing.push(() =>
    withClient(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  );
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, name: `PostgreSQL ${version}` };
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectWithinMs });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
