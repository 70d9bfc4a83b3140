// Which process is active on a PostgreSQL database: the one whose connection holds this lock. The lock is taken again when
// the connection was lost, and given up with the process. It does not keep anybody from writing: it says who may.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { pause, type Clock } from '../runtime/clock.ts';
import { deferred } from '../runtime/deferred.ts';

/** Any number but the one of the migrations: "owner" in ASCII. It fits into 63 bits, and the upper half is not 0. */
const lockKey = 0x6f776e6572;
const lockHigh = Math.floor(lockKey / 2 ** 32);
const lockLow = lockKey % 2 ** 32;
const channel = 'relay_take_over';
const answerMs = 5_000;
/** How often a connection on which nothing happens is tried: a dead one would leave us the only ones who believe in it. */
const probeEveryMs = 10_000;
const regainEveryMs = 250;

/** Asked to make room for another relay, or found that another one has taken the place. */
export type Superseded = 'asked' | 'lost';

export interface OwnershipLog {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export class Ownership {
  /** Settles when this process is to stop; never rejects. */
  readonly superseded: Promise<Superseded>;
  readonly #deps: { connection: pg.ClientConfig; clock: Clock; log: OwnershipLog };
  /** Tells our own connections from those of others, also one that the server has not given up yet. */
  readonly #name = `eventsub-relay owner ${randomUUID().slice(0, 8)}`;
  readonly #end = deferred<Superseded>();
  readonly #stop = new AbortController();
  readonly #loops = new Set<Promise<void>>();
  #client: pg.Client | undefined;
  #held = false;

  constructor(deps: { connection: pg.ClientConfig; clock: Clock; log: OwnershipLog }) {
    this.#deps = deps;
    this.superseded = this.#end.promise;
  }

  /** Whether this process has the database now. Rejects when it does not answer. */
  async tryTake(): Promise<boolean> {
    if (this.#held) return true;
    const client = this.#client ?? (await this.#connect());
    try {
      if (!(await taken(client))) {
        await this.#endOwnZombies(client);
        if (!(await taken(client))) return false;
      }
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      // What came of it nobody knows: the next try begins with a connection that says.
      this.#discard(client);
      throw error;
    }
    this.#held = true;
    this.#run(this.#probe(client));
    return true;
  }

  /** Asks whoever is active to stop. */
  async ask(): Promise<void> {
    const client = this.#client ?? (await this.#connect());
    await client.query('SELECT pg_notify($1, $2)', [channel, this.#name]);
  }

  /** Gives the database up; whoever waits for it may have it then. */
  async release(): Promise<void> {
    this.#stop.abort();
    await this.#close();
    await Promise.all(this.#loops);
    // One that was being opened meanwhile.
    await this.#close();
  }

  async #close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#held = false;
    await client?.end().catch(() => undefined);
  }

  #discard(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
    client.connection.stream.destroy();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      ...this.#deps.connection,
      application_name: this.#name,
      query_timeout: answerMs,
    });
    // What is under way fails by itself; the end follows.
    client.on('error', () => undefined);
    client.on('notification', ({ payload }) => {
      if (this.#held && payload !== this.#name) this.#end.resolve('asked');
    });
    client.on('end', () => this.#lost(client));
    await client.connect();
    this.#client = client;
    return client;
  }

  #lost(client: pg.Client): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    if (!this.#held || this.#stop.signal.aborted) return;
    this.#held = false;
    this.#deps.log.warn({}, 'the connection that holds the database was lost; it is taken again');
    this.#run(this.#regain());
  }

  async #regain(): Promise<void> {
    const { clock, log } = this.#deps;
    while (!this.#stop.signal.aborted) {
      try {
        if (await this.tryTake()) return log.info({}, 'the database is held again');
        log.warn({}, 'another relay has taken the database');
        return this.#end.resolve('lost');
      } catch {
        // The database is away: nobody else can take it either.
      }
      await pause(clock, regainEveryMs, this.#stop.signal);
    }
  }

  async #probe(client: pg.Client): Promise<void> {
    while ((await pause(this.#deps.clock, probeEveryMs, this.#stop.signal)) === 'elapsed') {
      if (client !== this.#client) return;
      try {
        await client.query('SELECT 1');
      } catch {
        // Its end is told, and it is taken again.
        client.connection.stream.destroy();
      }
    }
  }

  /** A connection of ours that broke on the way may live on at the server, and hold the lock against us. */
  async #endOwnZombies(client: pg.Client): Promise<void> {
    await client.query(
      `SELECT pg_terminate_backend(l.pid, 1000) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.granted
          AND a.application_name = $3 AND l.pid <> pg_backend_pid()`,
      [lockHigh, lockLow, this.#name],
    );
  }

  #run(work: Promise<void>): void {
    const loop = work.finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }
}

async function taken(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
    lockKey,
  ]);
  return rows[0]?.taken ?? false;
}
