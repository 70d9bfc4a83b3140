// A PostgreSQL server of this run's own in a scratch directory, so that stopping it disturbs nobody. It really syncs: what
// a crash of it may lose is PostgreSQL's own promise.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, chown } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { OwnPostgres } from './contract.ts';

const run = promisify(execFile);
const installed = '/usr/lib/postgresql';

export class ScratchPostgres implements OwnPostgres, AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #bin: string;
  readonly #folder: string;

  private constructor(bin: string, folder: string, port: number) {
    this.#bin = bin;
    this.#folder = folder;
    this.port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  /** Made, started and empty. Rejects where PostgreSQL is not installed. */
  static async open(): Promise<ScratchPostgres> {
    const bin = await newestBin();
    const folder = await mkdtemp(join(tmpdir(), 'relay-faults-pg-'));
    if (isRoot()) {
      const { stdout } = await run('id', ['-u', 'postgres']);
      await chown(folder, Number(stdout.trim()), -1);
    }
    const server = new ScratchPostgres(bin, folder, await freePort());
    await asPostgres(join(bin, 'initdb'), ['-D', server.#data, '-U', 'postgres', '-A', 'trust', '-N']);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const options = `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${this.#folder} -c fsync=on`;
    const log = join(this.#folder, 'log');
    await asPostgres(join(this.#bin, 'pg_ctl'), ['-D', this.#data, '-w', '-l', log, '-o', options, 'start']);
  }

  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    await asPostgres(join(this.#bin, 'pg_ctl'), ['-D', this.#data, '-w', '-m', mode, 'stop']);
  }

  async killConnections(): Promise<number> {
    const [row] = await this.query<{ killed: number }>(
      `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::int AS killed FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND backend_type = 'client backend'`,
    );
    return row?.killed ?? 0;
  }

  async query<Row extends object>(sql: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('immediate').catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }
}

const isRoot = () => process.getuid?.() === 0;

/** It refuses to run as root. */
async function asPostgres(command: string, args: readonly string[]): Promise<void> {
  const [file, all] = isRoot()
    ? ['runuser', ['-u', 'postgres', '--', command, ...args]]
    : [command, [...args]];
  // The server that pg_ctl leaves behind keeps the pipes open: nobody may wait for their end.
  await new Promise<void>((resolve, reject) => {
    const child = execFile(file, all, { cwd: tmpdir() });
    let said = '';
    child.stderr?.on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.at(-1) ?? ''}: ${said || String(code)}`)),
    );
  });
}

async function newestBin(): Promise<string> {
  const versions = await readdir(installed).catch(() => []);
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return join(installed, newest, 'bin');
}

/** Free a moment ago; kept by nobody meanwhile. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
