// The durable retry set: events that an endpoint is owed beside its cursor, and which number each of their sendings had.
// Whoever writes rows of an endpoint holds the endpoint's lock, so that no number is read while another one raises it.
import { z } from 'zod';
import type { StoreContext } from './context.ts';
import { instant, millis } from './rows.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

/** What names a delivery: `run` is '' for what the cursor passed, else the id of a replay. */
export interface DeliveryKey {
  readonly endpointId: string;
  readonly seq: number;
  readonly run: string;
}

/** An event owed beside the cursor. */
export interface OwedDelivery extends DeliveryKey {
  /** Of the last sending; 0 if there was none. */
  readonly attempt: number;
  /** Steps of the retry schedule used up. */
  readonly spent: number;
  readonly nextAt: number;
  /** Until when later events of the lane wait for it; null: they do not. */
  readonly blocksUntil: number | null;
  /** What its age counts from. */
  readonly bornAt: number;
}

/** A run that has something to be claimed. */
export interface DueRun {
  readonly run: string;
  readonly nextAt: number;
}

/** What becomes of an owed delivery after a sending: gone (null) or owed again. */
export interface Settlement extends DeliveryKey {
  readonly next: Pick<OwedDelivery, 'spent' | 'nextAt' | 'blocksUntil'> | null;
}

export interface ReplayRun {
  readonly endpointId: string;
  readonly run: string;
  readonly seqs: readonly number[];
  readonly now: number;
}

export interface Deliveries {
  /**
   * Adds to the retry set, in one statement. A row that is there already keeps the higher `attempt` and stays otherwise;
   * endpoints that are gone are passed over.
   */
  park(deliveries: readonly OwedDelivery[]): Promise<void>;
  /** What the cursor passed (`run` '') and is still owed, behind `after`, in order. */
  parkedAfter(endpointId: string, after: number): Promise<number[]>;
  /** What still holds up its lane at `now`, in order. */
  blocking(endpointId: string, now: number): Promise<OwedDelivery[]>;
  /** Every run with deliveries that are not claimed, and when its next one is due. */
  runs(endpointId: string): Promise<DueRun[]>;
  /** When the run's next delivery that is not claimed is due; null when there is none. */
  nextDue(endpointId: string, run: string): Promise<number | null>;
  /** How many are owed, claimed or not. */
  countOwed(endpointId: string): Promise<number>;
  /**
   * Takes deliveries of the run that are due, in the order of `nextAt` and `seq`, and raises the attempt number of each
   * event, in whatever run, and the endpoint's own, before they are sent. The answer carries the raised number.
   */
  claim(endpointId: string, run: string, now: number, limit: number): Promise<OwedDelivery[]>;
  /** Nothing of the run is claimed any more: for a claim whose answer was lost. */
  takeBack(endpointId: string, run: string): Promise<void>;
  /** All in one statement. No longer claimed, or gone. */
  settle(settlements: readonly Settlement[]): Promise<void>;
  /**
   * One row per position, due at `now`, with the highest attempt number that any sending of the event is known to have had
   * or any at all of the endpoint. Answers how many were added; none when the endpoint is gone.
   */
  addRun(run: ReplayRun): Promise<number>;
}

export function createDeliveries(context: StoreContext): Deliveries {
  const { pool } = context.database;
  return {
    async park(deliveries) {
      if (deliveries.length > 0) await pool.query(parkSql, parkParameters(highestOfEach(deliveries)));
    },
    async parkedAfter(endpointId, after) {
      const answer = await pool.query<{ seq: string }>(
        `SELECT seq FROM delivery WHERE endpoint_id = $1 AND run = '' AND seq > $2 ORDER BY seq`,
        [endpointId, after],
      );
      return answer.rows.map(({ seq }) => Number(seq));
    },
    async blocking(endpointId, now) {
      const answer = await pool.query(
        `SELECT ${columns} FROM delivery d WHERE d.endpoint_id = $1 AND d.blocks_until > $2 ORDER BY d.seq, d.run`,
        [endpointId, new Date(now)],
      );
      return answer.rows.map(toOwed);
    },
    async runs(endpointId) {
      const answer = await pool.query<{ run: string; next_at: Date }>(runsSql, [endpointId]);
      return answer.rows.map(({ run, next_at }) => ({ run, nextAt: next_at.getTime() }));
    },
    async nextDue(endpointId, run) {
      const answer = await pool.query<{ next_at: Date }>(
        `SELECT next_at FROM delivery WHERE endpoint_id = $1 AND run = $2 AND NOT claimed
          ORDER BY next_at, seq LIMIT 1`,
        [endpointId, run],
      );
      return answer.rows[0]?.next_at.getTime() ?? null;
    },
    async countOwed(endpointId) {
      const sql = 'SELECT count(*)::int AS owed FROM delivery WHERE endpoint_id = $1';
      return (await pool.query<{ owed: number }>(sql, [endpointId])).rows[0]?.owed ?? 0;
    },
    claim: (endpointId, run, now, limit) => claim(context, { endpointId, run, now, limit }),
    takeBack: (endpointId, run) => takeBack(context, endpointId, run),
    async settle(settlements) {
      if (settlements.length > 0) await pool.query(settleSql, settleParameters(lastOfEach(settlements)));
    },
    addRun: (run) => addRun(context, run),
  };
}

