// Faults of the database: PostgreSQL goes away, comes back, is slow, silent, full; the embedded one's thread dies. None of
// them keeps Twitch from telling the relay, so whatever it told has to be there afterwards.
import pg from 'pg';
import type { FaultKind, OwnPostgres, Played, Stage, Wire } from '../contract.ts';

const cannotBeWritten = 'the log cannot be written; events are held back';
const canBeWritten = 'the log can be written again';
/** Long enough that batches meet the fault, far from filling what is held back. */
const shortMs = 1_500;
/** As an upgrade of the server takes. */
const longOutageMs = 30_000;

interface Server {
  readonly postgres: OwnPostgres;
  readonly wire: Wire;
}

function serverOf({ postgres, databaseWire }: Stage): Server {
  if (!postgres || !databaseWire) throw new Error('there is no PostgreSQL on this stage');
  return { postgres, wire: databaseWire };
}

const linesSaying = ({ relay }: Stage, msg: string) => relay.log.filter((line) => line.msg === msg).length;

/** Plays it and answers how often the relay said that it could not write. */
async function outage(stage: Stage, fault: () => Promise<void>): Promise<Played> {
  const from = Date.now();
  const before = linesSaying(stage, cannotBeWritten);
  await fault();
  await failsBy(stage, before);
  return { fired: linesSaying(stage, cannotBeWritten) - before, from, to: Date.now() };
}

const failsBy = (stage: Stage, before: number) =>
  stage.until(() => linesSaying(stage, cannotBeWritten) > before, 'a batch that fails');

/** The wire misbehaves for a while; what it did is counted. */
async function badWire(stage: Stage, misbehave: (wire: Wire) => void): Promise<Played> {
  const { wire } = serverOf(stage);
  const from = Date.now();
  const before = wire.disturbed;
  misbehave(wire);
  try {
    await stage.lasts(shortMs);
    await stage.until(() => wire.disturbed > before, 'traffic that meets the wire');
  } finally {
    wire.flow();
  }
  return { fired: wire.disturbed - before, from, to: Date.now() };
}

const about = { group: 'database', databases: ['postgres'], mayLose: false } as const;

