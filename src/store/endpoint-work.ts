// Endpoints as the dispatcher needs them: what there is to deliver to and with which secrets, where each one stands, how
// it is. Deliveries beside the cursor are deliveries.ts; nothing here reads the log.
import { z } from 'zod';
import type { EndpointHealth, EndpointSettings } from '../domain/endpoint.ts';
import type { StoreContext } from './context.ts';
import { endpointColumns, endpointShape, healthOf, liveSecrets, settingsOf } from './endpoint-row.ts';
import type { LiveSecret } from './endpoint-row.ts';
import { instant, isUuid } from './rows.ts';
import { inTransaction } from './transaction.ts';

export interface WorkEndpoint {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly url: string;
  readonly settings: EndpointSettings;
  /** The newest first. */
  readonly secrets: readonly LiveSecret[];
  readonly health: EndpointHealth;
  readonly ackedSeq: number;
  /** The retry set has something of it. */
  readonly owes: boolean;
}

/** Where an endpoint goes on. */
export interface OpenedEndpoint {
  readonly ackedSeq: number;
  /** Events up to here may have been sent before and carry `attempt`; later ones are new and carry 1. */
  readonly mark: number;
  readonly attempt: number;
  /** When nothing behind `ackedSeq` was known to be removed from the log yet. */
  readonly wholeAt: number;
}

export interface EndpointPosition {
  readonly endpointId: string;
  readonly ackedSeq: number;
  readonly sentSeq: number;
  readonly wholeAt: number;
  /** False at a clean end. */
  readonly open: boolean;
}

export interface EndpointWork {
  /**
   * Of enabled services, those that are not disabled; all or one. An endpoint whose secret no key opens is left out:
   * nothing could be signed for it, and `endpoints.get` says so.
   */
  dispatchable(endpointId?: string): Promise<WorkEndpoint[]>;
  /** Whatever its state. Undefined when it is gone, or no key opens its secret. */
  endpoint(endpointId: string): Promise<WorkEndpoint | undefined>;
  /**
   * Marks the endpoint as worked on and raises its attempt number if anything behind `ackedSeq` may have been sent: after
   * an unclean end that is everything up to `head`. Takes back what was claimed. Undefined when the endpoint is gone.
   */
  open(endpointId: string, head: number): Promise<OpenedEndpoint | undefined>;
  /** All in one statement; positions never go back, endpoints that are gone are passed over. */
  savePositions(positions: readonly EndpointPosition[]): Promise<void>;
  /** Passed over when the endpoint is gone, or is disabled. */
  saveHealth(endpointId: string, health: EndpointHealth): Promise<void>;
}

export function createEndpointWork(context: StoreContext): EndpointWork {
  const { pool } = context.database;
  return {
    async dispatchable(endpointId) {
      if (endpointId !== undefined && !isUuid(endpointId)) return [];
      const where = `JOIN service_account s ON s.id = e.service_account_id AND s.enabled
         WHERE e.state <> 'disabled' AND ($1::uuid IS NULL OR e.id = $1) ORDER BY e.id`;
      return select(context, where, [endpointId ?? null]);
    },
    async endpoint(endpointId) {
      if (!isUuid(endpointId)) return undefined;
      return (await select(context, 'WHERE e.id = $1', [endpointId]))[0];
    },
    open: (endpointId, head) => open(context, endpointId, head),
    async savePositions(positions) {
      const furthest = furthestOfEach(positions);
      if (furthest.length === 0) return;
      await pool.query(savePositionsSql, [
        furthest.map(({ endpointId }) => endpointId),
        furthest.map(({ ackedSeq }) => ackedSeq),
        furthest.map(({ sentSeq }) => sentSeq),
        furthest.map((position) => position.open),
        furthest.map(({ wholeAt }) => new Date(wholeAt)),
      ]);
    },
    async saveHealth(endpointId, health) {
      await pool.query(
        `UPDATE endpoint SET state = $2, code = $3, reason = $4, state_since = $5, failures_in_row = $6,
                failing_since = $7, probe_at = $8, probes = $9
          WHERE id = $1 AND state <> 'disabled'`,
        [
          endpointId,
          health.state,
          health.code,
          health.reason,
          new Date(health.since),
          health.failuresInRow,
          instant(health.failingSince),
          instant(health.probeAt),
          health.probes,
        ],
      );
    },
  };
}