/** Of several endpoints in the order of ids; a single one as well waits for whoever is at its deliveries. */
const lockedEndpoints = `locked AS MATERIALIZED (
  SELECT id, attempt FROM endpoint WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)`;

/**
 * What the cursor sent again may have been in a replay since, under a higher number, that is gone: the endpoint's own number
 * stands for that one.
 */
const parkSql = `
WITH ${lockedEndpoints}
INSERT INTO delivery AS d (endpoint_id, seq, run, attempt, spent, next_at, blocks_until, born_at)
SELECT g.endpoint_id, g.seq, g.run,
       CASE WHEN g.run = '' AND g.attempt > 1 THEN greatest(g.attempt, locked.attempt) ELSE g.attempt END,
       g.spent, g.next_at, g.blocks_until, g.born_at
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::int[], $6::timestamptz[], $7::timestamptz[],
              $8::timestamptz[]) AS g(endpoint_id, seq, run, attempt, spent, next_at, blocks_until, born_at)
  JOIN locked ON locked.id = g.endpoint_id
    ON CONFLICT (endpoint_id, seq, run) DO UPDATE SET attempt = greatest(d.attempt, excluded.attempt)`;

const parkParameters = (deliveries: readonly OwedDelivery[]): unknown[] => [
  deliveries.map(({ endpointId }) => endpointId),
  deliveries.map(({ seq }) => seq),
  deliveries.map(({ run }) => run),
  deliveries.map(({ attempt }) => attempt),
  deliveries.map(({ spent }) => spent),
  deliveries.map(({ nextAt }) => new Date(nextAt)),
  deliveries.map(({ blocksUntil }) => instant(blocksUntil)),
  deliveries.map(({ bornAt }) => new Date(bornAt)),
];

/** A delivery that is owed again says when; one that is gone says no instant. */
const settleSql = `
WITH ${lockedEndpoints}, given AS (
  SELECT g.* FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[])
                    AS g(endpoint_id, seq, run, spent, next_at, blocks_until)
    JOIN locked ON locked.id = g.endpoint_id
), gone AS (
  DELETE FROM delivery d USING given g
   WHERE d.endpoint_id = g.endpoint_id AND d.seq = g.seq AND d.run = g.run AND g.next_at IS NULL
)
UPDATE delivery d SET claimed = false, spent = g.spent, next_at = g.next_at, blocks_until = g.blocks_until
  FROM given g
 WHERE d.endpoint_id = g.endpoint_id AND d.seq = g.seq AND d.run = g.run AND g.next_at IS NOT NULL`;

const settleParameters = (settlements: readonly Settlement[]): unknown[] => [
  settlements.map(({ endpointId }) => endpointId),
  settlements.map(({ seq }) => seq),
  settlements.map(({ run }) => run),
  settlements.map(({ next }) => next?.spent ?? 0),
  settlements.map(({ next }) => instant(next?.nextAt ?? null)),
  settlements.map(({ next }) => instant(next?.blocksUntil ?? null)),
];

/**
 * Steps from run to run, so that it costs the same however many deliveries there are. What is live is the first of them,
 * and comes whether there is anything or not.
 */
const runsSql = `
WITH RECURSIVE known AS (
  SELECT $1::uuid AS endpoint_id, ''::text AS run
  UNION ALL
  SELECT n.endpoint_id, n.run FROM known k CROSS JOIN LATERAL (
    SELECT d.endpoint_id, d.run FROM delivery d WHERE d.endpoint_id = k.endpoint_id AND d.run > k.run
     ORDER BY d.run LIMIT 1) n
)
SELECT k.run, n.next_at FROM known k CROSS JOIN LATERAL (
  SELECT d.next_at FROM delivery d WHERE d.endpoint_id = k.endpoint_id AND d.run = k.run AND NOT d.claimed
   ORDER BY d.next_at, d.seq LIMIT 1) n
 ORDER BY k.run`;

/**
 * The first that are due, walking the index in order. From there on the endpoint's id is taken from what was chosen: with a
 * constant the planner goes by what its statistics know of that endpoint, and takes one that filled up since for empty.
 */
