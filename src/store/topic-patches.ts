// The patches of topics that come in crowds, each kind as one statement for many: which subscription delivers, and since when
// events may be missing. After a restart every topic gets both.
import type pg from 'pg';
import { GatheredWrites } from './gathered-writes.ts';
import { instant } from './rows.ts';
import type { TopicPatch } from './topics.ts';

/** In the order of their ids, so that two who lock several never wait in a circle. */
const lockedSql = `locked AS (SELECT id FROM topic WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE)`;

const confirmSql = `
WITH ${lockedSql}
UPDATE topic t
   SET state = 'active', code = NULL, reason = NULL, retry_at = NULL, subscription_id = p.subscription_id,
       cost = coalesce(p.cost, t.cost)
  FROM locked JOIN unnest($1::uuid[], $2::text[], $3::int[]) AS p(id, subscription_id, cost) USING (id)
 WHERE t.id = locked.id
RETURNING t.id`;

const gapSql = `
WITH ${lockedSql}
UPDATE topic t SET gap_from = p.gap_from, gap_cause = p.gap_cause
  FROM locked JOIN unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS p(id, gap_from, gap_cause) USING (id)
 WHERE t.id = locked.id
RETURNING t.id`;

interface Confirmation {
  readonly id: string;
  readonly subscriptionId: string;
  /** Undefined: as it was. */
  readonly cost: number | undefined;
}

interface Gap {
  readonly id: string;
  readonly from: number | null;
  readonly cause: string | null;
}

/** Undefined for a patch of another kind; else whether the topic is there, once it is written. */
export function gatheredPatch(
  pool: pg.Pool,
): (id: string, patch: TopicPatch) => Promise<boolean> | undefined {
  const ids = async (sql: string, columns: readonly (readonly unknown[])[]): Promise<ReadonlySet<string>> => {
    const { rows } = await pool.query<{ id: string }>(sql, [...columns]);
    return new Set(rows.map(({ id }) => id));
  };
  const confirmations = new GatheredWrites<Confirmation>((rows) =>
    ids(confirmSql, [
      rows.map(({ id }) => id),
      rows.map(({ subscriptionId }) => subscriptionId),
      rows.map(({ cost }) => cost ?? null),
    ]),
  );
  const gaps = new GatheredWrites<Gap>((rows) =>
    ids(gapSql, [
      rows.map(({ id }) => id),
      rows.map(({ from }) => instant(from)),
      rows.map(({ cause }) => cause),
    ]),
  );
  return (id, patch) => {
    const confirmation = confirmationIn(patch);
    if (confirmation) return confirmations.write({ id, ...confirmation });
    const gap = gapIn(patch);
    return gap && gaps.write({ id, ...gap });
  };
}

/** What the patch confirms, if it says all that a confirmation says and nothing else. */
function confirmationIn(patch: TopicPatch): Omit<Confirmation, 'id'> | undefined {
  const { state, code, reason, retryAt, subscriptionId, cost, ...more } = patch;
  const isWhole = state === 'active' && code === null && reason === null && retryAt === null;
  if (!isWhole || typeof subscriptionId !== 'string' || Object.keys(more).length > 0) return undefined;
  return { subscriptionId, cost };
}

/** The gap that the patch opens or ends, if it names both and nothing else. */
function gapIn(patch: TopicPatch): Omit<Gap, 'id'> | undefined {
  const { gapFrom, gapCause, ...more } = patch;
  if (gapFrom === undefined || gapCause === undefined || Object.keys(more).length > 0) return undefined;
  return { from: gapFrom, cause: gapCause };
}
