// What is told of a service account after a commit, and which bots are concerned.
import { z } from 'zod';
import type { ServiceChange } from './changes.ts';
import type { StoreContext } from './context.ts';
import type { Queryable } from './transaction.ts';

/** The bots that the service wants something of. */
export async function botsOf(db: Queryable, serviceAccountId: string): Promise<string[]> {
  const answer = await db.query(
    `SELECT DISTINCT t.bot_account_id AS bot FROM interest i JOIN topic t ON t.id = i.topic_id
      WHERE i.service_account_id = $1`,
    [serviceAccountId],
  );
  return z
    .array(z.object({ bot: z.string() }))
    .parse(answer.rows)
    .map(({ bot }) => bot);
}

export function announce(
  context: StoreContext,
  service: { readonly id: string; readonly clientId: string },
  what: ServiceChange['what'],
  more: Pick<ServiceChange, 'previousValidUntil'> = {},
): void {
  const { id, clientId } = service;
  context.changes.emit({ kind: 'service', serviceAccountId: id, clientId, what, ...more });
}

export function announceInterests(
  context: StoreContext,
  serviceAccountId: string,
  botAccountIds: string[],
): void {
  context.changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds: [serviceAccountId] });
}