export const databaseKinds: readonly FaultKind[] = [
  {
    ...about,
    name: 'postgres-stopped',
    what: 'PostgreSQL is stopped, stays away (for 30 s in the full programme), and comes back',
    play: (stage) =>
      outage(stage, async () => {
        const { postgres } = serverOf(stage);
        const before = linesSaying(stage, cannotBeWritten);
        await postgres.stop('fast');
        try {
          await failsBy(stage, before);
          await stage.lasts(stage.isLong ? longOutageMs : shortMs);
        } finally {
          await postgres.start();
        }
      }),
  },
  {
    ...about,
    name: 'postgres-crashed',
    what: 'PostgreSQL is stopped at once in the middle of commits, as in a crash, and recovers',
    play: (stage) =>
      outage(stage, async () => {
        const { postgres } = serverOf(stage);
        await postgres.stop('immediate');
        await postgres.start();
      }),
  },
  {
    ...about,
    name: 'postgres-connections-killed',
    what: 'PostgreSQL ends every connection, three times within a second',
    async play(stage) {
      const { postgres } = serverOf(stage);
      const from = Date.now();
      let fired = 0;
      for (let n = 0; n < 3; n++) {
        fired += await stage.until(
          async () => (await postgres.killConnections()) || undefined,
          'connections to kill',
        );
        await stage.lasts(300);
      }
      return { fired, from, to: Date.now() };
    },
  },
  {
    ...about,
    name: 'postgres-slow',
    what: 'every chunk between the relay and PostgreSQL takes 200 ms',
    play: (stage) => badWire(stage, (wire) => wire.slow(200)),
  },
  {
    ...about,
    name: 'postgres-silent',
    what: 'nothing passes between the relay and PostgreSQL and nobody is told; then it flows on',
    play: (stage) => badWire(stage, (wire) => wire.silence()),
  },
  {
    ...about,
    name: 'postgres-half-open',
    what: 'PostgreSQL falls silent, and what was open then never comes back to life: it is reset',
    play: (stage) =>
      badWire(stage, (wire) => {
        wire.silence();
        setTimeout(() => wire.reset(), shortMs / 2);
      }),
  },
  {
    ...about,
    name: 'postgres-refused',
    what: 'open connections to PostgreSQL are reset and new ones are refused',
    play: (stage) =>
      badWire(stage, (wire) => {
        wire.refuse();
        wire.reset();
      }),
  },
  {
    ...about,
    name: 'postgres-disk-full',
    what: 'the log cannot grow: every insert ends with SQLSTATE 53100 (disk_full), raised by a trigger',
    play: (stage) =>
      outage(stage, async () => {
        await using database = await relaysDatabase(serverOf(stage).postgres);
        const before = linesSaying(stage, cannotBeWritten);
        await database.query(diskFull);
        try {
          await failsBy(stage, before);
          await stage.lasts(shortMs / 2);
        } finally {
          await database.query('DROP TRIGGER disk_full ON event');
        }
        await stage.until(
          () => linesSaying(stage, canBeWritten) > 0 && isWritable(stage),
          'the log to be written again',
        );
      }),
  },
  {
    ...about,
    databases: ['embedded'],
    name: 'embedded-thread-dies',
    what: "the embedded database's thread ends in the middle of a statement, without writing anything",
    play: (stage) =>
      outage(stage, async () => {
        const count = await stage.relay.killDatabase();
        if (count !== 1) throw new Error(`${count} threads were ended`);
      }),
  },
  {
    ...about,
    databases: ['embedded', 'postgres'],
    mayLose: true,
    name: 'relay-killed',
    what: 'the relay is ended with SIGKILL under load, and again right after its start',
    async play(stage) {
      const from = Date.now();
      for (let n = 0; n < 2; n++) {
        await stage.relay.kill();
        await stage.relay.start();
        await stage.lasts(100 + stage.random() * 200);
      }
      return { fired: 2, from, to: Date.now() };
    },
  },
  {
    ...about,
    databases: ['embedded'],
    mayLose: true,
    name: 'embedded-restarted',
    what: 'the relay is stopped with SIGTERM while many statements are under way, twice',
    async play(stage) {
      const from = Date.now();
      for (let n = 0; n < 2; n++) {
        for (const topic of stage.topics) for (let i = 0; i < 5; i++) stage.happen(topic);
        const code = await stage.relay.stop();
        await stage.relay.start();
        if (code !== 0) throw new Error(`the relay ended with ${String(code)}`);
      }
      return { fired: 2, from, to: Date.now() };
    },
  },
];

/** Whether the last word about writing was a good one. */
function isWritable({ relay }: Stage): boolean {
  const last = relay.log.findLast(({ msg }) => msg === cannotBeWritten || msg === canBeWritten);
  return last === undefined || last.msg === canBeWritten;
}

/** A file system for the log alone would need rights that a test does not have; the relay sees the same SQLSTATE. */
const diskFull = `
  CREATE OR REPLACE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
  CREATE TRIGGER disk_full BEFORE INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION disk_full()`;

/** Past the wire, into the database that the relay uses. */
async function relaysDatabase(postgres: OwnPostgres) {
  const [used] = await postgres.query<{ datname: string }>(
    `SELECT datname FROM pg_stat_activity WHERE application_name = 'eventsub-relay' ORDER BY backend_start DESC LIMIT 1`,
  );
  if (!used) throw new Error('the relay has no connection');
  const url = new URL(postgres.url);
  url.pathname = used.datname;
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: (sql: string) => client.query(sql),
    [Symbol.asyncDispose]: () => client.end(),
  };
}
