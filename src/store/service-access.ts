// Changes of what a service may do: whether it is enabled, which bots it may use. Each is one transaction under the
// account's lock; who gains or loses by it is found in the same snapshot.
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import type { StoreContext } from './context.ts';
import { isUuid, storable } from './rows.ts';
import { announce, announceInterests, botsOf } from './service-hints.ts';
import { selectServices } from './service-row.ts';
import type { AccessMode, Service } from './service-row.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

/** What is left out stays as it is; `botAccountIds` replaces the whole list. */
export interface ServicePatch {
  readonly enabled?: boolean | undefined;
  readonly accessMode?: AccessMode | undefined;
  readonly botAccountIds?: readonly string[] | undefined;
}

export interface AffectedInterest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly botAccountId: string;
  readonly topicId: string;
}

/** The interests that a change of access, and nothing else, stopped or started to be allowed; in the order of ids. */
export interface AccessEffect {
  readonly suspended: readonly AffectedInterest[];
  readonly resumed: readonly AffectedInterest[];
}

export async function patchService(
  context: StoreContext,
  clientId: string,
  patch: ServicePatch,
): Promise<(AccessEffect & { service: Service }) | undefined> {
  const done = await inTransaction(context.database.pool, async (client) => {
    const before = await lock(client, 's.client_id = $1', storable(clientId));
    if (!before) return undefined;
    if (patch.botAccountIds)
      await replaceBots(client, before.id, await knownBots(client, patch.botAccountIds));
    await client.query(
      'UPDATE service_account SET enabled = coalesce($2, enabled), access_mode = coalesce($3, access_mode) WHERE id = $1',
      [before.id, patch.enabled ?? null, patch.accessMode ?? null],
    );
    return outcomeOf(client, before);
  });
  if (!done) return undefined;
  tell(context, done);
  const { service, suspended, resumed } = done;
  return { service, suspended, resumed };
}

/** Changes nothing when there is no such service or bot, or the bot is being taken out. */
export async function allowBot(
  context: StoreContext,
  serviceAccountId: string,
  botAccountId: string,
): Promise<AccessEffect> {
  const done = await inTransaction(context.database.pool, async (client) => {
    const before = await lock(client, 's.id = $1', serviceAccountId);
    if (!before || (await lockBots(client, [botAccountId])).length === 0) return undefined;
    await addBots(client, before.id, [botAccountId]);
    return outcomeOf(client, before);
  });
  if (!done) return { suspended: [], resumed: [] };
  // One that may use all is touched by it only when it is restricted one day.
  if (done.service.accessMode === 'restricted') tell(context, done);
  return { suspended: done.suspended, resumed: done.resumed };
}

/** Until the transaction ends no other change of the account comes between. */
async function lock(client: Queryable, where: string, value: string): Promise<Service | undefined> {
  // Two statements: the second sees what the first had to wait for.
  await client.query(`SELECT 1 FROM service_account s WHERE ${where} FOR NO KEY UPDATE`, [value]);
  return (await selectServices(client, `WHERE ${where}`, [value]))[0];
}

interface Outcome extends AccessEffect {
  readonly before: Service;
  readonly service: Service;
  /** Of which something else may be wanted now. */
  readonly botAccountIds: readonly string[];
}

async function outcomeOf(client: Queryable, before: Service): Promise<Outcome> {
  const [service] = await selectServices(client, 'WHERE s.id = $1', [before.id]);
  if (!service) throw new Error('a service account that is locked is gone');
  const effect = await effectOf(client, before, service);
  const touched = new Set([...effect.suspended, ...effect.resumed].map(({ botAccountId }) => botAccountId));
  // A disabled service's wishes do not count, whichever bot they are for.
  const botAccountIds = isSwitched(before, service) ? await botsOf(client, service.id) : [...touched];
  return { before, service, ...effect, botAccountIds };
}

