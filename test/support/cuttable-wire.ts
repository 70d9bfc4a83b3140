// A wire between the relay and its database that can be cut at the worst moment: after the server has answered a commit
// and before the answer arrives. Counts how often it did.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import pg from 'pg';

export class CuttableWire implements AsyncDisposable {
  readonly #server = createServer((client) => this.#join(client));
  readonly #sockets = new Set<Socket>();
  readonly #target: () => Socket;
  readonly #pools: pg.Pool[] = [];
  readonly #config: pg.ClientConfig;
  #armed = false;
  #refusing = false;
  cuts = 0;

  private constructor(config: pg.ClientConfig) {
    this.#config = config;
    const client = new pg.Client(config);
    const { host, port } = client;
    this.#target = () => (host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host));
  }

  static async open(config: pg.ClientConfig): Promise<CuttableWire> {
    const wire = new CuttableWire(config);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  /** The same database, reached through the wire. */
  get url(): string {
    const { user, database } = new pg.Client(this.#config);
    const { port } = this.#server.address() as AddressInfo;
    return `postgres://${user ?? 'postgres'}@127.0.0.1:${port}/${database ?? 'postgres'}`;
  }

  /** A pool through the wire. */
  pool(max = 2): pg.Pool {
    const { user, database, password } = new pg.Client(this.#config);
    const { port } = this.#server.address() as AddressInfo;
    const pool = new pg.Pool({
      host: '127.0.0.1',
      port,
      user: user ?? 'postgres',
      database: database ?? 'postgres',
      password: password ?? '',
      max,
    });
    pool.on('error', () => {});
    this.#pools.push(pool);
    return pool;
  }

  /** The next answer is lost together with its connection. */
  cutNextAnswer(): void {
    this.#armed = true;
  }

  /** The database is away: connections end and none is accepted, until told otherwise. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    if (refusing) for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pool of this.#pools) await pool.end();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket): void {
    if (this.#refusing) return void client.destroy();
    const server = this.#target();
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => {
      if (!this.#armed) return void client.write(data);
      this.#armed = false;
      this.cuts++;
      client.destroy();
    });
  }
}
