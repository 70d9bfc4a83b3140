// The history of tries at webhook endpoints: written late and in batches by the dispatcher, read by the service, pruned by
// age. No promise about delivery rests on it.
import { z } from 'zod';
import { encodeTextArray } from '../runtime/text-array.ts';
import type { StoreContext } from './context.ts';
import type { DeliveryKey } from './deliveries.ts';
import { isUuid, millis, storable } from './rows.ts';

const attemptState = z.enum(['delivered', 'retrying', 'failed', 'expired']);
export type AttemptState = z.infer<typeof attemptState>;

export interface AttemptRecord extends DeliveryKey {
  readonly serviceAccountId: string;
  readonly messageId: string;
  readonly type: string;
  readonly attempt: number;
  readonly state: AttemptState;
  /** Which kind of answer or fault; 'none' when the delivery ended without a try. */
  readonly outcome: string;
  readonly status: number | null;
  readonly response: string | null;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly nextAt: number | null;
}

export interface Attempt {
  /** Digits; rising in the order in which attempts were written down. */
  readonly id: string;
  readonly endpointId: string;
  /** Null for the delivery itself, else the id of a replay. */
  readonly run: string | null;
  readonly seq: number;
  readonly eventId: string;
  readonly type: string;
  readonly attempt: number;
  readonly state: AttemptState;
  readonly outcome: string;
  readonly status: number | null;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly response: string | null;
  readonly nextAt: number | null;
}

/** Each member that is given narrows. */
export interface AttemptQuery {
  readonly endpointId?: string | undefined;
  /** `retrying`: only those whose delivery is still owed and has not been sent again since. */
  readonly state?: AttemptState | undefined;
  readonly eventId?: string | undefined;
  readonly run?: string | undefined;
  readonly limit: number;
  /** An `id`; what follows is older. */
  readonly after?: string | undefined;
}

export interface Attempts {
  /** The service's own, the newest first; also those of endpoints that are gone. */
  list(serviceAccountId: string, query: AttemptQuery): Promise<Attempt[]>;
}

export interface AttemptWrites {
  /**
   * Adds to the history, in one statement. Endpoints and services that are gone are passed over, and so is what is there
   * already, since the answer to an earlier call may have been lost. `first`: there was no earlier call with any of them,
   * and nothing is looked for.
   */
  record(attempts: readonly AttemptRecord[], call?: 'first' | 'again'): Promise<void>;
  /**
   * Removes history from before the instant; how many there were. It looks at the `limit` oldest records, so that a call
   * costs the same however long the history is.
   */
  pruneAttempts(before: number, limit: number): Promise<number>;
}

export function createAttempts(context: StoreContext): Attempts & AttemptWrites {
  const { pool } = context.database;
  return {
    async list(serviceAccountId, query) {
      const { endpointId, state, eventId, run, limit, after } = query;
      if (endpointId !== undefined && !isUuid(endpointId)) return [];
      if (after !== undefined && !rowId.test(after)) return [];
      const asked = [endpointId, state, eventId, run, after].map((value) =>
        value === undefined ? null : storable(value),
      );
      const answer = await pool.query(listSql, [serviceAccountId, ...asked, limit]);
      return answer.rows.map(toAttempt);
    },
    async record(attempts, call = 'again') {
      if (attempts.length > 0) await pool.query(recordSql[call], recordParameters(attempts));
    },
    async pruneAttempts(before, limit) {
      const answer = await pool.query(
        `DELETE FROM attempt a USING (SELECT id FROM attempt ORDER BY id LIMIT $2) o
          WHERE a.id = o.id AND a.started_at < $1`,
        [new Date(before), limit],
      );
      return answer.rowCount ?? 0;
    },
  };
}

/** What fits into the column; the database would refuse anything else instead of finding nothing. */
const rowId = /^[0-9]{1,18}$/;