/** Each of them once. Throws for one that is not there, or is being taken out. */
async function knownBots(client: Queryable, given: readonly string[]): Promise<string[]> {
  const ids = [...new Set(given.map((id) => id.toLowerCase()))];
  const known = await lockBots(client, ids.filter(isUuid));
  const unknown = ids.filter((id) => !known.includes(id));
  if (unknown.length === 0) return known;
  const message = `bot_account_ids: there is no bot ${unknown.join(', ')}; leave it out, or add the bot first.`;
  throw new RelayError('unknown_bot', 422, message, { errors: [{ path: 'bot_account_ids', message }] });
}

/** A bot that is locked here cannot begin to be taken out before the transaction ends. */
async function lockBots(client: Queryable, ids: readonly string[]): Promise<string[]> {
  const answer = await client.query(
    'SELECT id FROM bot_account WHERE id = ANY($1::uuid[]) AND removed_at IS NULL ORDER BY id FOR SHARE',
    [ids],
  );
  return z
    .array(z.object({ id: z.string() }))
    .parse(answer.rows)
    .map(({ id }) => id);
}

async function replaceBots(
  client: Queryable,
  serviceAccountId: string,
  ids: readonly string[],
): Promise<void> {
  await client.query(
    'DELETE FROM service_bot WHERE service_account_id = $1 AND NOT (bot_account_id = ANY($2::uuid[]))',
    [serviceAccountId, ids],
  );
  await addBots(client, serviceAccountId, ids);
}

async function addBots(client: Queryable, serviceAccountId: string, ids: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO service_bot (service_account_id, bot_account_id) SELECT $1, unnest($2::uuid[])
     ON CONFLICT DO NOTHING`,
    [serviceAccountId, ids],
  );
}

/** One statement and so one snapshot: a wish that is made meanwhile is judged by the same rows before and after. */
const affectedSql = `
SELECT * FROM (
  SELECT i.id, i.service_account_id, i.topic_id, t.bot_account_id,
         ($2 = 'all' OR t.bot_account_id = ANY($3::uuid[])) AS before,
         ($4 = 'all' OR t.bot_account_id = ANY($5::uuid[])) AS after
    FROM interest i
    JOIN topic t ON t.id = i.topic_id
    JOIN bot_account b ON b.id = t.bot_account_id AND b.removed_at IS NULL
   WHERE i.service_account_id = $1) a
 WHERE a.before <> a.after ORDER BY a.id`;

const affectedRow = z.object({
  id: z.string(),
  service_account_id: z.string(),
  topic_id: z.string(),
  bot_account_id: z.string(),
  after: z.boolean(),
});

async function effectOf(client: Queryable, before: Service, after: Service): Promise<AccessEffect> {
  if (!accessDiffers(before, after)) return { suspended: [], resumed: [] };
  const answer = await client.query(affectedSql, [
    before.id,
    before.accessMode,
    before.botAccountIds,
    after.accessMode,
    after.botAccountIds,
  ]);
  const rows = z.array(affectedRow).parse(answer.rows);
  const those = (isAllowed: boolean) => rows.filter((row) => row.after === isAllowed).map(toAffected);
  return { suspended: those(false), resumed: those(true) };
}

const toAffected = (row: z.infer<typeof affectedRow>): AffectedInterest => ({
  id: row.id,
  serviceAccountId: row.service_account_id,
  botAccountId: row.bot_account_id,
  topicId: row.topic_id,
});

const accessDiffers = (before: Service, after: Service): boolean =>
  before.accessMode !== after.accessMode || before.botAccountIds.join() !== after.botAccountIds.join();

const isSwitched = (before: Service, after: Service): boolean => before.enabled !== after.enabled;

function tell(context: StoreContext, { before, service, botAccountIds }: Outcome): void {
  if (isSwitched(before, service)) announce(context, service, service.enabled ? 'enabled' : 'disabled');
  if (accessDiffers(before, service)) announce(context, service, 'access');
  if (isSwitched(before, service) || botAccountIds.length > 0)
    announceInterests(context, service.id, [...botAccountIds]);
}
