// Several statements that take effect together. The order in which rows are locked is the same everywhere, so that
// nobody waits in a circle: service accounts by id, then endpoints by id, then bots by id, then topics by id, then whatever
// belongs to them.
import type pg from 'pg';

/** A pool, or a connection of it that is inside a transaction. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>;
}

/**
 * Commits what `work` wrote when it resolves, and nothing of it when it rejects. It must ask the connection that it is
 * given and wait for no other: in the embedded database nobody else is served until the transaction ends.
 */
export async function inTransaction<T>(pool: pg.Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // A connection that is lost between two statements says so here too; the next statement fails anyway.
  client.on('error', ignore);
  let usable = false;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    usable = true;
    return result;
  } catch (error) {
    usable = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(!usable);
  }
}

const ignore = () => {};