const listSql = `
SELECT a.id, a.endpoint_id, a.run, a.seq, a.message_id, a.type, a.attempt, a.state, a.outcome, a.status, a.started_at,
       a.duration_ms, a.response, a.next_at
  FROM attempt a
 WHERE a.service_account_id = $1
   AND ($2::uuid IS NULL OR a.endpoint_id = $2)
   AND ($3::text IS NULL OR a.state = $3)
   AND ($4::text IS NULL OR a.message_id = $4)
   AND ($5::text IS NULL OR a.run = $5)
   AND ($6::bigint IS NULL OR a.id < $6)
   AND ($3::text IS DISTINCT FROM 'retrying'
        OR EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint_id = a.endpoint_id AND d.seq = a.seq
                      AND d.run = a.run AND d.attempt = a.attempt))
 ORDER BY a.id DESC LIMIT $7`;

const recordSqlWhere = (condition: string): string => `
WITH g AS (
  SELECT service_id::uuid, endpoint_id::uuid, run, seq::bigint, message_id, type, attempt::int, state, outcome, status::int,
         to_timestamp(started_ms::float8 / 1000)::timestamptz(3) AS started_at, duration_ms::int, response,
         to_timestamp(next_ms::float8 / 1000)::timestamptz(3) AS next_at, ord
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
         WITH ORDINALITY
         AS u(service_id, endpoint_id, run, seq, message_id, type, attempt, state, outcome, status, started_ms,
              duration_ms, response, next_ms, ord)
)
INSERT INTO attempt (service_account_id, endpoint_id, run, seq, message_id, type, attempt, state, outcome, status,
                     started_at, duration_ms, response, next_at)
SELECT s.id, g.endpoint_id, g.run, g.seq, g.message_id, g.type, g.attempt, g.state, g.outcome, g.status, g.started_at,
       g.duration_ms, g.response, g.next_at
  FROM g
  JOIN endpoint e ON e.id = g.endpoint_id
  JOIN service_account s ON s.id = g.service_id
 WHERE ${condition}
 ORDER BY g.ord
   FOR KEY SHARE OF s`;

/** Looking for what is there already reads the whole table where the planner takes it for small: most of the time of a write. */
const recordSql = {
  first: recordSqlWhere('true'),
  again: recordSqlWhere(`NOT EXISTS (
    SELECT 1 FROM attempt a
     WHERE a.endpoint_id = g.endpoint_id AND a.seq = g.seq AND a.run = g.run AND a.attempt = g.attempt
       AND a.state = g.state AND a.started_at = g.started_at)`),
};

function recordParameters(attempts: readonly AttemptRecord[]): Buffer[] {
  const column = (pick: (attempt: AttemptRecord) => string | number | null) =>
    encodeTextArray(
      attempts.map((attempt) => {
        const value = pick(attempt);
        return value === null ? null : String(value);
      }),
    );
  return [
    column(({ serviceAccountId }) => serviceAccountId),
    column(({ endpointId }) => endpointId),
    column(({ run }) => run),
    column(({ seq }) => seq),
    column(({ messageId }) => messageId),
    column(({ type }) => type),
    column(({ attempt }) => attempt),
    column(({ state }) => state),
    column(({ outcome }) => outcome),
    column(({ status }) => status),
    column(({ startedAt }) => startedAt),
    column(({ durationMs }) => Math.round(durationMs)),
    // A receiver may answer with anything.
    column(({ response }) => response && storable(response)),
    column(({ nextAt }) => nextAt),
  ];
}

const attemptShape = z.object({
  id: z.string(),
  endpoint_id: z.string(),
  run: z.string(),
  // int8 arrives as text.
  seq: z.coerce.number(),
  message_id: z.string(),
  type: z.string(),
  attempt: z.number(),
  state: attemptState,
  outcome: z.string(),
  status: z.number().nullable(),
  started_at: z.date(),
  duration_ms: z.number(),
  response: z.string().nullable(),
  next_at: z.date().nullable(),
});

function toAttempt(raw: unknown): Attempt {
  const row = attemptShape.parse(raw);
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    run: row.run === '' ? null : row.run,
    seq: row.seq,
    eventId: row.message_id,
    type: row.type,
    attempt: row.attempt,
    state: row.state,
    outcome: row.outcome,
    status: row.status,
    startedAt: row.started_at.getTime(),
    durationMs: row.duration_ms,
    response: row.response,
    nextAt: millis(row.next_at),
  };
}