const claimSql = `
WITH chosen AS MATERIALIZED (
  SELECT endpoint_id, seq, run FROM delivery
   WHERE endpoint_id = $1 AND run = $4 AND NOT claimed AND next_at <= $2 ORDER BY next_at, seq LIMIT $3
), numbered AS MATERIALIZED (
  SELECT c.endpoint_id, c.seq, c.run, max(d.attempt) + 1 AS attempt
    FROM chosen c JOIN delivery d ON d.endpoint_id = c.endpoint_id AND d.seq = c.seq
   GROUP BY c.endpoint_id, c.seq, c.run
), counted AS (
  UPDATE endpoint SET attempt = greatest(attempt, (SELECT max(n.attempt) FROM numbered n))
   WHERE id = $1 AND EXISTS (SELECT 1 FROM numbered)
), raised AS (
  UPDATE delivery d SET attempt = n.attempt, claimed = d.claimed OR d.run = n.run
    FROM numbered n WHERE d.endpoint_id = n.endpoint_id AND d.seq = n.seq
  RETURNING d.*, d.run = n.run AS taken
)
SELECT endpoint_id, seq, run, attempt, spent, next_at, blocks_until, born_at
  FROM raised WHERE taken ORDER BY next_at, seq`;

interface Claim {
  readonly endpointId: string;
  readonly run: string;
  readonly now: number;
  readonly limit: number;
}

/** Two statements, so that the second reads the numbers after whoever held the lock has written them. */
async function claim(context: StoreContext, { endpointId, run, now, limit }: Claim): Promise<OwedDelivery[]> {
  return inTransaction(context.database.pool, async (client) => {
    await lock(client, endpointId);
    const answer = await client.query(claimSql, [endpointId, new Date(now), limit, run]);
    return answer.rows.map(toOwed);
  });
}

/** With the lock nothing of a claim whose answer was lost can come to pass after it. */
async function takeBack(context: StoreContext, endpointId: string, run: string): Promise<void> {
  await inTransaction(context.database.pool, async (client) => {
    await lock(client, endpointId);
    await client.query(
      'UPDATE delivery SET claimed = false WHERE endpoint_id = $1 AND run = $2 AND claimed',
      [endpointId, run],
    );
  });
}

/**
 * The lock is an own statement for the same reason as in `claim`. The endpoint's own number stands for what the history has
 * not heard of, since a process died or could not write it.
 */
const addRunSql = `
INSERT INTO delivery (endpoint_id, seq, run, attempt, next_at, born_at)
SELECT e.id, g.seq, $3,
       greatest(e.attempt, (SELECT max(a.attempt) FROM attempt a WHERE a.endpoint_id = e.id AND a.seq = g.seq),
                (SELECT max(d.attempt) FROM delivery d WHERE d.endpoint_id = e.id AND d.seq = g.seq)),
       $4, $4
  FROM endpoint e, (SELECT DISTINCT seq FROM unnest($2::bigint[]) AS u(seq)) g
 WHERE e.id = $1
    ON CONFLICT (endpoint_id, seq, run) DO NOTHING
RETURNING (SELECT service_account_id FROM endpoint WHERE id = $1) AS service`;

async function addRun(context: StoreContext, { endpointId, run, seqs, now }: ReplayRun): Promise<number> {
  const added = await inTransaction(context.database.pool, async (client) => {
    await lock(client, endpointId);
    const answer = await client.query(addRunSql, [endpointId, seqs, run, new Date(now)]);
    return z.array(z.object({ service: z.string() })).parse(answer.rows);
  });
  const serviceAccountId = added[0]?.service;
  if (serviceAccountId !== undefined)
    context.changes.emit({ kind: 'endpoint', endpointId, serviceAccountId, what: 'due' });
  return added.length;
}

const lock = (client: Queryable, endpointId: string) =>
  client.query('SELECT 1 FROM endpoint WHERE id = $1 FOR NO KEY UPDATE', [endpointId]);

const keyOf = ({ endpointId, seq, run }: DeliveryKey): string => `${endpointId}/${seq}/${run}`;

/** One statement may change a row once: of several of one delivery the first is kept, with the highest number. */
function highestOfEach(deliveries: readonly OwedDelivery[]): OwedDelivery[] {
  const byKey = new Map<string, OwedDelivery>();
  for (const delivery of deliveries) {
    const first = byKey.get(keyOf(delivery)) ?? delivery;
    byKey.set(keyOf(delivery), { ...first, attempt: Math.max(first.attempt, delivery.attempt) });
  }
  return [...byKey.values()];
}

const lastOfEach = (settlements: readonly Settlement[]): Settlement[] => [
  ...new Map(settlements.map((settlement) => [keyOf(settlement), settlement])).values(),
];

const columns = 'd.endpoint_id, d.seq, d.run, d.attempt, d.spent, d.next_at, d.blocks_until, d.born_at';

const owedShape = z.object({
  endpoint_id: z.string(),
  // int8 arrives as text.
  seq: z.coerce.number(),
  run: z.string(),
  attempt: z.number(),
  spent: z.number(),
  next_at: z.date(),
  blocks_until: z.date().nullable(),
  born_at: z.date(),
});

function toOwed(raw: unknown): OwedDelivery {
  const row = owedShape.parse(raw);
  return {
    endpointId: row.endpoint_id,
    seq: row.seq,
    run: row.run,
    attempt: row.attempt,
    spent: row.spent,
    nextAt: row.next_at.getTime(),
    blocksUntil: millis(row.blocks_until),
    bornAt: row.born_at.getTime(),
  };
}
