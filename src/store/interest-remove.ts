// Removes an interest, and with the last one of an endpoint the endpoint. Nothing of either is left to be found later.
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
  const { pool } = context.database;
  const answer = await pool.query(
    'SELECT endpoint_id FROM interest WHERE service_account_id = $1 AND id = $2',
    [serviceAccountId, id],
  );
  const known = z.object({ endpoint_id: z.string().nullable() }).optional().parse(answer.rows[0]);
  if (!known) return false;
  // It never changes.
  const endpointId = known.endpoint_id;
  const removed =
    endpointId === null
      ? await removeRow(pool, serviceAccountId, id)
      : await inTransaction(pool, (client) => removeBoth(client, { serviceAccountId, id, endpointId }));
  if (!removed) return false;
  const botAccountIds = [removed.botAccountId];
  context.changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds: [serviceAccountId] });
  if (removed.endpointRemoved && endpointId !== null)
    context.changes.emit({ kind: 'endpoint', endpointId, serviceAccountId, what: 'removed' });
  return true;
}

interface Removed {
  readonly botAccountId: string;
  readonly endpointRemoved: boolean;
}

async function removeRow(db: Queryable, serviceAccountId: string, id: string): Promise<Removed | undefined> {
  const answer = await db.query(
    `DELETE FROM interest i USING topic t WHERE t.id = i.topic_id AND i.service_account_id = $1 AND i.id = $2
     RETURNING t.bot_account_id AS bot`,
    [serviceAccountId, id],
  );
  const row = z.object({ bot: z.string() }).optional().parse(answer.rows[0]);
  return row && { botAccountId: row.bot, endpointRemoved: false };
}

/**
 * The endpoint's lock keeps a wish for the same URL waiting: it finds the endpoint with its interests or not at all. What
 * others did before the lock was had is visible to the statements after it.
 */
async function removeBoth(
  client: Queryable,
  asked: { readonly serviceAccountId: string; readonly id: string; readonly endpointId: string },
): Promise<Removed | undefined> {
  const { serviceAccountId, id, endpointId } = asked;
  await client.query('SELECT 1 FROM service_account WHERE id = $1 FOR KEY SHARE', [serviceAccountId]);
  await client.query('SELECT 1 FROM endpoint WHERE id = $1 FOR UPDATE', [endpointId]);
  const removed = await removeRow(client, serviceAccountId, id);
  if (!removed) return undefined;
  const answer = await client.query(
    'DELETE FROM endpoint e WHERE e.id = $1 AND NOT EXISTS (SELECT 1 FROM interest i WHERE i.endpoint_id = e.id)',
    [endpointId],
  );
  return { ...removed, endpointRemoved: answer.rowCount === 1 };
}
