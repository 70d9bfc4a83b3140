// Taking a bot out: first it is nobody's to use any more, then, when the reconciler has given everything back, its row goes.
// In between it can be brought in again, and is then a bot like any other.
import { z } from 'zod';
import type { StoreContext } from './context.ts';
import { announceRemoved, deleteInterests, findInterests, lockPlaces } from './interest-remove.ts';
import { brokenForeignKey } from './rows.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

/**
 * Frees its name for others: it is called `name (removed id)` from now on. No service is listed for it any more, so that
 * it comes back, if it does, as a new one would. The id must be one.
 */
export async function startRemoval(
  context: StoreContext,
  id: string,
): Promise<{ interests: number } | undefined> {
  const started = await inTransaction(context.database.pool, (client) => start(context, client, id));
  if (!started) return undefined;
  const { botAccountId, perService } = started;
  // The picture of who wants what first: what the session still brings is for nobody.
  if (perService.length > 0) {
    const serviceAccountIds = perService.map(({ service }) => service);
    context.changes.emit({ kind: 'interests', botAccountIds: [botAccountId], serviceAccountIds });
  }
  context.changes.emit({ kind: 'bot', botAccountId });
  return { interests: perService.reduce((sum, { total }) => sum + total, 0) };
}

const countedRow = z.object({ service: z.string(), total: z.number() });

async function start(context: StoreContext, client: Queryable, id: string) {
  const answer = await client.query(
    `UPDATE bot_account SET removed_at = $2, updated_at = $2, name = name || ' (removed ' || id || ')'
      WHERE id = $1 AND removed_at IS NULL RETURNING id`,
    [id, new Date(context.clock.now())],
  );
  const row = z.object({ id: z.string() }).optional().parse(answer.rows[0]);
  if (!row) return undefined;
  await client.query('DELETE FROM service_bot WHERE bot_account_id = $1', [row.id]);
  const counted = await client.query(
    `SELECT i.service_account_id AS service, count(*)::int AS total
       FROM interest i JOIN topic t ON t.id = i.topic_id WHERE t.bot_account_id = $1
      GROUP BY i.service_account_id ORDER BY i.service_account_id`,
    [row.id],
  );
  return { botAccountId: row.id, perService: z.array(countedRow).parse(counted.rows) };
}

/** A wish that another process commits between two statements can be in the way, but hardly this often in a row. */
const maxRounds = 10;

/** False when the bot is not being taken out (any more). The id must be one. */
export async function finishRemoval(context: StoreContext, id: string): Promise<boolean> {
  for (let round = 1; ; round++) {
    try {
      const removed = await inTransaction(context.database.pool, (client) => finish(client, id));
      if (!removed) return false;
      announceRemoved(context, removed);
      context.changes.emit({ kind: 'bot', botAccountId: id });
      return true;
    } catch (error) {
      if (brokenForeignKey(error) === undefined || round === maxRounds) throw error;
    }
  }
}

/** Whoever brings the bot in again comes before the lock, and the row stays, or after the row, and makes a new one. */
async function finish(client: Queryable, id: string) {
  const found = await findInterests(client, 't.bot_account_id = $1', [id]);
  await lockPlaces(client, found);
  const lock = 'SELECT 1 FROM bot_account WHERE id = $1 AND removed_at IS NOT NULL FOR UPDATE';
  if ((await client.query(lock, [id])).rowCount !== 1) return undefined;
  const removed = await deleteInterests(client, found);
  // In the order of whoever else locks several (topic-patches.ts); the cascade would take them as they lie in the table.
  await client.query('SELECT 1 FROM topic WHERE bot_account_id = $1 ORDER BY id FOR UPDATE', [id]);
  // Its topics and the services' lists go by their foreign keys.
  await client.query('DELETE FROM bot_account WHERE id = $1', [id]);
  return removed;
}