const workShape = endpointShape.extend({ owes: z.boolean() });

async function select(context: StoreContext, tail: string, values: unknown[]): Promise<WorkEndpoint[]> {
  const answer = await context.database.pool.query(
    `SELECT ${endpointColumns}, EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint_id = e.id) AS owes
       FROM endpoint e ${tail}`,
    values,
  );
  return answer.rows.flatMap((raw: unknown) => {
    const row = workShape.parse(raw);
    const secrets = liveSecrets(context.sealer, row, context.clock.now());
    if (!secrets) return [];
    return {
      id: row.id,
      serviceAccountId: row.service_account_id,
      url: row.url,
      settings: settingsOf(row),
      secrets,
      health: healthOf(row),
      ackedSeq: row.acked_seq,
      owes: row.owes,
    };
  });
}

/** After an unclean end nobody knows what was sent: anything in the log may have been. */
const mark = 'greatest(sent_seq, acked_seq, CASE WHEN open THEN $2::bigint ELSE 0 END)';

/**
 * The number never starts over: a replay long after may be of an event whose last number only a process knew that died before
 * it had written its history.
 */
const openSql = `
UPDATE endpoint
   SET open = true, sent_seq = ${mark},
       attempt = CASE WHEN ${mark} > acked_seq THEN attempt + 1 ELSE attempt END
 WHERE id = $1
RETURNING acked_seq, sent_seq AS mark, attempt, whole_at`;

/** What the cursor will send again may be in a replay too, which must then go on behind that number. */
const takeBackSql = `
UPDATE delivery
   SET claimed = false,
       attempt = CASE WHEN run <> '' AND seq > $2 AND seq <= $3 THEN greatest(attempt, $4) ELSE attempt END
 WHERE endpoint_id = $1 AND (claimed OR (run <> '' AND seq > $2 AND seq <= $3))`;

const openedShape = z.object({
  acked_seq: z.coerce.number(),
  mark: z.coerce.number(),
  attempt: z.number(),
  whole_at: z.date(),
});

/** Two statements, so that the second sees what a claim wrote that the first had to wait for. */
async function open(
  context: StoreContext,
  endpointId: string,
  head: number,
): Promise<OpenedEndpoint | undefined> {
  return inTransaction(context.database.pool, async (client) => {
    const answer = await client.query(openSql, [endpointId, head]);
    const row = openedShape.optional().parse(answer.rows[0]);
    if (!row) return undefined;
    await client.query(takeBackSql, [endpointId, row.acked_seq, row.mark, row.attempt]);
    const { mark: markSeq, attempt, whole_at } = row;
    return { ackedSeq: row.acked_seq, mark: markSeq, attempt, wholeAt: whole_at.getTime() };
  });
}

const savePositionsSql = `
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bool[], $5::timestamptz[])
             AS g(id, acked, sent, open, whole_at)
), locked AS MATERIALIZED (
  SELECT id FROM endpoint WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE endpoint AS e
   SET acked_seq = greatest(e.acked_seq, g.acked), open = g.open, whole_at = g.whole_at,
       sent_seq = greatest(e.sent_seq, g.sent, e.acked_seq, g.acked)
  FROM given g JOIN locked USING (id) WHERE e.id = g.id`;

/** One statement may change a row once: of several positions of one endpoint the furthest count, and the last `open`. */
function furthestOfEach(positions: readonly EndpointPosition[]): EndpointPosition[] {
  const byEndpoint = new Map<string, EndpointPosition>();
  for (const position of positions) {
    const before = byEndpoint.get(position.endpointId);
    byEndpoint.set(position.endpointId, {
      ...position,
      ackedSeq: Math.max(position.ackedSeq, before?.ackedSeq ?? 0),
      sentSeq: Math.max(position.sentSeq, before?.sentSeq ?? 0),
    });
  }
  return [...byEndpoint.values()];
}
