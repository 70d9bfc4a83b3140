// Removes interests, and with the last one of an endpoint the endpoint. Nothing of either is left to be found later.
import { z } from 'zod';
import type { StoreContext } from './context.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

/** False when the service has no such interest. The id must be one. */
export async function removeInterest(
  context: StoreContext,
  serviceAccountId: string,
  id: string,
): Promise<boolean> {
  const asked = [serviceAccountId, id];
  const found = await findInterests(context.database.pool, 'i.service_account_id = $1 AND i.id = $2', asked);
  return removeFound(context, found);
}

/** Those of the ids that are interests in something of the bot, all of them at once. The ids must be some. */
export async function removeInterestsOfBot(
  context: StoreContext,
  botAccountId: string,
  ids: readonly string[],
): Promise<void> {
  const where = 't.bot_account_id = $1 AND i.id = ANY($2::uuid[])';
  await removeFound(context, await findInterests(context.database.pool, where, [botAccountId, ids]));
}

/** An interest as it must be known to be removed; nothing of this ever changes. */
export interface FoundInterest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly endpointId: string | null;
}

export interface RemovedRows {
  readonly interests: readonly { readonly serviceAccountId: string; readonly botAccountId: string }[];
  readonly endpoints: readonly { readonly id: string; readonly serviceAccountId: string }[];
}

const foundRow = z.object({
  id: z.string(),
  service_account_id: z.string(),
  endpoint_id: z.string().nullable(),
});

/** Interests `i` with their topics `t`. */
export async function findInterests(
  db: Queryable,
  where: string,
  values: unknown[],
): Promise<FoundInterest[]> {
  const answer = await db.query(
    `SELECT i.id, i.service_account_id, i.endpoint_id FROM interest i JOIN topic t ON t.id = i.topic_id WHERE ${where}`,
    values,
  );
  return z
    .array(foundRow)
    .parse(answer.rows)
    .map((row) => ({ id: row.id, serviceAccountId: row.service_account_id, endpointId: row.endpoint_id }));
}

async function removeFound(context: StoreContext, found: readonly FoundInterest[]): Promise<boolean> {
  const { pool } = context.database;
  const [first] = found;
  if (!first) return false;
  // One row without an endpoint is one statement, which needs no lock beside its own.
  const isPlain = found.length === 1 && first.endpointId === null;
  const removed = isPlain
    ? await deleteInterests(pool, found)
    : await inTransaction(pool, async (client) => {
        await lockPlaces(client, found);
        return deleteInterests(client, found);
      });
  announceRemoved(context, removed);
  return removed.interests.length > 0;
}

/**
 * The endpoints' locks keep a wish for the same URL waiting: it finds the endpoint with its interests or not at all. What
 * others did before the locks were had is visible to the statements after it.
 */
export async function lockPlaces(client: Queryable, found: readonly FoundInterest[]): Promise<void> {
  const services = distinct(found.map(({ serviceAccountId }) => serviceAccountId));
  await client.query('SELECT 1 FROM service_account WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE', [
    services,
  ]);
  const endpoints = endpointsOf(found);
  if (endpoints.length === 0) return;
  await client.query('SELECT 1 FROM endpoint WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE', [endpoints]);
}

const removedRow = z.object({ service: z.string(), bot: z.string() });
const endpointRow = z.object({ id: z.string(), service: z.string() });

/** Their endpoints must be locked. */
export async function deleteInterests(db: Queryable, found: readonly FoundInterest[]): Promise<RemovedRows> {
  const interests = await db.query(
    `WITH locked AS MATERIALIZED (SELECT id FROM interest WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE)
     DELETE FROM interest i USING locked l, topic t WHERE i.id = l.id AND t.id = i.topic_id
     RETURNING i.service_account_id AS service, t.bot_account_id AS bot`,
    [found.map(({ id }) => id)],
  );
  const places = endpointsOf(found);
  const endpoints =
    places.length === 0
      ? []
      : (
          await db.query(
            `DELETE FROM endpoint e
              WHERE e.id = ANY($1::uuid[]) AND NOT EXISTS (SELECT 1 FROM interest i WHERE i.endpoint_id = e.id)
             RETURNING e.id, e.service_account_id AS service`,
            [places],
          )
        ).rows;
  return {
    interests: z
      .array(removedRow)
      .parse(interests.rows)
      .map(({ service, bot }) => ({ serviceAccountId: service, botAccountId: bot })),
    endpoints: z
      .array(endpointRow)
      .parse(endpoints)
      .map(({ id, service }) => ({ id, serviceAccountId: service })),
  };
}

export function announceRemoved(context: StoreContext, { interests, endpoints }: RemovedRows): void {
  if (interests.length > 0) {
    const botAccountIds = distinct(interests.map(({ botAccountId }) => botAccountId));
    const serviceAccountIds = distinct(interests.map(({ serviceAccountId }) => serviceAccountId));
    context.changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds });
  }
  for (const { id, serviceAccountId } of endpoints)
    context.changes.emit({ kind: 'endpoint', endpointId: id, serviceAccountId, what: 'removed' });
}

const distinct = (ids: readonly string[]): string[] => [...new Set(ids)];

const endpointsOf = (found: readonly FoundInterest[]): string[] =>
  distinct(found.flatMap(({ endpointId }) => (endpointId === null ? [] : [endpointId])));
