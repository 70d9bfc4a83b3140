// A database of the bench's own on the given server: empty at first, gone at the end.
import { randomBytes } from 'node:crypto';
import pg from 'pg';

export interface BenchDatabase {
  readonly url: string;
  readonly version: string;
  drop(): Promise<void>;
}

const connectWithinMs = 10_000;

export async function createDatabase(serverUrl: string): Promise<BenchDatabase> {
  const name = `relay_bench_${randomBytes(6).toString('hex')}`;
  const version = await withClient(serverUrl, async (client) => {
    await client.query(`CREATE DATABASE ${name}`);
    const answer = await client.query<{ server_version: string }>('SHOW server_version');
    // What follows the number names the packager.
    return answer.rows[0]?.server_version.split(' ')[0] ?? 'unknown';
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const drop = async () => {
    await withClient(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  };
  return { url: url.href, version, drop };
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
